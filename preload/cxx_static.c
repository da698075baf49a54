// cxx_static.c: see cxx.h. By names, which the linker binds.
#include <stdlib.h>

#include "cxx.h"

extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv")
    __attribute__((weak));
extern void personality(void) __asm__("__gxx_personality_v0")
    __attribute__((weak));
extern void begin_catch(void) __asm__("__cxa_begin_catch")
    __attribute__((weak));
extern void end_catch(void) __asm__("__cxa_end_catch") __attribute__((weak));

#define OWN(type, name, parameters, mangled) .name = name,

void cxx_find(struct cxx *ret, bool library) {
    (void)library;
    *ret = (struct cxx){
        .aligned_alloc = aligned_alloc,
        .throw_bad_alloc = throw_bad_alloc,
        .personality = (void *)personality,
        .begin_catch = (void *)begin_catch,
        .end_catch = (void *)end_catch,
        CXX_ROOTS(OWN) // all others
    };
}
