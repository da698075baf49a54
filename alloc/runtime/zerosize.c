// zerosize.c: see zerosize.h.
#include "runtime/zerosize.h"

#include <stdatomic.h>

#include "base/bits.h"
#include "os/mem.h"
#include "runtime/runtime.h"

enum {
    SLOT_BYTES = 16,
    SLOTS = 1 << 16,
    TRIES = 4096, // if none succeeds, nearly all slots are live
};
static const size_t ALIGN = 64 << 10; // the largest page size of any system
#define NBYTES ((size_t)SLOTS * SLOT_BYTES)

static _Atomic uintptr_t start; // 0: not reserved yet
static _Atomic uint64_t used[SLOTS / WORD_BITS];
static _Atomic uint32_t next_slot;

static uintptr_t region(void) {
    // acquire: partner in reserve
    return atomic_load_explicit(&start, memory_order_acquire);
}

static uintptr_t reserve(void) {
    uintptr_t none = 0;
    uintptr_t addr = mem_reserve(0, NBYTES, ALIGN);
    if (addr == 0)
        return 0;
    if (atomic_compare_exchange_strong_explicit(
            &start, &none, addr, memory_order_release, memory_order_acquire))
        return addr;
    mem_unreserve(addr, NBYTES); // another thread was first
    return none;
}

void *zerosize_alloc(void) {
    uintptr_t addr = region();
    if (addr == 0 && (addr = reserve()) == 0)
        return NULL;
    for (int i = 0; i < TRIES; i++) {
        uint32_t slot =
            atomic_fetch_add_explicit(&next_slot, 1, memory_order_relaxed) %
            SLOTS;
        _Atomic uint64_t *word = &used[slot / WORD_BITS];
        uint64_t bit = (uint64_t)1 << slot % WORD_BITS;
        if (!(atomic_fetch_or_explicit(word, bit, memory_order_relaxed) &
              bit)) {
            // Counted where other blocks without a class are.
            runtime_count(&mound_stats.emergency_mallocs, 1);
            return (void *)(addr + (uintptr_t)slot * SLOT_BYTES);
        }
    }
    return NULL;
}

bool zerosize_owns(const void *p) {
    uintptr_t addr = region();
    return addr != 0 && (uintptr_t)p - addr < NBYTES;
}

static _Atomic uint64_t *word_of(const void *p, uint64_t *ret_bit) {
    uintptr_t slot = ((uintptr_t)p - region()) / SLOT_BYTES;
    *ret_bit = (uint64_t)1 << slot % WORD_BITS;
    return &used[slot / WORD_BITS];
}

bool zerosize_is_live(const void *p) {
    uint64_t bit;
    _Atomic uint64_t *word = word_of(p, &bit);
    return (uintptr_t)p % SLOT_BYTES == 0 &&
           (atomic_load_explicit(word, memory_order_relaxed) & bit) != 0;
}

bool zerosize_free(void *p) {
    uint64_t bit;
    _Atomic uint64_t *word = word_of(p, &bit);
    if ((uintptr_t)p % SLOT_BYTES != 0 ||
        !(atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed) & bit))
        return false;
    runtime_count(&mound_stats.emergency_frees, 1);
    return true;
}
