// Probes trap 9: dlopen uses the RUNPATH of its caller. An interposed dlopen must not
// become that caller. The program itself has no RUNPATH to the target, so it must not
// find it.
#include "expect.h"

int main(void) {
    void *library = dlopen(probe_sibling("caller.so"), RTLD_NOW);
    expect(library, "dlopen: %s", dlerror());
    void *(*opens)(const char *, int) =
        (void *(*)(const char *, int))dlsym(library, "caller_opens");
    expect(opens, "dlsym: %s", dlerror());
    expect(!dlopen("found_by_runpath.so", RTLD_NOW),
           "the program found the library without a RUNPATH");
    static const int flags[] = {RTLD_NOW, RTLD_LAZY | RTLD_GLOBAL,
                                RTLD_NOW | RTLD_DEEPBIND};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        void *target = opens("found_by_runpath.so", flags[i]);
        expect(target, "not found by the caller's RUNPATH: %s", dlerror());
        void *(*block)(void) = (void *(*)(void))dlsym(target, "target_block");
        expect(block, "dlsym: %s", dlerror());
        free(block());
        expect(dlclose(target) == 0, "dlclose: %s", dlerror());
    }
    return 0;
}
