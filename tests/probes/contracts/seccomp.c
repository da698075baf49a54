// seccomp.c: a filter that denies system calls which an allocator can do
// without changes nothing for the program: it gets its memory, calloc is zero,
// realloc keeps contents, and free never fails.
//
// usage: seccomp EPERM|ENOSYS start|later NAME...
//   start   the filter is there before the program is started again, and so
//           before the allocator's first call
//   later   it comes when the heap is in use and threads run
//   NAME    madvise mremap mprotect prctl getrandom fallocate
//
// Traps 49 and 50.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "contract.h"

enum { NTHREADS = 2, NLIVE = 1000, NSTEPS = 8000, TOP = 2 * MIB, NAMES = 8 };
enum { TRIM_EVERY = NSTEPS / 4 };

static const struct {
    const char *name;
    int nr;
} known[] = {
    {"madvise", SYS_madvise},     {"mremap", SYS_mremap},
    {"mprotect", SYS_mprotect},   {"prctl", SYS_prctl},
    {"getrandom", SYS_getrandom}, {"fallocate", SYS_fallocate},
};
enum { NKNOWN = sizeof known / sizeof *known };

static void deny(char **names, int nnames, int error) {
    struct sock_filter code[2 * NAMES + 3];
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (int i = 0; i < nnames; i++) {
        int nr = -1;
        for (int k = 0; k < NKNOWN; k++) {
            nr = strcmp(names[i], known[k].name) == 0 ? known[k].nr : nr;
        }
        expect(nr >= 0 && i < NAMES, "cannot deny %s", names[i]);
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)nr, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog prog = {.len = n, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                &prog) != 0) {
        skip("seccomp filters cannot be set here");
    }
}

// work uses the heap in every way that may end in one of the denied calls.
static void work(uint64_t seed) {
    uint64_t rng = seed;
    struct object {
        unsigned char *p;
        size_t size;
    } *live = calloc(NLIVE, sizeof *live);
    expect(live, "no memory for the table");
    for (int step = 0; step < NSTEPS; step++) {
        struct object *o = &live[rng_next(&rng) % NLIVE];
        size_t size = mixed_size(&rng, TOP);
        uint64_t tag = (uint64_t)(o - live);
        size_t marked = o->size < 3000 ? o->size : 3000;
        expect(!o->p || pattern_holds(o->p, marked, tag),
               "an object of %zu bytes was overwritten", o->size);
        if (o->p && rng_next(&rng) % 3 == 0) {
            size_t kept = marked < size ? marked : size;
            o->p = realloc(o->p, size);
            expect(o->p, "realloc to %zu returned NULL", size);
            expect(pattern_holds(o->p, kept, tag), "realloc lost contents");
        } else {
            free(o->p);
            o->p = calloc(1, size);
            expect(o->p, "calloc(1, %zu) returned NULL", size);
            expect(all_zero(o->p, size), "calloc(1, %zu) is not zero", size);
        }
        o->size = size;
        memset(o->p, 0xee, size);
        pattern_fill(o->p, size < 3000 ? size : 3000, tag);
        if (step % TRIM_EVERY == 0) {
            malloc_trim(0);
        }
    }
    for (int i = 0; i < NLIVE; i++) {
        free(live[i].p);
    }
    free(live);
}

// work_large takes objects that are big enough for remapping and for going back to
// the system at once.
static void work_large(void) {
    for (size_t size = 10 * MIB; size < 100 * (size_t)MIB; size *= 3) {
        unsigned char *p = must_malloc(size);
        for (size_t at = 0; at < size; at += 4096) {
            p[at] = 0xee;
        }
        void *wall = must_malloc(MIB);
        p = realloc(p, size + size / 2);
        expect(p && p[0] == 0xee && p[(size - 1) & ~(size_t)4095] == 0xee,
               "realloc of %zu MiB failed or lost contents", size / MIB);
        free(wall);
        free(p);
        unsigned char *q = calloc(1, size);
        expect(q && all_zero(q, size), "calloc of %zu MiB is not zero",
               size / MIB);
        free(q);
    }
}

static pthread_barrier_t filtered;

static void *thread_main(void *arg) {
    void *p = must_malloc(1000); // the thread's cache exists
    pthread_barrier_wait(&filtered);
    free(p);
    work((uint64_t)(uintptr_t)arg);
    return NULL;
}

int main(int argc, char **argv) {
    expect(argc >= 4, "usage: seccomp EPERM|ENOSYS start|later NAME...");
    int error = strcmp(argv[1], "EPERM") == 0 ? EPERM : ENOSYS;
    if (strcmp(argv[2], "start") == 0) {
        deny(argv + 3, argc - 3, error);
        argv[2] = (char *)"started";
        execv("/proc/self/exe", argv);
        fail("cannot start myself again, errno %d", errno);
    }

    // Threads need mprotect for their stacks: they start before the filter.
    bool later = strcmp(argv[2], "later") == 0;
    pthread_t thread[NTHREADS];
    pthread_barrier_init(&filtered, NULL, NTHREADS + 1);
    for (uintptr_t i = 0; later && i < NTHREADS; i++) {
        int rc = pthread_create(&thread[i], NULL, thread_main, (void *)(i + 2));
        expect(rc == 0, "pthread_create returned %d", rc);
    }
    if (later) {
        deny(argv + 3, argc - 3, error);
        pthread_barrier_wait(&filtered);
    }
    work(1);
    work_large();
    for (int i = 0; later && i < NTHREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    return 0;
}
