// cxx.h: who has C++'s operators new and delete first in this process, and what of
// the C++ library they need.
//
// libmound.so looks for that at the start, and only where there is a C++ library
// or somebody in front has operators (operators_start): a reference by name to each
// would cost every program some 600 instructions in the loader. In a static program
// dlsym finds nothing, and names lead to the program's own: so there are two files
// of cxx_find, cxx_dynamic.c for the library and cxx_static.c for the archive.
#ifndef MOUND_CXX_H
#define MOUND_CXX_H

#include <stdbool.h>
#include <stddef.h>

struct nothrow; // std::nothrow_t, of which nothing is read

// The mangled names; m is size_t, which is unsigned long.
_Static_assert(sizeof(size_t) == sizeof(unsigned long), "names of operators");

void *new_one(size_t n) __asm__("_Znwm");
void *new_array(size_t n) __asm__("_Znam");
void *new_one_nothrow(size_t n,
                      const struct nothrow *t) __asm__("_ZnwmRKSt9nothrow_t");
void *new_array_nothrow(size_t n,
                        const struct nothrow *t) __asm__("_ZnamRKSt9nothrow_t");
void *new_aligned(size_t n, size_t align) __asm__("_ZnwmSt11align_val_t");
void *new_array_aligned(size_t n, size_t align) __asm__("_ZnamSt11align_val_t");
void *new_aligned_nothrow(
    size_t n, size_t align,
    const struct nothrow *t) __asm__("_ZnwmSt11align_val_tRKSt9nothrow_t");
void *new_array_aligned_nothrow(
    size_t n, size_t align,
    const struct nothrow *t) __asm__("_ZnamSt11align_val_tRKSt9nothrow_t");

void delete_one(void *p) __asm__("_ZdlPv");
void delete_array(void *p) __asm__("_ZdaPv");
void delete_aligned(void *p, size_t align) __asm__("_ZdlPvSt11align_val_t");
void delete_array_aligned(void *p,
                          size_t align) __asm__("_ZdaPvSt11align_val_t");

// struct cxx: the first of each in the search order; NULL: there is none. The
// operators are those by which an object is made, or which the sized forms pass by.
struct cxx {
    void *(*new_one)(size_t);
    void *(*new_array)(size_t);
    void *(*new_one_nothrow)(size_t, const struct nothrow *);
    void *(*new_array_nothrow)(size_t, const struct nothrow *);
    void *(*new_aligned)(size_t, size_t);
    void *(*new_array_aligned)(size_t, size_t);
    void *(*new_aligned_nothrow)(size_t, size_t, const struct nothrow *);
    void *(*new_array_aligned_nothrow)(size_t, size_t, const struct nothrow *);
    void (*delete_one)(void *);
    void (*delete_array)(void *);
    void (*delete_aligned)(void *, size_t);
    void (*delete_array_aligned)(void *, size_t);

    void *(*aligned_alloc)(size_t, size_t); // C's, of which new is made
    // Of the C++ library; see catch.h for the last three.
    void (*throw_bad_alloc)(void);
    void *personality;
    void *begin_catch;
    void *end_catch;
};

// cxx_find finds them all. library: there is a C++ library; without one nothing of
// it is looked for, as what dlsym does not find it allocates a message for. Cost:
// some 1 000 instructions each.
void cxx_find(struct cxx *ret, bool library);

#endif // MOUND_CXX_H
