// Probes trap 9: a plugin loaded with RTLD_DEEPBIND binds free to libc's before anything
// preloaded, while libc's strdup and getline got their memory from the preloaded malloc.
// With argument "keep" the flag must have its usual effect (the runner sets
// MOUND_DEEPBIND=keep), and the plugin uses only its own blocks.
#include "expect.h"

int main(int argc, char **argv) {
    bool keep = argc > 1 && strcmp(argv[1], "keep") == 0;
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    void *libc_free = dlsym(libc, "free");
    for (int i = 0; i < 20; i++) {
        void *plugin =
            dlopen(probe_sibling("strings.so"), RTLD_NOW | RTLD_DEEPBIND);
        expect(plugin, "dlopen: %s", dlerror());
        int (*strings)(void) = (int (*)(void))dlsym(plugin, "plugin_strings");
        int (*own)(void) = (int (*)(void))dlsym(plugin, "plugin_own_blocks");
        void *(*free_is)(void) =
            (void *(*)(void))dlsym(plugin, "plugin_free_is");
        expect(strings && own && free_is, "dlsym: %s", dlerror());
        expect(own(), "the plugin could not allocate");
        if (keep) {
            expect(free_is() == libc_free,
                   "RTLD_DEEPBIND was not kept: free is not libc's");
        } else {
            expect(free_is() == (void *)free,
                   "the plugin's free is not the program's");
            int nright = strings();
            expect(nright == 4, "%d of 4 strings are right", nright);
        }
        expect(dlclose(plugin) == 0, "dlclose: %s", dlerror());
    }
    // The other flags must reach the real dlopen untouched.
    expect(!dlopen("libdoes_not_exist.so", RTLD_NOW | RTLD_DEEPBIND),
           "opened what does not exist");
    expect(strstr(dlerror(), "libdoes_not_exist"), "dlerror lost its text");
    expect(dlopen(NULL, RTLD_NOW) != NULL, "dlopen(NULL): %s", dlerror());
    probe_workout();
    probe_sound();
    return 0;
}
