// cxx_dynamic.c: see cxx.h. By dlsym, in the search order of the loader.
#include <dlfcn.h>

#include "cxx.h"

#define FIND(member, name) *(void **)&ret->member = dlsym(RTLD_DEFAULT, name)
#define FIND_OPERATOR(type, name, parameters, mangled) FIND(name, mangled);

void cxx_find(struct cxx *ret, bool library) {
    CXX_ROOTS(FIND_OPERATOR)
    FIND(aligned_alloc, "aligned_alloc");
    if (!library)
        return;
    FIND(throw_bad_alloc, "_ZSt17__throw_bad_allocv");
    FIND(personality, "__gxx_personality_v0");
    FIND(begin_catch, "__cxa_begin_catch");
    FIND(end_catch, "__cxa_end_catch");
}
