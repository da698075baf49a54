// mlockall.c: a program that locks all its memory, present and future, under a
// sane RLIMIT_MEMLOCK gets what it asks for, does not become resident far
// beyond it, finds zeroes in calloc, and is refused with ENOMEM at the limit.
//
// Traps 50 and 51: locked pages cannot be dropped, so what was freed is not
// zero; and every reservation counts against the limit.
#include <linux/capability.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "contract.h"

enum { LIMIT = 160 * MIB, WANTED = 48 * MIB, SLACK = 48 * MIB, SEED = 51 };
enum { NLIVE = 4000, MAX_BLOCKS = 4096 };

// drop_lock_right gives up the capability that lifts RLIMIT_MEMLOCK.
static void drop_lock_right(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) == 0) {
        data[0].effective &= ~(1u << CAP_IPC_LOCK);
        data[0].permitted &= ~(1u << CAP_IPC_LOCK);
        data[0].inheritable = 0;
        syscall(SYS_capset, &header, data);
    }
}

int main(void) {
    // Where the limit cannot be raised, root may still lock without one.
    struct rlimit rl = {LIMIT, LIMIT};
    bool limited = setrlimit(RLIMIT_MEMLOCK, &rl) == 0;
    if (limited) {
        drop_lock_right();
    }
    void *first = must_malloc(100);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        if (!limited) {
            skip("this process may not lock memory");
        }
        fail("mlockall under %d MiB: errno %d", LIMIT / MIB, errno);
    }
    free(first);
    size_t before = rss_bytes();

    // Mixed sizes up to WANTED bytes in all must be served.
    static struct {
        unsigned char *p;
        size_t size;
    } live[NLIVE];
    uint64_t rng = SEED;
    size_t total = 0;
    int nlive = 0;
    while (total < WANTED && nlive < NLIVE) {
        size_t size = 1 + rng_next(&rng) % (24 * KIB);
        size = nlive % 500 == 499 ? 3 * MIB : size;
        live[nlive].p = malloc(size);
        expect(live[nlive].p, "malloc(%zu) after %zu KiB: errno %d", size,
               total / KIB, errno);
        memset(live[nlive].p, 0xdd, size);
        live[nlive++].size = size;
        total += size;
    }
    size_t grown = rss_bytes() - before;
    expect(grown <= total + total / 2 + SLACK,
           "%zu KiB were asked for, %zu KiB became resident", total / KIB,
           grown / KIB);

    // Freed, perhaps given back, and not zero.
    for (int i = 0; i < nlive; i++) {
        free(live[i].p);
    }
    malloc_trim(0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < nlive; i++) {
            live[i].p = calloc(1, live[i].size);
            expect(live[i].p, "calloc(1, %zu) returned NULL", live[i].size);
            expect(all_zero(live[i].p, live[i].size),
                   "calloc(1, %zu) of locked memory is not zero", live[i].size);
            memset(live[i].p, 0xdd, live[i].size);
        }
        for (int i = nlive - 1; i >= 0; i--) {
            free(live[i].p);
        }
    }

    // The limit: NULL and ENOMEM, then service again.
    static void *block[MAX_BLOCKS];
    for (int round = 0; limited && round < 2; round++) {
        int n = 0;
        errno = 0;
        while (n < MAX_BLOCKS && (block[n] = malloc(256 * KIB))) {
            memset(block[n++], 1, 256 * KIB);
        }
        expect(n < MAX_BLOCKS && errno == ENOMEM,
               "%d blocks, errno %d at the limit", n, errno);
        expect(n >= 48 * 4, "only %d KiB of %d KiB could be had", n * 256,
               LIMIT / KIB);
        while (n > 0) {
            free(block[--n]);
        }
    }
    return 0;
}
