// cxx.h: finds the first definitions of C++'s operators new and delete in this process,
// and the functions of the C++ library that they need.
//
// libmound.so looks for them at the start, and only if there is a C++ library or another
// library before mound has operators (operators_start): references by name would cost
// every program some 600 instructions each in the loader. In a static program dlsym
// finds nothing, and names lead to the program's own. So cxx_find is in two files:
// cxx_dynamic.c for the library and cxx_static.c for the archive.
#ifndef MOUND_CXX_H
#define MOUND_CXX_H

#include <stdbool.h>
#include <stddef.h>

struct nothrow; // std::nothrow_t, of which nothing is read

// The operators, as OPERATOR(return type, name here, parameters, mangled name), where
// m is size_t. CXX_ROOTS are those that make an object or that the sized forms call;
// CXX_FORMS are the others.
_Static_assert(sizeof(size_t) == sizeof(unsigned long), "names of operators");

#define CXX_ROOTS(OPERATOR)                                                    \
    OPERATOR(void *, new_one, (size_t n), "_Znwm")                             \
    OPERATOR(void *, new_array, (size_t n), "_Znam")                           \
    OPERATOR(void *, new_one_nothrow, (size_t n, const struct nothrow *t),     \
             "_ZnwmRKSt9nothrow_t")                                            \
    OPERATOR(void *, new_array_nothrow, (size_t n, const struct nothrow *t),   \
             "_ZnamRKSt9nothrow_t")                                            \
    OPERATOR(void *, new_aligned, (size_t n, size_t align),                    \
             "_ZnwmSt11align_val_t")                                           \
    OPERATOR(void *, new_array_aligned, (size_t n, size_t align),              \
             "_ZnamSt11align_val_t")                                           \
    OPERATOR(void *, new_aligned_nothrow,                                      \
             (size_t n, size_t align, const struct nothrow *t),                \
             "_ZnwmSt11align_val_tRKSt9nothrow_t")                             \
    OPERATOR(void *, new_array_aligned_nothrow,                                \
             (size_t n, size_t align, const struct nothrow *t),                \
             "_ZnamSt11align_val_tRKSt9nothrow_t")                             \
    OPERATOR(void, delete_one, (void *p), "_ZdlPv")                            \
    OPERATOR(void, delete_array, (void *p), "_ZdaPv")                          \
    OPERATOR(void, delete_aligned, (void *p, size_t align),                    \
             "_ZdlPvSt11align_val_t")                                          \
    OPERATOR(void, delete_array_aligned, (void *p, size_t align),              \
             "_ZdaPvSt11align_val_t")

#define CXX_FORMS(OPERATOR)                                                    \
    OPERATOR(void, delete_one_nothrow, (void *p, const struct nothrow *t),     \
             "_ZdlPvRKSt9nothrow_t")                                           \
    OPERATOR(void, delete_array_nothrow, (void *p, const struct nothrow *t),   \
             "_ZdaPvRKSt9nothrow_t")                                           \
    OPERATOR(void, delete_sized, (void *p, size_t n), "_ZdlPvm")               \
    OPERATOR(void, delete_array_sized, (void *p, size_t n), "_ZdaPvm")         \
    OPERATOR(void, delete_aligned_nothrow,                                     \
             (void *p, size_t align, const struct nothrow *t),                 \
             "_ZdlPvSt11align_val_tRKSt9nothrow_t")                            \
    OPERATOR(void, delete_array_aligned_nothrow,                               \
             (void *p, size_t align, const struct nothrow *t),                 \
             "_ZdaPvSt11align_val_tRKSt9nothrow_t")                            \
    OPERATOR(void, delete_sized_aligned, (void *p, size_t n, size_t align),    \
             "_ZdlPvmSt11align_val_t")                                         \
    OPERATOR(void, delete_array_sized_aligned,                                 \
             (void *p, size_t n, size_t align), "_ZdaPvmSt11align_val_t")

#define CXX_DECLARE(type, name, parameters, mangled)                           \
    type name parameters __asm__(mangled);
CXX_ROOTS(CXX_DECLARE)
CXX_FORMS(CXX_DECLARE)

// CXX_POINTER makes members of a struct, pointers to operators.
#define CXX_POINTER(type, name, parameters, mangled) type(*name) parameters;

// struct cxx: the first definition of each in the search order; NULL: there is none.
struct cxx {
    CXX_ROOTS(CXX_POINTER)

    void *(*aligned_alloc)(size_t, size_t); // C's, which new calls
    // Of the C++ library; see catch.h for the last three.
    void (*throw_bad_alloc)(void);
    void *personality;
    void *begin_catch;
    void *end_catch;
};

// cxx_find finds them all. library: there is a C++ library; without one its functions are
// not looked up, because a failing dlsym allocates an error message. Cost: some 1 000
// instructions each.
void cxx_find(struct cxx *ret, bool library);

#endif // MOUND_CXX_H
