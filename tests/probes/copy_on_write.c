// Probes trap 31: after fork, freeing does not write to the objects, so their pages stay
// shared: the private dirty memory of a child that frees 64 MiB of small objects is a
// small part of that. With bits or links inside the objects, or if the child returned
// memory to the system, every page would be copied.
#include "expect.h"

enum { NBLOCKS = 64 * KIB, SIZE = 1 * KIB };

static void *blocks[NBLOCKS];

// private_dirty returns the private dirty bytes of this process.
static size_t private_dirty(void) {
    static char text[8000];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        skip("no /proc/self/smaps_rollup");
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    expect(n > 0, "smaps_rollup");
    text[n] = '\0';
    char *line = strstr(text, "Private_Dirty:");
    expect(line, "no Private_Dirty");
    return strtoul(line + strlen("Private_Dirty:"), NULL, 10) * KIB;
}

int main(void) {
    for (size_t i = 0; i < NBLOCKS; i++) {
        blocks[i] = malloc(SIZE);
        memset(blocks[i], 1, SIZE);
    }
    pid_t pid = fork();
    if (pid == 0) {
        probe_child_starts();
        size_t before = private_dirty();
        for (size_t i = 0; i < NBLOCKS; i++) {
            // Every second object, so that few spans become empty.
            if (i % 2) {
                free(blocks[i]);
            }
        }
        size_t half = private_dirty();
        expect(half < before + 6 * MIB,
               "freeing 32 MiB, object by object, dirtied %zu KiB",
               (half - before) / KIB);
        for (size_t i = 0; i < NBLOCKS; i += 2) {
            free(blocks[i]);
        }
        size_t all = private_dirty();
        expect(all < before + 8 * MIB, "freeing 64 MiB dirtied %zu KiB",
               (all - before) / KIB);
        _exit(0);
    }
    probe_child_passed(pid, "fork");
    return 0;
}
