// operators.c: C++'s operators new and delete, all twenty. Without them a program that is
// linked to another allocator would get objects from that allocator's new and pass them
// to our free.
//
// Each does what libstdc++'s does and calls the same others, which a program may
// replace: new[] and the nothrow forms call new, sized and array delete call delete, new
// calls malloc. These calls lead to the first definition in the process (cxx.h). In
// addition, if all of them are ours, a sized delete checks the size. The definitions are
// weak, like libstdc++'s: a program that is linked to the archive may define some of its
// own.
//
// The C++ library is not needed: a program that uses these operators has one, and what is
// needed of it (the new_handler, std::bad_alloc) is looked up when memory is out.
// Exceptions pass through this file's functions: it is compiled with -fexceptions.
#include "operators.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

#include "base/check.h"
#include "catch.h"
#include "cxx.h"
#include "interpose.h"
#include "life/process.h"
#include "mound.h"
#include "newdelete.h"

#define OPERATOR __attribute__((visibility("default"), weak))

// From the C++ library that the program was started with; NULL: there is none.
typedef void handler_fn(void);
extern handler_fn *get_new_handler(void) __asm__("_ZSt15get_new_handlerv")
    __attribute__((weak));

// The operators under names that cannot be interposed.
#define OWN(type, name, parameters, mangled)                                   \
    static __typeof__(name) own_##name                                         \
        __attribute__((alias(mangled), copy(name)));
CXX_ROOTS(OWN)

// Written by operators_start, while there is one thread. Before that all are ours.
static AT_START bool replaced; // another library replaces one of the operators
static AT_START bool
    checked;             // they, malloc and free are ours: sizes are checked
static struct cxx first; // if replaced
static struct {          // in passive mode, those after ours; or NULL
    CXX_ROOTS(CXX_POINTER)
    CXX_FORMS(CXX_POINTER)
} next;

// FIRST is the operator that calls of its name lead to.
#define FIRST(name) (LIKELY(!replaced) ? own_##name : first.name)

// PASS_ON calls the definition after ours instead, in passive mode.
#define PASS_ON(name, ...)                                                     \
    do {                                                                       \
        if (process_passive() && next.name != NULL)                            \
            return next.name(__VA_ARGS__);                                     \
    } while (0)

// at_least_one is the size to allocate: new of 0 bytes returns a block, whatever malloc
// does. Sized deletes get the requested size.
static size_t at_least_one(size_t n) {
    return n + (n == 0);
}

// find looks up a function of a C++ library that was loaded later, with a plugin. It
// takes the loader's lock, as throwing may.
static COLD void *find(const char *name) {
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1",
                                            "libc++.so.1"};
    void *function = NULL;
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        if (library != NULL)
            function = dlsym(library, name);
        if (function != NULL)
            return function;
    }
    return NULL;
}

static COLD handler_fn *handler(void) {
    handler_fn *(*get)(void) = get_new_handler;
    if (get == NULL)
        *(void **)&get = find("_ZSt15get_new_handlerv");
    return get != NULL ? get() : NULL;
}

__attribute__((noreturn)) static COLD void give_up(void) {
    void (*throw_it)(void) = first.throw_bad_alloc;
    if (throw_it == NULL)
        *(void **)&throw_it = find("_ZSt17__throw_bad_allocv");
    if (throw_it != NULL)
        throw_it();
    throw_("operator new: out of memory, and no C++ library to throw "
           "std::bad_alloc");
}

static inline bool is_alignment(size_t align) {
    return align != 0 && (align & (align - 1)) == 0;
}

// take is the allocation that new tries first, and again after each call of the handler.
// align is 0 without an alignment.
static inline void *take(size_t n, size_t align) {
    n = at_least_one(n);
    if (align == 0)
        return malloc(n);
    if (checked || first.aligned_alloc == NULL)
        return mound_memalign(align, n);
    // As libstdc++: a program's own aligned_alloc may require this.
    if (align < sizeof(void *))
        align = sizeof(void *);
    if (n > SIZE_MAX - align)
        return NULL;
    return first.aligned_alloc(align, (n + align - 1) & ~(align - 1));
}

