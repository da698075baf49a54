// limit_memory.c: under a limit on address space or data, malloc serves until
// the limit, then returns NULL with ENOMEM, and serves again after frees.
//
// usage: limit_memory as|data self|start MIB
//   self   the program limits itself once it runs
//   start  it is started again under the limit
// usage: limit_memory overcommit
//   the system must have vm.overcommit_memory=2, else the probe is skipped
//
// Traps 52 and 53.
#include <sys/resource.h>
#include <sys/wait.h>

#include "contract.h"

enum { MAX_BLOCKS = 1 << 20, SMALL = 48, MEDIUM = 3000, BLOCK = 64 * KIB };

struct link {
    struct link *next;
    char rest[];
};

// fill allocates objects of one size, all touched, until there is none left or
// top bytes are reached, and returns the bytes it got.
static size_t fill(struct link **list, size_t size, size_t top) {
    size_t got = 0;
    while (got < top) {
        errno = 0;
        struct link *p = malloc(size);
        if (!p) {
            expect(errno == ENOMEM, "malloc(%zu) at the limit: errno %d", size,
                   errno);
            break;
        }
        memset(p, 0x5a, size);
        p->next = *list;
        *list = p;
        got += size;
    }
    return got;
}

static void free_all(struct link **list) {
    while (*list) {
        struct link *p = *list;
        *list = p->next;
        free(p);
    }
}

// mapped_bytes returns the address space in use: reservations that nobody can
// touch yet are room, not use.
static size_t mapped_bytes(void) {
    static char text[256 * KIB];
    size_t total = 0;
    read_file("/proc/self/maps", text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        uintptr_t from;
        uintptr_t to;
        char perms[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) == 3 &&
            strncmp(perms, "---", 3) != 0) {
            total += to - from;
        }
    }
    return total;
}

// check_limited runs the whole story below a limit that leaves room bytes.
// share_pct of it must be had with each size.
static void check_limited(size_t room, size_t share_pct) {
    static const size_t sizes[] = {BLOCK, MEDIUM, SMALL, MIB, BLOCK};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct link *list = NULL;
        size_t size = sizes[i];
        size_t got = fill(&list, size, 16 * room);
        expect(got < 16 * room, "there was no limit");
        expect(got >= room / 100 * share_pct,
               "objects of %zu bytes: only %zu KiB of %zu KiB could be had",
               size, got / KIB, room / KIB);

        // Every call says so, none crashes, and refused ones change nothing.
        errno = 0;
        expect(!calloc(1, room) && errno == ENOMEM, "calloc: errno %d", errno);
        errno = 0;
        expect(!realloc(list, room) && errno == ENOMEM, "realloc: errno %d",
               errno);
        void *p = NULL;
        expect(posix_memalign(&p, 4096, room) == ENOMEM,
               "posix_memalign was not refused");
        errno = 0;
        expect(!aligned_alloc(64, room) && errno == ENOMEM,
               "aligned_alloc: errno %d", errno);

        // Service again after frees, of the same size as after a half.
        struct link *half = list;
        for (size_t n = 0; n < got / size / 2; n++) {
            half = half->next;
        }
        struct link *rest = half->next;
        half->next = NULL;
        free_all(&list);
        size_t again = fill(&list, size, 16 * room);
        expect(again >= got / 3,
               "objects of %zu bytes: after freeing half of %zu KiB only %zu "
               "KiB could be had",
               size, got / KIB, again / KIB);
        free_all(&list);
        free_all(&rest);
    }

    // One block of most of what is left, after all those sizes.
    size_t most = room / 100 * (share_pct / 2);
    void *p = malloc(most);
    expect(p, "after all was freed, malloc(%zu KiB) of %zu KiB returned NULL",
           most / KIB, room / KIB);
    memset(p, 1, most);
    free(p);
}

int main(int argc, char **argv) {
    expect(argc >= 2, "usage: limit_memory as|data self|start MIB");
    if (strcmp(argv[1], "overcommit") == 0) {
        char text[LINE_BYTES];
        read_file("/proc/sys/vm/overcommit_memory", text, sizeof text);
        if (text[0] != '2') {
            skip("vm.overcommit_memory is not 2");
        }
        size_t room = proc_field("/proc/meminfo", "\nCommitLimit:") -
                      proc_field("/proc/meminfo", "\nCommitted_AS:");
        check_limited(room < 1024 * (size_t)MIB ? room : 1024 * (size_t)MIB,
                      70);
        return 0;
    }
    expect(argc == 4, "usage: limit_memory as|data self|start MIB");
    size_t limit = strtoul(argv[3], NULL, 10) * MIB;
    int which = strcmp(argv[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA;
    bool started = strcmp(argv[2], "started") == 0;
    if (!started) {
        struct rlimit rl = {limit, limit};
        expect(setrlimit(which, &rl) == 0, "setrlimit: errno %d", errno);
    }
    if (strcmp(argv[2], "start") == 0) {
        argv[2] = (char *)"started";
        execv("/proc/self/exe", argv);
        fail("cannot start myself again, errno %d", errno);
    }
    size_t used = which == RLIMIT_AS
                      ? mapped_bytes()
                      : proc_field("/proc/self/status", "\nVmData:");
    expect(used < limit, "the program already uses %zu KiB", used / KIB);
    expect(used <= 32 * MIB, "the program starts with %zu KiB", used / KIB);
    check_limited(limit - used, 60);
    return 0;
}
