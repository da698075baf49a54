// Probes trap 12 in a program without a C++ library. Argument "late": a plugin loads
// one, which finds our operators, and throws and catches through them; "none": no C++
// library is loaded, and operator new without memory ends the program.
#include "expect.h"

int main(int argc, char **argv) {
    typedef void *new_fn(size_t, ...);
    new_fn *one = (new_fn *)dlsym(RTLD_DEFAULT, "_Znwm");
    new_fn *nothrow = (new_fn *)dlsym(RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");
    new_fn *aligned = (new_fn *)dlsym(RTLD_DEFAULT, "_ZnwmSt11align_val_t");
    expect(one && nothrow && aligned, "no operators");
    free(one(100));
    expect(!nothrow((size_t)1 << 62, NULL), "nothrow new gave a block");
    void *p = aligned(100, (size_t)256);
    expect((uintptr_t)p % 256 == 0, "aligned new is not aligned");
    free(p);
    if (argc > 1 && strcmp(argv[1], "late") == 0) {
        void *plugin = dlopen(probe_sibling("operators_plugin.so"), RTLD_NOW);
        expect(plugin, "dlopen: %s", dlerror());
        int (*run)(void *) = (int (*)(void *))dlsym(plugin, "run");
        expect(run, "no run");
        int wrong = run((void *)one);
        expect(wrong == 0, "the plugin says %d", wrong);
    } else {
        one((size_t)1 << 62);
        fail_at(__LINE__, "operator new returned");
    }
    return 0;
}