static COLD void *take_again(size_t n, size_t align) {
    void *p;
    do {
        handler_fn *h = handler();
        if (h == NULL)
            give_up();
        h();
        p = take(n, align);
    } while (p == NULL);
    return p;
}

// catch_again is catch_all with a C++ library that was loaded since. That library stays
// loaded, because find keeps it.
static COLD void *catch_again(void *(*operator_new)(size_t, size_t), size_t n,
                              size_t align) {
    if (__atomic_load_n(&catch_personality, __ATOMIC_ACQUIRE) == NULL) {
        __atomic_store_n(&catch_begin, find("__cxa_begin_catch"),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&catch_end, find("__cxa_end_catch"), __ATOMIC_RELAXED);
        // release: a thread that sees the personality sees the other two
        __atomic_store_n(&catch_personality, find("__gxx_personality_v0"),
                         __ATOMIC_RELEASE);
    }
    return catch_all(operator_new, n, align);
}

// take_nothrow is take, and if that fails operator_new, which may throw, with a catch.
static inline void *take_nothrow(void *(*operator_new)(size_t, size_t),
                                 size_t n, size_t align) {
    bool sure = !replaced && (align == 0 || is_alignment(align));
    void *p = sure ? take(n, align) : NULL;
    if (LIKELY(p != NULL) || (sure && handler() == NULL))
        return p;
    return catch_again(operator_new, n, align);
}

static void *call_new_one(size_t n, size_t align) {
    (void)align;
    return FIRST(new_one)(n);
}

static void *call_new_array(size_t n, size_t align) {
    (void)align;
    return FIRST(new_array)(n);
}

static void *call_new_aligned(size_t n, size_t align) {
    return FIRST(new_aligned)(n, align);
}

static void *call_new_array_aligned(size_t n, size_t align) {
    return FIRST(new_array_aligned)(n, align);
}

static COLD void *take_one_again(size_t n) {
    return take_again(n, 0);
}

static NOINLINE void *new_by_malloc(size_t n) {
    PASS_ON(new_one, n);
    void *p = take(n, 0);
    return LIKELY(p != NULL) ? p : take_again(n, 0);
}

OPERATOR void *new_one(size_t n) {
    if (LIKELY(checked))
        return newdelete_new(at_least_one(n), take_one_again);
    return new_by_malloc(n);
}

OPERATOR void *new_array(size_t n) {
    PASS_ON(new_array, n);
    return FIRST(new_one)(n);
}

OPERATOR void *new_one_nothrow(size_t n, const struct nothrow *t) {
    PASS_ON(new_one_nothrow, n, t);
    return take_nothrow(call_new_one, n, 0);
}

OPERATOR void *new_array_nothrow(size_t n, const struct nothrow *t) {
    PASS_ON(new_array_nothrow, n, t);
    return take_nothrow(call_new_array, n, 0);
}

OPERATOR void *new_aligned(size_t n, size_t align) {
    PASS_ON(new_aligned, n, align);
    if (!is_alignment(align))
        give_up();
    void *p = take(n, align);
    return LIKELY(p != NULL) ? p : take_again(n, align);
}

OPERATOR void *new_array_aligned(size_t n, size_t align) {
    PASS_ON(new_array_aligned, n, align);
    return FIRST(new_aligned)(n, align);
}

OPERATOR void *new_aligned_nothrow(size_t n, size_t align,
                                   const struct nothrow *t) {
    PASS_ON(new_aligned_nothrow, n, align, t);
    return take_nothrow(call_new_aligned, n, align);
}

OPERATOR void *new_array_aligned_nothrow(size_t n, size_t align,
                                         const struct nothrow *t) {
    PASS_ON(new_array_aligned_nothrow, n, align, t);
    return take_nothrow(call_new_array_aligned, n, align);
}

