// A library that alone has a RUNPATH and opens another library by its bare
// name: the dynamic linker must see this library as the caller of dlopen.
#include <dlfcn.h>

void *caller_opens(const char *name, int flags) {
    void *handle = dlopen(name, flags);
    // Not a tail call: the return address must stay inside this library.
    __asm__ volatile("" : : "r"(handle) : "memory");
    return handle;
}
