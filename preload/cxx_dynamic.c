// cxx_dynamic.c: see cxx.h. By dlsym, in the order in which the loader searches.
#include <dlfcn.h>

#include "cxx.h"

void cxx_find(struct cxx *ret, bool library) {
#define FIND(member, name) *(void **)&ret->member = dlsym(RTLD_DEFAULT, name)
    FIND(new_one, "_Znwm");
    FIND(new_array, "_Znam");
    FIND(new_one_nothrow, "_ZnwmRKSt9nothrow_t");
    FIND(new_array_nothrow, "_ZnamRKSt9nothrow_t");
    FIND(new_aligned, "_ZnwmSt11align_val_t");
    FIND(new_array_aligned, "_ZnamSt11align_val_t");
    FIND(new_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t");
    FIND(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t");
    FIND(delete_one, "_ZdlPv");
    FIND(delete_array, "_ZdaPv");
    FIND(delete_aligned, "_ZdlPvSt11align_val_t");
    FIND(delete_array_aligned, "_ZdaPvSt11align_val_t");
    FIND(aligned_alloc, "aligned_alloc");
    if (!library)
        return;
    FIND(throw_bad_alloc, "_ZSt17__throw_bad_allocv");
    FIND(personality, "__gxx_personality_v0");
    FIND(begin_catch, "__cxa_begin_catch");
    FIND(end_catch, "__cxa_end_catch");
#undef FIND
}
