// Probes trap 8: dlmopen loads a second libc with a malloc of its own, while ld.so still
// takes TLS memory from the first. No code may assume that there is only one libc.
#include "expect.h"

#include <pthread.h>

static void *call(void *arg) {
    int (*f)(void) = (int (*)(void))arg;
    expect(f(), "the plugin could not allocate");
    return NULL;
}

int main(void) {
    for (int i = 0; i < 8; i++) {
        void *plugin =
            dlmopen(LM_ID_NEWLM, probe_sibling("strings.so"), RTLD_NOW);
        expect(plugin, "dlmopen: %s", dlerror());
        void *own = dlsym(plugin, "plugin_own_blocks");
        int (*strings)(void) = (int (*)(void))dlsym(plugin, "plugin_strings");
        expect(own && strings, "dlsym: %s", dlerror());
        call(own);
        expect(strings() == 4, "wrong strings in the namespace");
        pthread_t thread;
        expect(pthread_create(&thread, NULL, call, own) == 0, "thread");
        pthread_join(thread, NULL);
        probe_workout();
        expect(dlclose(plugin) == 0, "dlclose: %s", dlerror());
    }
    probe_sound();
    return 0;
}
