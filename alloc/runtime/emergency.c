// emergency.c: see emergency.h. The store is 1 MiB of zeroed static memory, none of
// which is touched until it is needed: four kinds of slots, 64 of each of the two
// smaller kinds.
#include "runtime/emergency.h"

#include <stdatomic.h>

#include "base/bits.h"
#include "runtime/runtime.h"

enum {
    NKINDS = 4,
    SLOTS = 64,
    STORE_ALIGN = 4096,
    DEFER_BYTES = 512,
    DEFER_SLOTS = DEFER_BYTES / sizeof(void *) - 1,
};

// struct kind: slot i of a kind is in use when bit i is set.
static struct {
    const uint32_t slot_bytes;
    const uint32_t nslots;
    const uint32_t offset; // in store
    _Atomic uint64_t used;
} kinds[NKINDS] = {
    {512, SLOTS, 0, 0},
    {4096, SLOTS, 512 * SLOTS, 0},
    {16384, 16, (512 + 4096) * SLOTS, 0},
    {65536, 8, (512 + 4096) * SLOTS + 16384 * 16, 0},
};
enum { STORE_BYTES = (512 + 4096) * SLOTS + 16384 * 16 + 65536 * 8 };
static char store[STORE_BYTES] __attribute__((aligned(STORE_ALIGN)));

static AT_START void (*free_one)(void *);

COLD void emergency_init(void (*free_deferred)(void *p)) {
    free_one = free_deferred;
}

void *emergency_alloc(size_t size, size_t align) {
    if (align > STORE_ALIGN)
        return NULL;
    for (int k = 0; k < NKINDS; k++) {
        if (kinds[k].slot_bytes < size || kinds[k].slot_bytes % align != 0)
            continue;
        uint64_t all = word_range(0, kinds[k].nslots);
        uint64_t used =
            atomic_load_explicit(&kinds[k].used, memory_order_relaxed);
        while ((used & all) != all) {
            unsigned slot = (unsigned)__builtin_ctzl(~used);
            // acquire: what the last owner did in the slot is over; partner:
            // release in emergency_free
            if (!atomic_compare_exchange_weak_explicit(
                    &kinds[k].used, &used, used | (uint64_t)1 << slot,
                    memory_order_acquire, memory_order_relaxed))
                continue;
            runtime_count(&mound_stats.emergency_mallocs, 1);
            runtime_count(&mound_stats.emergency_bytes, kinds[k].slot_bytes);
            runtime_count(&mound_stats.emergency_total_bytes,
                          kinds[k].slot_bytes);
            return store + kinds[k].offset + slot * kinds[k].slot_bytes;
        }
    }
    return NULL;
}

bool emergency_owns(const void *p) {
    return (uintptr_t)p - (uintptr_t)store < STORE_BYTES;
}

static int kind_of(const void *p) {
    uintptr_t offset = (uintptr_t)p - (uintptr_t)store;
    int k = NKINDS - 1;
    while (offset < kinds[k].offset)
        k--;
    return k;
}

bool emergency_free(void *p) {
    int k = kind_of(p);
    uintptr_t offset = (uintptr_t)p - (uintptr_t)store - kinds[k].offset;
    if (offset % kinds[k].slot_bytes != 0)
        return false;
    uint64_t bit = (uint64_t)1 << (offset / kinds[k].slot_bytes);
    // release: partner in emergency_alloc
    if (!(atomic_fetch_and_explicit(&kinds[k].used, ~bit,
                                    memory_order_release) &
          bit))
        return false;
    runtime_count(&mound_stats.emergency_frees, 1);
    runtime_count(&mound_stats.emergency_bytes,
                  (uint64_t)0 - kinds[k].slot_bytes);
    return true;
}

size_t emergency_usable_size(const void *p) {
    return kinds[kind_of(p)].slot_bytes;
}

void *emergency_slot(void) {
    return store;
}

// A list is a block of pointers: [0] leads to the next block, the rest are
// filled from [1] on, NULL behind the last.
void **emergency_defer(void **list, void *p) {
    if (list != NULL)
        for (int i = 1; i <= DEFER_SLOTS; i++)
            if (list[i] == NULL) {
                list[i] = p;
                return list;
            }
    void **block = emergency_alloc(DEFER_BYTES, sizeof(void *));
    if (block == NULL)
        return list; // p is leaked: all counters see a live object
    for (int i = 1; i <= DEFER_SLOTS; i++)
        block[i] = NULL;
    block[0] = list;
    block[1] = p;
    return block;
}

void emergency_free_deferred(void **list) {
    while (list != NULL) {
        void **next = list[0];
        for (int i = 1; i <= DEFER_SLOTS && list[i] != NULL; i++)
            free_one(list[i]);
        emergency_free(list);
        list = next;
    }
}
