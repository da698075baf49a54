// manners.c: what a preloaded heap must leave alone: the process starts small,
// huge-page settings stay as they were, addresses stay random, the place where
// Go's own runtime puts its heap stays free, cores stay small.
//
// Traps 52, 55, 60, 61.
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "contract.h"

enum { START_LIMIT = 96 * MIB, WRITABLE_LIMIT = 32 * MIB, NSTARTS = 4 };
static const uintptr_t GO_HEAP = 0xc000000000u;

// dumped_bytes returns how much of the address space a core would hold at
// most: private writable mappings not marked otherwise.
static size_t dumped_bytes(void) {
    static char text[512 * KIB];
    read_file("/proc/self/smaps", text, sizeof text);
    size_t total = 0;
    size_t size = 0;
    bool counts = false;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        uintptr_t from;
        uintptr_t to;
        char perms[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) == 3) {
            size = to - from;
            counts = strcmp(perms, "rw-p") == 0 && !strstr(line, "[stack]");
        } else if (strncmp(line, "VmFlags:", 8) == 0 && counts &&
                   !strstr(line, " dd")) {
            total += size;
        }
    }
    return total;
}

// start_again runs this program once more and returns the address of its first
// object.
static uintptr_t start_again(char *path) {
    int fd[2];
    uintptr_t at = 0;
    expect(pipe(fd) == 0, "pipe: errno %d", errno);
    pid_t pid = fork();
    if (pid == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", fd[1]);
        execl("/proc/self/exe", path, number, NULL);
        _exit(1);
    }
    close(fd[1]);
    ssize_t n = read(fd[0], &at, sizeof at);
    close(fd[0]);
    int status;
    waitpid(pid, &status, 0);
    expect(n == sizeof at && status == 0, "the second start failed");
    return at;
}

int main(int argc, char **argv) {
    void *first = must_malloc(100);
    if (argc > 1) {
        uintptr_t at = (uintptr_t)first;
        return write(atoi(argv[1]), &at, sizeof at) != sizeof at;
    }
    size_t vm = vm_bytes();
    expect(vm <= START_LIMIT, "the process starts with %zu KiB", vm / KIB);
    size_t dumped = dumped_bytes();
    expect(dumped <= WRITABLE_LIMIT, "a core at start would hold %zu KiB",
           dumped / KIB);

    int thp_before = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    uint64_t rng = 55;
    void *live[200];
    for (int i = 0; i < 200; i++) {
        live[i] = must_malloc(mixed_size(&rng, 4 * MIB));
        *(char *)live[i] = 1;
    }
    expect(thp_before == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0,
           "huge pages were switched off for the whole process");

    void *go = mmap((void *)GO_HEAP, 64 * MIB, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    expect(go == (void *)GO_HEAP, "Go's heap address is taken");
    for (int i = 0; i < 200; i++) {
        expect(((uintptr_t)live[i] & ~(uintptr_t)0xffffffff) != GO_HEAP,
               "an object lies in Go's heap: %p", live[i]);
        free(live[i]);
    }

    char text[LINE_BYTES];
    read_file("/proc/sys/kernel/randomize_va_space", text, sizeof text);
    if (text[0] == '0' || personality(0xffffffff) & ADDR_NO_RANDOMIZE) {
        return 0;
    }
    uintptr_t at[NSTARTS];
    bool differ = false;
    for (int i = 0; i < NSTARTS; i++) {
        at[i] = start_again(argv[0]);
        differ = differ || at[i] >> 20 != at[0] >> 20;
    }
    expect(differ, "%d starts put the first object at %#lx", NSTARTS, at[0]);
    free(first);
    return 0;
}
