// mound_map_hmap.h: the map's header, its arrays, and how a bucket is found in
// them. Not for programs: they use mound_map.h.
//
// The names and the arithmetic are those of Go 1.19's runtime/map.go. A hash's low
// B bits choose one of 2^B base buckets of 8 slots; its top 8 bits, the tophash,
// stand in the bucket, a byte a slot. A bucket that is full chains to an overflow
// bucket. Growth installs an array of twice the buckets (or as many, when there are
// too many overflow buckets) and each write moves two old buckets.
//
// The layout is not Go's. What a miss reads is kept apart from keys and elements,
// and links are numbers of buckets, not addresses: eight tophash bytes are one
// word, eight buckets' words are one cache line.
//
//        lower addresses                              higher addresses
//   ... link[1] link[0] | ... filter[0] | ... top[1] top[0] | data[0] data[1] ...
//                                                           ^
//                                                           a block's base
//
//   top[i]     8 bytes: the tophash of each slot of bucket i
//   filter[i]  a byte: a bit for each key in the overflow buckets of base bucket i
//   link[i]    4 bytes: number of the bucket that follows i in its chain, 0: none
//   data[i]    8 keys and 8 elements, in groups: see below
//
// The filter says that a key is not in the chain beyond its base bucket, whose bit
// tophash >> 5 it would have set there. At Go's load a quarter of the buckets are full,
// which no branch foretells; with the filter one miss in thirty walks a chain. It is a
// byte in an array of its own, so that hits do not load it, and a miss reads
// nine bytes a bucket: of 10^6 entries that is the L2 cache's share of 2.3 MB.
//
// One block holds the base buckets 0 .. 2^B-1 and, from B = 4 on, 2^(B-4) spare
// overflow buckets with the numbers after them. Further overflow buckets come in
// blocks of 2^(B-6), at least one, and go on with the numbers; these have no filters. An
// array of B = 0 has neither links nor filters: nine entries make it grow, so its bucket
// never overflows.
//
// Invariants (mound_map_verify checks them):
// - A tophash byte is empty, or that of a live entry; in old arrays also one of the
//   evacuated marks.
// - A filter has the bits of the live entries in its chain's overflow buckets and no
//   other: put sets a bit, delete makes the byte anew from the chain's tophash bytes.
//   So a filter of 0 says that all entries of the chain are in the base bucket.
// - While growing, bucket i of the new array (and i + 2^oldB when it doubled) is
//   uninitialised memory until old bucket i is evacuated: evacuation writes its
//   tophash word, filter and link first. So no array is ever cleared, and a new array's
//   pages are touched one by one.
// - Elements of empty slots are garbage; put zeroes a new slot's element.
//
// Outgrown arrays. An iterator walks the array that was the map's when it began,
// and the one before, if that was being evacuated then. The map counts its
// iterators by the array they began with. When a growth ends, the old array is freed,
// or waits as a struct mound_map_old until those that may look at it have ended:
//   niterators of the old array itself, and
//   nsuccessor: iterators that began while it was being evacuated. At the end of
//               a growth that is every iterator of the new array, as the new array
//               was born when the growth began.
// Entries of a waiting array are stale copies; an iterator looks their keys up. A key
// with memory of its own (without MOUND_MAP_KEY_PLAIN) that is deleted or replaced is
// found there too and marked, as the memory may be gone when an iterator reads it. So
// that a deletion is bounded, of such maps MOUND_MAP_WAITING_MAX arrays wait, besides
// the newest two; iterators over older ones have ended, and what they left, unless
// they are ended, stays until clear or free.
//
// A count of iterators has 1 for each, and MOUND_MAP_PINNED more for one of foreach,
// which always ends, and may do so after the map was freed: the header waits for it.
#ifndef MOUND_MAP_HMAP_H
#define MOUND_MAP_HMAP_H

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mound_map needs a little-endian machine"
#endif

enum {
    MOUND_MAP_SLOTS = 8,   // Go's bucketCnt
    MOUND_MAP_B_MAX = 30,  // numbers of buckets have 32 bits
    MOUND_MAP_SPARE_B = 4, // from this B on there are spare overflow buckets
    MOUND_MAP_SPARE_SHIFT = 4, // one for each 16 base buckets
    MOUND_MAP_CHUNK_SHIFT = 6, // further ones by the 64th of the base buckets
    MOUND_MAP_LINE = 64,       // alignment of data from MOUND_MAP_SPARE_B on
};

