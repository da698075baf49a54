// Probes MOUND_OFF=1: with it (argument "off") every block is libc's and every entry
// point passes calls on; without it (argument "on") none does.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>

static struct mallinfo2 (*libc_info)(void);

static size_t libc_bytes(void) {
    struct mallinfo2 info = libc_info();
    return info.uordblks + info.hblkhd;
}

static void *work(void *arg) {
    for (int i = 0; i < 100; i++) {
        probe_workout();
    }
    return arg;
}

int main(int argc, char **argv) {
    bool off = argc > 1 && strcmp(argv[1], "off") == 0;
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    libc_info = (struct mallinfo2(*)(void))dlsym(libc, "mallinfo2");
    size_t (*libc_usable)(void *) =
        (size_t(*)(void *))dlsym(libc, "malloc_usable_size");
    expect(libc_info && libc_usable, "dlsym: %s", dlerror());
    expect(dlsym(RTLD_DEFAULT, "mound_version"), "libmound.so is not loaded");

    static const char *const names[] = {
        "malloc",         "calloc", "realloc", "aligned_alloc", "memalign",
        "posix_memalign", "valloc", "pvalloc", "reallocarray",  "strdup"};
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t before = libc_bytes();
        void *p = NULL;
        switch (i) {
        case 0:
            p = malloc(5000);
            break;
        case 1:
            p = calloc(50, 100);
            break;
        case 2:
            p = realloc(malloc(10), 5000);
            break;
        case 3:
            p = aligned_alloc(64, 6400);
            break;
        case 4:
            p = memalign(64, 5000);
            break;
        case 5:
            expect(posix_memalign(&p, 64, 5000) == 0, "memalign");
            break;
        case 6:
            p = valloc(5000);
            break;
        case 7:
            p = pvalloc(5000);
            break;
        case 8:
            p = reallocarray(NULL, 50, 100);
            break;
        default:
            p = strdup(text);
            break;
        }
        expect(p, "%s failed", names[i]);
        bool from_libc = libc_bytes() >= before + 4900;
        expect(from_libc == off, "%s was %sserved by libc", names[i],
               from_libc ? "" : "not ");
        if (off) {
            expect(malloc_usable_size(p) == libc_usable(p),
                   "malloc_usable_size of %s is not libc's", names[i]);
        }
        free(p);
    }
    pthread_t thread;
    expect(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
    work(NULL);
    pthread_join(thread, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        probe_child_starts();
        probe_workout();
        exit(0);
    }
    probe_child_passed(pid, "fork");
    malloc_trim(0);
    return 0;
}
