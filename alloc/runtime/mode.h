// mode.h: which mallocs' blocks this process has: mound's only, or another's too.
#ifndef MOUND_MODE_H
#define MOUND_MODE_H

#include <stdatomic.h>

#include "base/compiler.h"

// enum runtime_mode: set once by the constructor of preload/; after that UNCALLED may
// change to BEHIND, and nothing else.
enum runtime_mode {
    RUNTIME_ALONE = 0, // mound's only
    // Another malloc is found first. BEHIND: it calls mound, which serves; blocks that
    // are not ours are the next one's. UNCALLED: it has not called mound yet: passive
    // until it calls one of the names that it has itself.
    RUNTIME_BEHIND,
    RUNTIME_UNCALLED,
    RUNTIME_PASSIVE, // MOUND_OFF, a sanitizer, valgrind: every call passes on
};
extern _Atomic uint8_t runtime_mode HIDDEN;
ALWAYS_INLINE enum runtime_mode runtime_mode_now(void) {
    // acquire: a reader that sees the mode sees runtime_next; partner: release in
    // runtime_set_mode
    return atomic_load_explicit(&runtime_mode, memory_order_acquire);
}

// runtime_mixed says whether a block may belong to another allocator.
ALWAYS_INLINE bool runtime_mixed(void) {
    return runtime_mode_now() != RUNTIME_ALONE;
}

// runtime_passive says whether another allocator serves the program.
ALWAYS_INLINE bool runtime_passive(void) {
    return runtime_mode_now() >= RUNTIME_UNCALLED;
}

// enum runtime_name: names that a malloc found before mound may have.
enum runtime_name { NAME_MALLOC = 1, NAME_CALLOC = 2, NAME_REALLOC = 4 };

// runtime_passes_on is runtime_passive for malloc, calloc and realloc. If one of these
// is called here although the malloc in front of mound has it too, that malloc has
// called it, so mound serves from then on. It is not probed, since it may not be ready.
COLD bool runtime_passes_on_slow(enum runtime_name name);
ALWAYS_INLINE bool runtime_passes_on(enum runtime_name name) {
    return UNLIKELY(runtime_passive()) && runtime_passes_on_slow(name);
}

// struct runtime_next is the next allocator, usually the C library's.
// preload/startup.c fills it before runtime_set_mode.
struct runtime_next {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*malloc_usable_size)(void *);
    int (*malloc_trim)(size_t);
    unsigned front; // enum runtime_name: the names of the malloc before us
};
extern struct runtime_next runtime_next;
void runtime_set_mode(enum runtime_mode mode, const struct runtime_next *next);

#endif // MOUND_MODE_H
