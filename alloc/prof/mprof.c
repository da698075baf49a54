// mprof.c: see mprof.h.
#include "prof/mprof.h"

#include <string.h>

#include "base/bits.h"
#include "prof/sample.h"

// struct key identifies a bucket.
struct key {
    uint64_t hash;
    size_t size;
    uint64_t rate;
    const uintptr_t *pcs;
    uint64_t images_hash;
    uint32_t npcs;
};

// mix spreads every bit of h over all of it: the end of MurmurHash3.
static uint64_t mix(uint64_t h) {
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

static struct key key_of(size_t size, uint64_t rate, uint64_t images_hash,
                         const uintptr_t *pcs, uint32_t npcs) {
    uint64_t h = mix(size + ((uint64_t)npcs << 48)) + rate;
    for (uint32_t i = 0; i < npcs; i++) {
        // The shift brings the high bits down: a product carries only upwards.
        h = (h ^ pcs[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    return (struct key){mix(h ^ images_hash), size, rate, pcs,
                        images_hash,          npcs};
}

// image_number returns the number of the image that pc is in, which may be new.
static uint16_t image_number(struct mprof *mp, struct image_finder *f,
                             uintptr_t pc, bool locked) {
    enum image_found found = images_find(&mp->images, f, pc);
    if (found == IMAGE_NEW) {
        if (!locked)
            mutex_lock(&mp->lock);
        images_add_locked(&mp->images, f, pc, mp->persistent, &mp->sys_bytes);
        if (!locked)
            mutex_unlock(&mp->lock);
        found = images_find(&mp->images, f, pc);
    }
    return found == IMAGE_KNOWN ? f->image->number : 0;
}

// hash_images returns 0 if all numbers are. Kept out of line, for its stack.
static NOINLINE uint64_t hash_images(struct mprof *mp, const uintptr_t *pcs,
                                     uint32_t npcs) {
    struct image_finder f = {.image = NULL};
    uint64_t h = 0;
    for (uint32_t i = 0; i < npcs; i++) {
        uint16_t number = image_number(mp, &f, pcs[i], false);
        if (number != 0)
            h = mix(h ^ ((uint64_t)i << 16 | number));
    }
    return h;
}

static NOINLINE void put_images(struct mprof *mp, const struct key *key,
                                uint16_t *ret_images) {
    struct image_finder f = {.image = NULL};
    for (uint32_t i = 0; i < key->npcs; i++)
        ret_images[i] = image_number(mp, &f, key->pcs[i], true);
}

static bool is_bucket_of(const struct mbucket *b, const struct key *key) {
    if (b->hash != key->hash || b->size != key->size || b->rate != key->rate ||
        b->npcs != key->npcs || b->images_hash != key->images_hash)
        return false;
    for (uint32_t i = 0; i < key->npcs; i++)
        if (b->pcs[i] != key->pcs[i])
            return false;
    return true;
}

static struct mbucket *find(const struct mprof *mp, const struct key *key) {
    // acquire: sees the chains all empty; partner: release in chain_locked
    struct mbucket *_Atomic *chains =
        atomic_load_explicit(&mp->chains, memory_order_acquire);
    if (chains == NULL)
        return NULL;
    // acquire: sees the bucket filled in; partner: release in add_locked. It
    // covers what follows in the chain too, which was there before.
    struct mbucket *b = atomic_load_explicit(&chains[key->hash % MPROF_CHAINS],
                                             memory_order_acquire);
    while (b != NULL && !is_bucket_of(b, key))
        b = atomic_load_explicit(&b->next, memory_order_relaxed);
    return b;
}

// chain_locked returns the head of the chain of a hash, or NULL when there are
// no chains yet and no memory for them.
static struct mbucket *_Atomic *chain_locked(struct mprof *mp, uint64_t hash) {
    // relaxed: written under this lock only
    struct mbucket *_Atomic *chains =
        atomic_load_explicit(&mp->chains, memory_order_relaxed);
    if (chains == NULL) {
        chains = persistentalloc(mp->persistent, MPROF_CHAINS * sizeof *chains,
                                 sizeof *chains, &mp->sys_bytes);
        if (chains == NULL)
            return NULL;
        // release: partner is the acquire in find
        atomic_store_explicit(&mp->chains, chains, memory_order_release);
    }
    return &chains[hash % MPROF_CHAINS];
}

static struct mbucket *add_locked(struct mprof *mp, const struct key *key) {
    mutex_assert_held(&mp->lock);
    struct mbucket *_Atomic *chain = chain_locked(mp, key->hash);
    if (chain == NULL)
        return NULL;
    size_t pcs_bytes = key->npcs * sizeof(uintptr_t);
    size_t images_bytes =
        key->images_hash == 0 ? 0 : key->npcs * sizeof(uint16_t);
    struct mbucket *b =
        persistentalloc(mp->persistent, sizeof *b + pcs_bytes + images_bytes,
                        _Alignof(struct mbucket), &mp->sys_bytes);
    if (b == NULL)
        return NULL;
    b->hash = key->hash;
    b->size = key->size;
    b->rate = key->rate;
    b->npcs = key->npcs;
    if (pcs_bytes > 0)
        memcpy(b->pcs, key->pcs, pcs_bytes);
    b->images_hash = key->images_hash;
    if (images_bytes > 0)
        put_images(mp, key, (uint16_t *)(b->pcs + key->npcs));
    // relaxed: chains, newest and nbuckets are written under this lock only
    b->older = atomic_load_explicit(&mp->newest, memory_order_relaxed);
    atomic_store_explicit(&b->next,
                          atomic_load_explicit(chain, memory_order_relaxed),
                          memory_order_relaxed);
    uint32_t n = atomic_load_explicit(&mp->nbuckets, memory_order_relaxed);
    // release: partners are the acquires in find and mprof_newest
    atomic_store_explicit(chain, b, memory_order_release);
    atomic_store_explicit(&mp->newest, b, memory_order_release);
    atomic_store_explicit(&mp->nbuckets, n + 1, memory_order_relaxed);
    return b;
}

void mprof_init(struct mprof *mp, struct persistent *persistent) {
    mutex_init(&mp->lock, LOCKRANK_MPROF);
    mp->persistent = persistent;
}

struct mbucket *mprof_bucket(struct mprof *mp, size_t size,
                             const uintptr_t *pcs, unsigned npcs) {
    // Size 0 is for stacks of frees, which are not counted.
    uint64_t rate =
        size == 0 ? 0 : atomic_load_explicit(&mp->rate, memory_order_relaxed);
    uint32_t n = (uint32_t)min_size(npcs, UNWIND_MAX);
    uint64_t images_hash = size == 0 ? 0 : hash_images(mp, pcs, n);
    struct key key = key_of(size, rate, images_hash, pcs, n);
    struct mbucket *b = find(mp, &key);
    if (b != NULL)
        return b;
    mutex_lock(&mp->lock);
    if (atomic_load_explicit(&mp->nbuckets, memory_order_relaxed) >=
        MPROF_BUCKETS_MAX)
        key = key_of(size, rate, 0, NULL, 0);
    b = find(mp, &key); // again: another thread may have been faster
    if (b == NULL)
        b = add_locked(mp, &key);
    mutex_unlock(&mp->lock);
    return b;
}

uint64_t mprof_scale(uint64_t n, size_t size, uint64_t rate) {
    if (n == 0 || size == 0)
        return 0;
    if (rate <= 1)
        return n;
    double there_were = (double)n * (1 / sample_chance(size, rate));
    // What readers take is signed.
    return there_were < (double)INT64_MAX ? (uint64_t)there_were : INT64_MAX;
}
