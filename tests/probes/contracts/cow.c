// cow.c: a forked child that frees objects writes into none of them: their
// pages stay shared with the parent.
//
// usage: cow [KIB], how much the child may dirty for each MiB it freed; 64
//   unless told. An allocator that links free objects through their own memory
//   dirties all 1024.
//
// Trap 31.
#include <sys/wait.h>

#include "contract.h"

enum { TOTAL = 64 * MIB, ALLOWED_KIB = 64 };

// private_dirty returns the bytes this process has written to since the fork,
// among the pages it still holds.
static size_t private_dirty(void) {
    return proc_field("/proc/self/smaps_rollup", "\nPrivate_Dirty:");
}

static void check_size(size_t size, size_t allowed) {
    size_t n = TOTAL / size;
    unsigned char **object = must_malloc(n * sizeof *object);
    for (size_t i = 0; i < n; i++) {
        object[i] = must_malloc(size);
        memset(object[i], 0x5a, size);
    }
    pid_t pid = fork();
    expect(pid >= 0, "fork: errno %d", errno);
    if (pid == 0) {
        size_t before = private_dirty();
        for (size_t i = 0; i < n; i++) {
            free(object[i]);
        }
        size_t after = private_dirty();
        size_t dirtied = after > before ? after - before : 0;
        expect(dirtied / KIB <= allowed * (TOTAL / MIB),
               "a child that freed %d MiB of %zu byte objects dirtied %zu KiB, "
               "%zu KiB each MiB",
               TOTAL / MIB, size, dirtied / KIB, dirtied / KIB / (TOTAL / MIB));
        _exit(0);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid, "waitpid: errno %d", errno);
    for (size_t i = 0; i < n; i++) {
        expect(object[i][0] == 0x5a && object[i][size - 1] == 0x5a,
               "the parent's objects changed");
        free(object[i]);
    }
    free(object);
    if (status != 0) {
        _exit(EXIT_FAILED);
    }
}

int main(int argc, char **argv) {
    size_t allowed = argc > 1 ? strtoul(argv[1], NULL, 10) : ALLOWED_KIB;
    static const size_t sizes[] = {64, 512, 2000, 4096, 16000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_size(sizes[i], allowed);
    }
    return 0;
}
