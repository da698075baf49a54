// Probes traps 30, 43 and 45: a single-threaded program stays single-threaded, with the
// same descriptors and libraries, after it grew, shrank, forked and trimmed.
#include "expect.h"

#include <dirent.h>
#include <malloc.h>
#include <sys/single_threaded.h>

static int count_entries(const char *path) {
    DIR *dir = opendir(path);
    expect(dir, "opendir %s", path);
    int n = 0;
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

static int count_libraries(void) {
    FILE *f = fopen("/proc/self/maps", "re");
    char line[1000];
    int n = 0;
    expect(f, "/proc/self/maps");
    while (fgets(line, sizeof line, f)) {
        n += strstr(line, "r-xp") && strstr(line, ".so");
        expect(!strstr(line, "libunwind") && !strstr(line, "libgcc_s"),
               "an unwinder was loaded");
    }
    fclose(f);
    return n;
}

static void grow_and_shrink(void) {
    enum { N = 30000 };
    static void *blocks[N];
    for (size_t i = 0; i < N; i++) {
        blocks[i] = malloc(i % 5000 + 1);
        memset(blocks[i], 1, i % 5000 + 1);
    }
    for (size_t i = 0; i < N; i++) {
        free(blocks[i]);
    }
    for (int i = 0; i < 20; i++) {
        char *p = malloc(20 * MIB);
        memset(p, 1, 20 * MIB);
        free(p);
    }
    malloc_trim(0);
}

static void expect_lonely(int nfds) {
    expect(count_entries("/proc/self/task") == 3, "%d threads",
           count_entries("/proc/self/task") - 2);
    expect(__libc_single_threaded, "libc thinks there are threads");
    expect(count_entries("/proc/self/fd") == nfds, "%d descriptors became %d",
           nfds, count_entries("/proc/self/fd"));
}

int main(void) {
    // A descriptor inherited through exec cannot be close-on-exec; ours would be.
    for (int fd = 0; fd < 1000; fd++) {
        int flags = fcntl(fd, F_GETFD);
        expect(flags < 0 || !(flags & FD_CLOEXEC),
               "descriptor %d was opened before main", fd);
    }
    int nfds = count_entries("/proc/self/fd");
    int nlibraries = count_libraries();
    grow_and_shrink();
    expect_lonely(nfds);
    pid_t pid = fork();
    if (pid == 0) {
        probe_child_starts();
        grow_and_shrink();
        expect_lonely(nfds);
        _exit(0);
    }
    probe_child_passed(pid, "fork");
    grow_and_shrink();
    expect_lonely(nfds);
    expect(count_libraries() == nlibraries, "libraries were loaded");
    probe_sound();
    return 0;
}
