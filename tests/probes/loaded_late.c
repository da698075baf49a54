// Probes traps 10 and 15: libmound.so (argv[1]) is not preloaded but opened by dlopen in
// a running program, as by a plugin that links it. It fits into the TLS that is left,
// replaces nothing, and the program runs on.
#include "expect.h"

#include <pthread.h>

static void *work(void *arg) {
    probe_workout();
    return arg;
}

int main(int argc, char **argv) {
    expect(argc == 2, "which library?");
    void *block = malloc(1000);
    fill(block, 1000, 1);
    char *text = strdup("before");
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    expect(library, "dlopen: %s", dlerror());
    int (*version)(void) = (int (*)(void))dlsym(library, "mound_version");
    expect(version && version() > 0, "mound_version");
    expect(intact(block, 1000, 1), "a block changed");
    free(block);
    free(text);
    probe_workout();
    pthread_t thread;
    expect(pthread_create(&thread, NULL, work, NULL) == 0, "thread");
    pthread_join(thread, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        probe_child_starts();
        probe_workout();
        exit(0);
    }
    probe_child_passed(pid, "fork");
    expect(dlclose(library) == 0, "dlclose: %s", dlerror());
    // Unloading must not remove the code of the thread-exit hook.
    expect(pthread_create(&thread, NULL, work, NULL) == 0, "thread");
    pthread_join(thread, NULL);
    return 0;
}
