// mode.h: whose blocks this process has: ours alone, or another malloc's too.
#ifndef MOUND_MODE_H
#define MOUND_MODE_H

#include <stdatomic.h>

#include "base/compiler.h"

// enum runtime_mode: set once by the constructor of preload/; from UNCALLED it goes
// on to BEHIND, never elsewhere.
enum runtime_mode {
    RUNTIME_ALONE = 0, // ours
    RUNTIME_BEHIND,    // another malloc stands in front and passes on to us: we
                       // serve, and a block that is not ours is the next one's
    RUNTIME_UNCALLED,  // another malloc stands in front and has not passed on
    // yet: passive, until one of its names is called here
    RUNTIME_PASSIVE, // MOUND_OFF, a sanitizer, valgrind: every call passes on
};
extern _Atomic uint8_t runtime_mode HIDDEN;
ALWAYS_INLINE enum runtime_mode runtime_mode_now(void) {
    // acquire: a reader that sees the mode sees runtime_next; partner: release in
    // runtime_set_mode
    return atomic_load_explicit(&runtime_mode, memory_order_acquire);
}

// runtime_mixed says whether a block may be another allocator's.
ALWAYS_INLINE bool runtime_mixed(void) {
    return runtime_mode_now() != RUNTIME_ALONE;
}

// runtime_passive says whether another allocator serves the program.
ALWAYS_INLINE bool runtime_passive(void) {
    return runtime_mode_now() >= RUNTIME_UNCALLED;
}

// enum runtime_name: names that a malloc in front of us has or lacks.
enum runtime_name { NAME_MALLOC = 1, NAME_CALLOC = 2, NAME_REALLOC = 4 };

// runtime_passes_on is runtime_passive for malloc, calloc and realloc. A call of one
// that the malloc in front of us has as well shows that it passes on to us: from
// then on we serve. It is never called to find that out, for it may not be ready.
COLD bool runtime_passes_on_slow(enum runtime_name name);
ALWAYS_INLINE bool runtime_passes_on(enum runtime_name name) {
    return UNLIKELY(runtime_passive()) && runtime_passes_on_slow(name);
}

// struct runtime_next is the next allocator, mostly the C library's. Filled by
// preload/startup.c before runtime_set_mode.
struct runtime_next {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*malloc_usable_size)(void *);
    int (*malloc_trim)(size_t);
    unsigned front; // of enum runtime_name: what a malloc in front of us has
};
extern struct runtime_next runtime_next;
void runtime_set_mode(enum runtime_mode mode, const struct runtime_next *next);

#endif // MOUND_MODE_H
