// handback.c: see handback.h.
#include "heap/handback.h"

#include <string.h>

#include "heap/mcentral.h"
#include "heap/mcentral_giveback.h"
#include "heap/mcentral_store.h"

// are_aligned says whether all n addresses are aligned like slots of the class.
static bool are_aligned(void *const *slots, size_t n, unsigned sizeclass) {
    uintptr_t elemsize = sizeclass_bytes[sizeclass];
    uintptr_t bits = 0;
    for (size_t i = 0; i < n; i++)
        bits |= (uintptr_t)slots[i];
    return (bits & ((elemsize & -elemsize) - 1)) == 0;
}

// drop_oldest_locked removes the n oldest slots from a magazine.
static void drop_oldest_locked(struct magazine *m, size_t n) {
    void **bottom = magazine_load(&m->bottom);
    size_t depth = magazine_depth(m) - n;
    memmove(bottom, bottom + n, depth * sizeof *bottom);
    magazine_store(&m->top, bottom + depth);
}

bool handback_store_locked(struct magazine *m, struct mcentral *mc, size_t n) {
    void **bottom = magazine_load(&m->bottom);
    if (!are_aligned(bottom, n, mc->sizeclass) ||
        !mcentral_store_locked(mc, bottom, n))
        return false;
    drop_oldest_locked(m, n);
    return true;
}

// store_oldest moves as many of the n oldest slots of a magazine as fit into
// the store, and returns how many.
static size_t store_oldest(struct magazine *m, struct magazine_shape *shape,
                           struct mcentral *mc, size_t n) {
    mutex_lock(&mc->lock);
    size_t most = min_size(n, mcentral_room_locked(mc));
    if (most == 0 || !handback_store_locked(m, mc, most))
        most = 0;
    shape->no_room = most < n;
    mutex_unlock(&mc->lock);
    return most;
}

static void reverse(void **slots, size_t n) {
    for (size_t i = 0; i + 1 < n - i; i++) {
        void *slot = slots[i];
        slots[i] = slots[n - 1 - i];
        slots[n - 1 - i] = slot;
    }
}

// turn makes the n oldest slots of a magazine the newest; both parts keep their
// order.
static NOINLINE void turn(struct magazine *m, struct mcentral *mc, size_t n) {
    mutex_lock(&mc->lock);
    void **bottom = magazine_load(&m->bottom);
    size_t depth = magazine_depth(m);
    reverse(bottom, n);
    reverse(bottom + n, depth - n);
    reverse(bottom, depth);
    mutex_unlock(&mc->lock);
}

// put_some is handback_some under the lock: see mcentral_put_locked.
static NOINLINE size_t put_some(struct magazine *m,
                                struct magazine_shape *shape,
                                struct mcentral *mc, void **from, size_t n,
                                struct giveback *ret) {
    struct apart apart;
    size_t found = mcentral_find(mc, from, n, &apart);
    mutex_lock(&mc->lock);
    n = mcentral_put_locked(mc, from, &apart, ret);
    void **top = magazine_load(&m->top) - n;
    memmove(from, from + n, (size_t)(top - from) * sizeof *from);
    magazine_store(&m->top, top);
    shape->no_room = mcentral_room_locked(mc) < found;
    mutex_unlock(&mc->lock);
    return n;
}

size_t handback_some(struct magazine *m, struct magazine_shape *shape,
                     struct mcentral *mc, void **from, size_t n) {
    struct giveback rest;
    n = put_some(m, shape, mc, from, n, &rest);
    mcentral_put_rest(mc, &rest);
    return n;
}

void handback_older(struct magazine *m, struct magazine_shape *shape,
                    struct mcentral *mc, size_t n) {
    enum { MANY = 256 };
    if (n > 0 && !shape->no_room)
        n -= store_oldest(m, shape, mc, n);
    if (n > MANY)
        for (turn(m, mc, n); n > 0;) {
            size_t some = min_size(n, MANY);
            n -= handback_some(m, shape, mc, magazine_load(&m->top) - some,
                               some);
        }
    while (n > 0)
        n -= handback_some(m, shape, mc, magazine_load(&m->bottom), n);
}