// Values of a tophash byte, Go's, but that its emptyRest and emptyOne are one.
enum {
    MOUND_MAP_EMPTY = 0,
    MOUND_MAP_EVACUATED_X = 2,
    MOUND_MAP_EVACUATED_Y = 3,
    MOUND_MAP_EVACUATED_EMPTY = 4,
    MOUND_MAP_MIN_TOPHASH = 5,
};

// Bits of mound_map.flags_. The first four are Go's; an iterator sets the first two
// with an atomic instruction, all else is written by the one writer.
enum {
    MOUND_MAP_ITERATOR = 1,     // there may be an iterator over buckets
    MOUND_MAP_OLD_ITERATOR = 2, // there may be an iterator over oldbuckets
    MOUND_MAP_WRITING = 4,      // a write is under way
    MOUND_MAP_SAME_SIZE = 8,    // this growth does not double
    MOUND_MAP_GROWING = 16,     // oldbuckets is not NULL
    MOUND_MAP_OUTGROWN = 32,    // writes have to see to outgrown arrays
    MOUND_MAP_FIRST_LENT = 64,  // the bucket of B = 0 is the caller's memory
    MOUND_MAP_FREED = 128,      // the map was freed, the header is still here
    MOUND_MAP_GO_FLAGS = 15,
};

enum {
    MOUND_MAP_PINNED = 1 << 16, // in a count of iterators: one of foreach
    MOUND_MAP_WAITING_MAX = 64, // arrays that a deleted key is looked for in
};

// struct mound_map is Go's hmap, field by field, but that nevacuate left half of
// its word to the count of iterators. 48 bytes.
struct mound_map {
    size_t count_;
    uint8_t flags_;
    uint8_t B_;
    uint16_t noverflow_;
    uint32_t hash0_;
    char *buckets_;    // base of the array's block; NULL: B is 0, no put yet
    char *oldbuckets_; // the array being left, or NULL
    uint32_t nevacuate_;
    uint32_t niterators_; // begun with buckets_ and not ended; atomic
    struct mound_map_extra *extra_;
};

// struct mound_map_overflow knows the overflow buckets of one array.
struct mound_map_overflow {
    uint32_t next_;    // number of the next unused one; 0: none was used
    uint32_t nchunks_; // blocks after the array's own
    union {
        char *one_;   // base of the only block, with nchunks 1
        char **many_; // bases, with nchunks above 1
    } u_;
};

// struct mound_map_old is an array that was outgrown: the first of the list is
// oldbuckets while the map is growing, the others wait for iterators to end, or to
// be freed bit by bit.
struct mound_map_old {
    struct mound_map_old *next_;
    char *buckets_;
    struct mound_map_overflow overflow_;
    uint32_t niterators_; // that walk this array; atomic
    uint32_t nsuccessor_; // that walk the next one and look into this; atomic
    size_t npopulated_;   // what of the next array was made ready: old_populate
    uint32_t nreleased_; // base buckets whose data was given back while growing
    uint32_t nsteps_;    // of what frees it bit by bit afterwards
    uint32_t serial_;    // arrays that were outgrown before it
    uint8_t B_;
    bool lent_;
    bool kept_; // malloc will hand it out again: nothing of it is given back
};

// struct mound_map_extra is there when there is an overflow bucket beside the
// spare ones or an outgrown array.
struct mound_map_extra {
    struct mound_map_overflow overflow_;
    struct mound_map_old *old_;  // being evacuated, or waiting
    struct mound_map_old *gone_; // waited for by nobody: freed bit by bit
    struct mound_map_old *dead_; // waited for by iterators that have ended
    uint32_t noutgrown_;         // arrays outgrown so far
    uint32_t nended_;   // iterators over arrays below this serial have ended
    uint32_t nlost_;    // iterators that a clear left; as niterators, atomic
    uint32_t clearseq_; // counts what ended all iterators at once
    uint32_t lock_;     // atomic: taken by the iterator that frees an array
};