OPERATOR void delete_one(void *p) {
    PASS_ON(delete_one, p);
    free(p);
}

OPERATOR void delete_array(void *p) {
    PASS_ON(delete_array, p);
    FIRST(delete_one)(p);
}

OPERATOR void delete_one_nothrow(void *p, const struct nothrow *t) {
    PASS_ON(delete_one_nothrow, p, t);
    FIRST(delete_one)(p);
}

OPERATOR void delete_array_nothrow(void *p, const struct nothrow *t) {
    PASS_ON(delete_array_nothrow, p, t);
    FIRST(delete_array)(p);
}

OPERATOR void delete_sized(void *p, size_t n) {
    if (LIKELY(checked)) {
        newdelete_delete(p, at_least_one(n));
        return;
    }
    PASS_ON(delete_sized, p, n);
    FIRST(delete_one)(p);
}

OPERATOR void delete_array_sized(void *p, size_t n) {
    if (LIKELY(checked)) {
        newdelete_delete(p, at_least_one(n));
        return;
    }
    PASS_ON(delete_array_sized, p, n);
    FIRST(delete_array)(p);
}

OPERATOR void delete_aligned(void *p, size_t align) {
    PASS_ON(delete_aligned, p, align);
    free(p);
}

OPERATOR void delete_array_aligned(void *p, size_t align) {
    PASS_ON(delete_array_aligned, p, align);
    FIRST(delete_aligned)(p, align);
}

OPERATOR void delete_aligned_nothrow(void *p, size_t align,
                                     const struct nothrow *t) {
    PASS_ON(delete_aligned_nothrow, p, align, t);
    FIRST(delete_aligned)(p, align);
}

OPERATOR void delete_array_aligned_nothrow(void *p, size_t align,
                                           const struct nothrow *t) {
    PASS_ON(delete_array_aligned_nothrow, p, align, t);
    FIRST(delete_array_aligned)(p, align);
}

OPERATOR void delete_sized_aligned(void *p, size_t n, size_t align) {
    if (checked) {
        newdelete_delete_aligned(p, at_least_one(n), align);
        return;
    }
    PASS_ON(delete_sized_aligned, p, n, align);
    FIRST(delete_aligned)(p, align);
}

OPERATOR void delete_array_sized_aligned(void *p, size_t n, size_t align) {
    if (checked) {
        newdelete_delete_aligned(p, at_least_one(n), align);
        return;
    }
    PASS_ON(delete_array_sized_aligned, p, n, align);
    FIRST(delete_array_aligned)(p, align);
}

static bool all_own(void) {
#define AND_OWN(type, name, parameters, mangled) &&first.name == own_##name
    return true CXX_ROOTS(AND_OWN);
}

// is_other says whether a name leads to another function than ours.
static bool is_other(const void *first_of_name, const void *own) {
    __asm__("" : "+r"(first_of_name)); // the compiler takes them for the same
    return first_of_name != own;
}

// A C++ library has them all, so every dlsym succeeds; one that fails would allocate.
static COLD void find_next(void) {
    if (get_new_handler == NULL)
        return;
#define FIND_NEXT(type, name, parameters, mangled)                             \
    *(void **)&next.name = dlsym(RTLD_NEXT, mangled);
    CXX_ROOTS(FIND_NEXT)
    CXX_FORMS(FIND_NEXT)
}

COLD void operators_start(bool own, bool off) {
    bool library = get_new_handler != NULL;
    // A library that replaces operators replaces these two, or comes with a C++ library,
    // which has them all.
    if (!own || library ||
        is_other((const void *)new_one, (const void *)own_new_one) ||
        is_other((const void *)delete_one, (const void *)own_delete_one)) {
        cxx_find(&first, library);
        catch_personality = first.personality;
        catch_begin = first.begin_catch;
        catch_end = first.end_catch;
        replaced = !all_own();
    }
    checked = own && !replaced;
    if (off)
        find_next();
}
