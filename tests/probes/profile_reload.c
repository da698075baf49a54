// profile_reload.c: a library that allocates much is unloaded, and one that allocates
// little is loaded at the same address. Prints their paths. For profiles of it: see
// preload/profile.py.
//
// usage: profile_reload [relative]
//   relative  loads them by paths that are relative to the directory they are in
#include "expect.h"

#include <libgen.h>

enum { MUCH = 600, LITTLE = 20, LOADS_MAX = 10 };

// load_and_call leaves the library loaded if its function is at keep_at.
static void *load_and_call(const char *path, const char *name, int nblocks,
                           void *keep_at) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    expect(handle, "%s", dlerror());
    void (*call)(int) = NULL;
    *(void **)&call = dlsym(handle, name);
    expect(call, "no function in %s", path);
    call(nblocks);
    if (*(void **)&call != keep_at) {
        dlclose(handle);
    }
    return *(void **)&call;
}

int main(int argc, char **argv) {
    bool relative = argc > 1 && strcmp(argv[1], "relative") == 0;
    char busy[PATH_MAX];
    char idle[PATH_MAX];
    snprintf(busy, sizeof busy, "%s", probe_sibling("profile_busy.so"));
    snprintf(idle, sizeof idle, "%s", probe_sibling("profile_idle.so"));
    printf("%s\n%s\n", busy, idle);
    if (relative) {
        expect(chdir(dirname(strdup(busy))) == 0, "chdir: %m");
        strcpy(busy, "./profile_busy.so");
        strcpy(idle, "./profile_idle.so");
    }
    void *first = load_and_call(busy, "busy", MUCH, NULL);
    for (int i = 0;
         load_and_call(idle, "idle", i == 0 ? LITTLE : 0, first) != first;
         i++) {
        if (i == LOADS_MAX) {
            skip("it came to another place");
        }
    }
    probe_sound();
    return 0;
}