MOUND_MAP_STATIC_ASSERT_(sizeof(struct mound_map) == 48, "as Go's hmap");

// A bucket's data is one group of 8 keys, then 8 elements; or two of 4 and 4, or four
// of 2 and 2, where that puts a group into one cache line, so that a hit in a large
// map misses the cache once for key and element together. Keys and elements are
// arrays of their own all the same: nothing is padded between them, and where a
// smaller group would have to be padded at its end, it is not taken.
MOUND_MAP_INLINE_ unsigned mound_map_group_(const struct mound_map_type *t) {
    size_t key = mound_map_keyslot_(t), elem = mound_map_elemslot_(t);
    for (unsigned n = MOUND_MAP_SLOTS; n > 1; n /= 2) {
        // Alignments are powers of two.
        if ((n * key & (mound_map_elemalign_(t) - 1)) != 0 ||
            (n * (key + elem) & (mound_map_dataalign_(t) - 1)) != 0)
            break;
        if (n * (key + elem) <= MOUND_MAP_LINE)
            return n;
    }
    return MOUND_MAP_SLOTS;
}

// Where the elements begin in a group, how long it is, and how much data a bucket
// has.
MOUND_MAP_INLINE_ size_t mound_map_elemoffset_(const struct mound_map_type *t) {
    return mound_map_round_(mound_map_group_(t) * mound_map_keyslot_(t),
                            mound_map_elemalign_(t));
}

MOUND_MAP_INLINE_ size_t mound_map_groupsize_(const struct mound_map_type *t) {
    return mound_map_round_(mound_map_elemoffset_(t) +
                                mound_map_group_(t) * mound_map_elemslot_(t),
                            mound_map_dataalign_(t));
}

MOUND_MAP_INLINE_ size_t mound_map_datasize_(const struct mound_map_type *t) {
    return mound_map_groupsize_(t)
           << (3 - __builtin_ctz(mound_map_group_(t))); // times 8 / group
}

// Buckets in an array's own block.
MOUND_MAP_INLINE_ size_t mound_map_nbuckets_(unsigned B) {
    size_t n = (size_t)1 << B;
    return B >= MOUND_MAP_SPARE_B ? n + (n >> MOUND_MAP_SPARE_SHIFT) : n;
}

MOUND_MAP_INLINE_ unsigned mound_map_chunkshift_(unsigned B) {
    return B > MOUND_MAP_CHUNK_SHIFT ? B - MOUND_MAP_CHUNK_SHIFT : 0;
}

// A bucket is named by its block's base and its index there.

MOUND_MAP_INLINE_ uint8_t *mound_map_top_(char *base, size_t i) {
    return (uint8_t *)base + MOUND_MAP_SLOTS * (ptrdiff_t)~i; // -8 * (i + 1)
}

// The filter of base bucket i in an array of 2^B buckets, B above 0. It begins where the
// tophash bytes of 9/8 as many buckets would end, which are never so many.
MOUND_MAP_INLINE_ uint8_t *mound_map_filter_(char *base, unsigned B, size_t i) {
    ptrdiff_t minus_n = -(ptrdiff_t)((size_t)1 << B);
    return (uint8_t *)base + (MOUND_MAP_SLOTS + 1) * minus_n + (ptrdiff_t)~i;
}

// Bytes of a block's tophash bytes and filters: of the array's own block (above B = 0),
// and of one of further overflow buckets.
MOUND_MAP_INLINE_ size_t mound_map_tops_size_(unsigned B, bool own) {
    return own ? (size_t)(MOUND_MAP_SLOTS + 2) << B
               : (size_t)MOUND_MAP_SLOTS << mound_map_chunkshift_(B);
}

// The link of bucket i in a block of an array of 2^B.
MOUND_MAP_INLINE_ uint32_t *mound_map_link_(char *base, size_t i, unsigned B,
                                            bool own) {
    return (uint32_t *)(void *)(base - mound_map_tops_size_(B, own) -
                                sizeof(uint32_t) * (i + 1));
}

// The slots themselves, as they are in the bucket's data. Before a slot's key are
// the keys of all slots before it, and the elements of all groups before its own.
MOUND_MAP_INLINE_ char *mound_map_keyplace_(const struct mound_map_type *t,
                                            char *base, size_t i, size_t slot) {
    return base + i * mound_map_datasize_(t) + slot * mound_map_keyslot_(t) +
           (slot & -(size_t)mound_map_group_(t) & (MOUND_MAP_SLOTS - 1)) *
               mound_map_elemslot_(t);
}

MOUND_MAP_INLINE_ char *mound_map_elemplace_(const struct mound_map_type *t,
                                             char *base, size_t i,
                                             size_t slot) {
    return base + i * mound_map_datasize_(t) + mound_map_elemoffset_(t) +
           slot * mound_map_elemslot_(t) +
           (slot & -(size_t)mound_map_group_(t) & (MOUND_MAP_SLOTS - 1)) *
               mound_map_keyslot_(t);
}

// The key and the element, wherever they are.
MOUND_MAP_INLINE_ void *mound_map_keyat_(const struct mound_map_type *t,
                                         char *base, size_t i, size_t slot) {
    char *p = mound_map_keyplace_(t, base, i, slot);
    if (!mound_map_key_apart_(t))
        return p;
    void *apart;
    memcpy(&apart, p, sizeof apart);
    return apart;
}

MOUND_MAP_INLINE_ void *mound_map_elemat_(const struct mound_map_type *t,
                                          char *base, size_t i, size_t slot) {
    char *p = mound_map_elemplace_(t, base, i, slot);
    if (!mound_map_elem_apart_(t))
        return p;
    void *apart;
    memcpy(&apart, p, sizeof apart);
    return apart;
}

MOUND_MAP_INLINE_ bool mound_map_is_evacuated_(char *base, size_t i) {
    uint8_t top = *mound_map_top_(base, i);
    return top > MOUND_MAP_EMPTY && top < MOUND_MAP_MIN_TOPHASH;
}

// mound_map_follow_ steps from bucket *base, *index of an array to the next of its
// chain; false: it was the last.
MOUND_MAP_INLINE_ bool
mound_map_follow_(const struct mound_map_overflow *overflow, char *array,
                  unsigned B, char **base, size_t *index) {
    if (B == 0)
        return false;
    size_t n = mound_map_nbuckets_(B);
    unsigned shift = mound_map_chunkshift_(B);
    uint32_t number = *mound_map_link_(*base, *index, B, *base == array);
    if (number == 0)
        return false;
    if (number < n) {
        *base = array;
        *index = number;
        return true;
    }
    size_t chunk = (number - n) >> shift;
    *base =
        overflow->nchunks_ == 1 ? overflow->u_.one_ : overflow->u_.many_[chunk];
    *index = (number - n) & (((size_t)1 << shift) - 1);
    return true;
}

// Load. Go's overLoadFactor: 13 entries for each two buckets, 8 in one.
MOUND_MAP_INLINE_ bool mound_map_overload_(size_t count, unsigned B) {
    return count > MOUND_MAP_SLOTS && count > ((size_t)13 << B) / 2;
}

MOUND_MAP_INLINE_ bool mound_map_too_many_overflow_(unsigned noverflow,
                                                    unsigned B) {
    return (noverflow >> B | noverflow >> 15) != 0; // 2^B, or 2^15 at most
}

// Readers of flags run beside iterators that set two of its bits.
MOUND_MAP_INLINE_ unsigned mound_map_flags_(const struct mound_map *m) {
    return __atomic_load_n(&m->flags_, __ATOMIC_RELAXED);
}

MOUND_MAP_INLINE_ void mound_map_setflags_(struct mound_map *m,
                                           unsigned flags) {
    __atomic_store_n(&m->flags_, (uint8_t)flags, __ATOMIC_RELAXED);
}

// Bytes of a first bucket: tophash bytes, keys, elements, and what alignment may
// put between them.
#define mound_map_first_size_(key_size, elem_size)                             \
    (3 * MOUND_MAP_ALIGN_MAX +                                                 \
     MOUND_MAP_SLOTS *                                                         \
         (MOUND_MAP_SLOT_SIZE_(key_size) + MOUND_MAP_SLOT_SIZE_(elem_size)))

#endif
