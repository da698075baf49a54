// mound_swiss_table.h: the header of a Swiss map, its directory and tables, and how a
// group is found in them. Not for programs: they use mound_swiss.h.
//
// A map is a directory of tables, as in Go 1.24 (internal/runtime/maps): the top bits of
// a hash choose a table, further bits a group of 15 slots in it, its low 8 bits, the tag,
// stand in the group's metadata. A table that is full and small is replaced by one of
// twice the groups; one of MOUND_SWISS_GROUPS_MAX groups splits in two, and the directory
// doubles when it has no entry of its own for each. So no write moves more than one table.
//
// The groups are not Go's. Go has 8 slots to a group, a tag of 7 bits, and tombstones for
// deleted entries. Here a group is what 16 bytes of metadata describe, as in boost's
// unordered_flat_map: 15 tags and a byte of overflow bits. An entry whose home
// group is full is put into the next group with room, and sets a bit, chosen by its hash,
// in each full group before that one. A search ends in the first group without its
// bit, full or not. So deletion leaves no tombstone, and the branch whether a search goes
// on is nearly always predicted. Overflow bits are never cleared one by one; a table that
// has too many of them is tidied.
//
//   block    slots, last group first | header of 32 bytes | metadata, first group first
//                             ^ the table's base: the last slot, which is the first group's first
//   group g  metadata at base + size + 32 + 16 * g: 15 tags, overflow bits
//            slot s at base - size * (15 * g + s), key and element beside each other
//
// The metadata, all that a miss reads, is dense; a hit reads one more cache line. In large
// tables the header replaces the last slots of the last group, so that a table of 8-byte
// keys and elements has a power of two of bytes.
//
// Invariants (mound_swiss_verify checks them):
// - An entry of home group h is in h, or in a group after it in the order of search, and
//   all groups before have the entry's overflow bit.
// - Each table with depth d has 2^(D - d) entries in a directory of depth D, in a row;
//   they stand for the hashes whose first d bits are those of its prefix.
// - Elements of empty slots are garbage; put zeroes a new slot's element.
// - room_ is seven eighths of a table's slots, or all of a single group's, less its
//   entries. A put that finds none left replaces the table. Out of memory, it takes a free
//   slot all the same: room_ is below 0 then.
//
// Iterators. One that walks a table has pinned it. A pinned table is never changed in
// place but by put and delete: growth copies it, and it waits in the map's list old_. A
// write on the slow path, shrink and evacuate free waiting tables that are not pinned;
// clear and free free all. The entries of a waiting table are stale copies; the iterator
// looks their keys up. An iterator goes from table to table by prefix: tables split, but
// their borders stay. A key with memory of its own (without
// MOUND_MAP_KEY_PLAIN) that is deleted or replaced is found in the waiting tables too, as
// the memory may be gone when the iterator reads it. So that a deletion is bounded, it
// searches only the newest MOUND_SWISS_WAITING_MAX of them; iterators over older ones end.
#ifndef MOUND_SWISS_TABLE_H
#define MOUND_SWISS_TABLE_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    MOUND_SWISS_SLOTS = 15,       // of a group
    MOUND_SWISS_GROUP = 16,       // bytes of a group's metadata
    MOUND_SWISS_FIRST = 8,        // slots of the first table
    MOUND_SWISS_GROUPS_MAX = 128, // of a table that splits
    MOUND_SWISS_SPARE_GROUPS = 4, // from here on the header replaces slots
    MOUND_SWISS_WAITING_MAX = 64, // tables in which a deleted key is searched
};

// Values of a tag.
enum {
    MOUND_SWISS_EMPTY = 0,
    MOUND_SWISS_NO_SLOT = 1, // where the group has none
    MOUND_SWISS_MIN_TAG = 2,
};

// Bits of mound_swiss.flags_.
enum {
    MOUND_SWISS_WRITING = 1,
    MOUND_SWISS_FREED = 2, // the map was freed, the header is still here
};

enum { MOUND_SWISS_SHIFT_MAX = 63 }; // of a directory of two entries or one

// Bits of mound_swiss_table.flags_.
enum {
    MOUND_SWISS_LENT = 1,  // the memory is the caller's
    MOUND_SWISS_STALE = 2, // another table replaced it
    MOUND_SWISS_ENDED = 4, // iterators over it have ended
};

struct mound_swiss_table {
    struct mound_swiss_table *next_; // of those that wait
    uint64_t prefix_; // the first depth bits of its hashes, then zeros
    uint32_t npins_;  // iterators that are in it; atomic
    int32_t room_;    // entries that it may have beside those it has
    uint32_t budget_; // entries to be put away from home before the next look
    uint8_t ngroups_log2_;
    uint8_t depth_;
    uint8_t nslots_; // of the only group of small tables
    uint8_t flags_;
};

// An entry of the directory.
struct mound_swiss_ref_ {
    char *base;
    uint64_t mask;
};

// The directory has two arrays. A search of the home group reads near_, which has bases
// only, 8 bytes each: that saves a shift and an addition on the way from the hash to the
// tags. It holds for tables of one mask, one_.mask: that of the only table, or of tables
// that split. For a table of another mask, which is rare, near_ holds the base of
// table_far, whose overflow bits are all set: the search takes the slow path, which reads
// dir_ (16 bytes each, with the mask), as all other code does.
//
// A directory of depth 0 is in the header: dir_ is one_, and near_ is twin_ and one_.base,
// which are equal.
struct mound_swiss {
    size_t count_;
    struct mound_swiss_ref_ *dir_;
    char **near_;
    uint32_t hash0_;
    uint32_t epoch_;    // counts tables that were replaced, and reseeding
    uint32_t clearseq_; // counts what ended all iterators at once
    uint16_t npinned_;  // loops of foreach that the header waits for; atomic
    // Separate bytes: a write stores flags_ and loads shift_, and a load of a byte
    // just stored would wait for the store.
    uint8_t flags_;
    uint8_t shift_; // of a hash to the right, to its entry in the directory
    char *twin_;
    struct mound_swiss_ref_ one_;
    struct mound_swiss_table *old_; // replaced, waiting for iterators
};

MOUND_MAP_STATIC_ASSERT_(sizeof(struct mound_swiss_table) == 32,
                         "a multiple of the metadata's alignment");
MOUND_MAP_STATIC_ASSERT_(sizeof(struct mound_swiss) == 72, "nine words");
MOUND_MAP_STATIC_ASSERT_(offsetof(struct mound_swiss, twin_) + sizeof(char *) ==
                             offsetof(struct mound_swiss, one_),
                         "near_ is both");

// get loads flags without a barrier, so that a compiler may load them once for a loop of
// lookups. Writers detect concurrent writes.
MOUND_MAP_INLINE_ unsigned mound_swiss_flags_(const struct mound_swiss *m) {
    return __atomic_load_n(&m->flags_, __ATOMIC_RELAXED);
}

MOUND_MAP_INLINE_ void mound_swiss_setflags_(struct mound_swiss *m,
                                             unsigned flags) {
    __atomic_store_n(&m->flags_, (uint8_t)flags, __ATOMIC_RELAXED);
}

// Where the element is in a slot, and how long that is.

MOUND_MAP_INLINE_ size_t
mound_swiss_elemoffset_(const struct mound_map_type *t) {
    return mound_map_round_(mound_map_keyslot_(t), mound_map_elemalign_(t));
}

MOUND_MAP_INLINE_ size_t mound_swiss_slotsize_(const struct mound_map_type *t) {
    return mound_map_round_(mound_swiss_elemoffset_(t) + mound_map_elemslot_(t),
                            mound_map_dataalign_(t));
}

MOUND_MAP_INLINE_ struct mound_swiss_table *
mound_swiss_table_(const struct mound_map_type *t, char *base) {
    return (struct mound_swiss_table *)(void *)(base +
                                                mound_swiss_slotsize_(t));
}

// A group is named by its offset, 16 times its number.

MOUND_MAP_INLINE_ uint8_t *mound_swiss_group_(const struct mound_map_type *t,
                                              char *base, uint64_t offset) {
    return (uint8_t *)base + offset + mound_swiss_slotsize_(t) +
           sizeof(struct mound_swiss_table);
}

// Slot 0 of a group is at base - size * 15 * group, in the fewest instructions, because
// each lookup executes them: 15 times the group is the offset (16 times) less the group.
MOUND_MAP_INLINE_ char *mound_swiss_first_(const struct mound_map_type *t,
                                           char *base, uint64_t offset) {
    size_t size = mound_swiss_slotsize_(t);
    size_t unit = (size & -size) | (size == 0);
    if (unit > MOUND_SWISS_GROUP)
        unit = MOUND_SWISS_GROUP;
    return base +
           (ptrdiff_t)(offset / (MOUND_SWISS_GROUP / unit) * (size / unit) -
                       offset * size);
}

MOUND_MAP_INLINE_ char *mound_swiss_fetch_(const struct mound_map_type *t,
                                           char *base, uint64_t offset) {
    char *first = mound_swiss_first_(t, base, offset);
    __builtin_prefetch(first);
    return first;
}

MOUND_MAP_INLINE_ char *mound_swiss_nth_(const struct mound_map_type *t,
                                         char *first, unsigned slot) {
    return first - (unsigned)mound_swiss_slotsize_(t) * slot;
}

MOUND_MAP_INLINE_ char *mound_swiss_slot_(const struct mound_map_type *t,
                                          char *base, uint64_t offset,
                                          unsigned slot) {
    return mound_swiss_nth_(t, mound_swiss_first_(t, base, offset), slot);
}

// The key and the element of a slot, wherever they are.
MOUND_MAP_INLINE_ void *mound_swiss_key_(const struct mound_map_type *t,
                                         char *place) {
    if (!mound_map_key_apart_(t))
        return place;
    void *apart;
    memcpy(&apart, place, sizeof apart);
    return apart;
}

MOUND_MAP_INLINE_ void *mound_swiss_elem_(const struct mound_map_type *t,
                                          char *place) {
    place += mound_swiss_elemoffset_(t);
    if (!mound_map_elem_apart_(t))
        return place;
    void *apart;
    memcpy(&apart, place, sizeof apart);
    return apart;
}

// The parts of a hash: tag 8 bits, from the 8th on the group, from the top the table.

#ifdef __cplusplus
extern "C" {
#endif
// mound_swiss_tags_of_ has the tag of each low byte, in each byte of a word.
MOUND_MAP_API extern const uint32_t mound_swiss_tags_of_[256];
// The 16 bytes from here[16 * slot] on are zero but for the slot's.
MOUND_MAP_API extern const uint8_t
    mound_swiss_here_[MOUND_SWISS_SLOTS * MOUND_SWISS_GROUP];
#ifdef __cplusplus
}
#endif

MOUND_MAP_INLINE_ unsigned mound_swiss_tag_(uint64_t hash) {
    return (uint8_t)mound_swiss_tags_of_[hash & 0xff];
}

MOUND_MAP_INLINE_ unsigned mound_swiss_bit_(uint64_t hash) {
    return 1u << (hash & 7);
}

MOUND_MAP_INLINE_ uint64_t mound_swiss_home_(uint64_t hash, uint64_t mask) {
    return hash >> 4 & mask;
}

MOUND_MAP_INLINE_ struct mound_swiss_ref_ *
mound_swiss_ref_of_(const struct mound_swiss *m, uint64_t hash) {
    return m->dir_ + (m->dir_ == &m->one_
                          ? 0
                          : hash >> (m->shift_ & MOUND_SWISS_SHIFT_MAX));
}

// mound_swiss_near_of_ is mound_swiss_ref_of_, or a table that sends searches there.
MOUND_MAP_INLINE_ struct mound_swiss_ref_
mound_swiss_near_of_(const struct mound_swiss *m, uint64_t hash) {
    struct mound_swiss_ref_ ref;
    ref.base = m->near_[hash >> (m->shift_ & MOUND_SWISS_SHIFT_MAX)];
    ref.mask = m->one_.mask;
    return ref;
}

// Steps of a search double their distance's growth by one group each: all groups of a
// power of two are visited.
MOUND_MAP_INLINE_ uint64_t mound_swiss_next_group_(uint64_t offset,
                                                   uint64_t *step,
                                                   uint64_t mask) {
    *step += MOUND_SWISS_GROUP;
    return (offset + *step) & mask;
}

// A group's 15 tags, and masks of them, a bit for each slot. Bit 15 of a match is
// garbage: MOUND_SWISS_ALL_ tells whether there is a slot, and the lowest bit is one then.

#define MOUND_SWISS_ALL_ 0x7fffu

#ifdef __SSE2__
typedef __m128i mound_swiss_tags_;

MOUND_MAP_INLINE_ mound_swiss_tags_ mound_swiss_tags_at_(const uint8_t *group) {
    return _mm_load_si128((const __m128i *)(const void *)group);
}

MOUND_MAP_INLINE_ unsigned mound_swiss_match_(mound_swiss_tags_ tags,
                                              uint64_t hash) {
    __m128i wanted = _mm_shuffle_epi32(
        _mm_cvtsi32_si128((int)mound_swiss_tags_of_[hash & 0xff]), 0);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, wanted));
}

MOUND_MAP_INLINE_ __m128i mound_swiss_here_at_(unsigned slot) {
    return _mm_load_si128(
        (const __m128i *)(const void *)(mound_swiss_here_ +
                                        (unsigned)MOUND_SWISS_GROUP * slot));
}

// mound_swiss_fill_tag_ and mound_swiss_empty_tag_ change one tag, of a group whose tags
// are given: they write all of them. They are read all at once, and a read of what was
// just written byte by byte waits for the cache.
MOUND_MAP_INLINE_ void mound_swiss_fill_tag_(uint8_t *group,
                                             mound_swiss_tags_ tags,
                                             unsigned slot, uint64_t hash) {
    __m128i here = mound_swiss_here_at_(slot);
    __m128i tag = _mm_shuffle_epi32(
        _mm_cvtsi32_si128((int)mound_swiss_tags_of_[hash & 0xff]), 0);
    _mm_store_si128((__m128i *)(void *)group,
                    _mm_or_si128(tags, _mm_and_si128(here, tag)));
}

MOUND_MAP_INLINE_ void
mound_swiss_empty_tag_(uint8_t *group, mound_swiss_tags_ tags, unsigned slot) {
    __m128i here = mound_swiss_here_at_(slot);
    _mm_store_si128((__m128i *)(void *)group, _mm_andnot_si128(here, tags));
}

MOUND_MAP_INLINE_ unsigned mound_swiss_empty_(mound_swiss_tags_ tags) {
    return (unsigned)_mm_movemask_epi8(
               _mm_cmpeq_epi8(tags, _mm_setzero_si128())) &
           MOUND_SWISS_ALL_;
}

MOUND_MAP_INLINE_ unsigned mound_swiss_full_(mound_swiss_tags_ tags) {
    __m128i none = _mm_set1_epi8(MOUND_SWISS_NO_SLOT);
    return ~(unsigned)_mm_movemask_epi8(
               _mm_cmpeq_epi8(_mm_min_epu8(tags, none), tags)) &
           MOUND_SWISS_ALL_;
}
#else
typedef struct {
    uint64_t low, high;
} mound_swiss_tags_;

MOUND_MAP_INLINE_ mound_swiss_tags_ mound_swiss_tags_at_(const uint8_t *group) {
    mound_swiss_tags_ tags;
    memcpy(&tags, group, sizeof tags);
    return tags;
}

MOUND_MAP_INLINE_ void mound_swiss_fill_tag_(uint8_t *group,
                                             mound_swiss_tags_ tags,
                                             unsigned slot, uint64_t hash) {
    (void)tags;
    group[slot] = (uint8_t)mound_swiss_tag_(hash);
}

MOUND_MAP_INLINE_ void
mound_swiss_empty_tag_(uint8_t *group, mound_swiss_tags_ tags, unsigned slot) {
    (void)tags;
    group[slot] = MOUND_SWISS_EMPTY;
}

#define MOUND_SWISS_LOW_ 0x0101010101010101u
#define MOUND_SWISS_HIGH_ 0x8080808080808080u

// A bit for each byte of x that is zero.
MOUND_MAP_INLINE_ unsigned mound_swiss_zeros_(uint64_t x) {
    uint64_t high = ~(((x & ~MOUND_SWISS_HIGH_) + ~MOUND_SWISS_HIGH_) | x) &
                    MOUND_SWISS_HIGH_;
    return (unsigned)((high >> 7) * 0x0102040810204080u >> 56);
}

MOUND_MAP_INLINE_ unsigned mound_swiss_match_(mound_swiss_tags_ tags,
                                              uint64_t hash) {
    uint64_t wanted = MOUND_SWISS_LOW_ * mound_swiss_tag_(hash);
    return mound_swiss_zeros_(tags.low ^ wanted) |
           mound_swiss_zeros_(tags.high ^ wanted) << 8;
}

MOUND_MAP_INLINE_ unsigned mound_swiss_empty_(mound_swiss_tags_ tags) {
    return (mound_swiss_zeros_(tags.low) | mound_swiss_zeros_(tags.high) << 8) &
           MOUND_SWISS_ALL_;
}

MOUND_MAP_INLINE_ unsigned mound_swiss_full_(mound_swiss_tags_ tags) {
    uint64_t ones = ~(uint64_t)MOUND_SWISS_LOW_;
    return ~(mound_swiss_zeros_(tags.low & ones) |
             mound_swiss_zeros_(tags.high & ones) << 8) &
           MOUND_SWISS_ALL_;
}
#endif

MOUND_MAP_INLINE_ unsigned mound_swiss_overflow_(const uint8_t *group) {
    // Not from the tags that were read before: compilers would store all of those in the
    // stack, in every search, to read this byte there.
    __asm__("" : "+r"(group));
    return group[MOUND_SWISS_SLOTS];
}

// mound_swiss_each_match_ is a loop over the slots of a group whose tag is the hash's, and
// their places. The first slot's line is fetched while the tags are still on their way, as
// its address needs no more than the hash.
#define mound_swiss_each_match_(slot, place, t, base, offset, tags, hash)      \
    for (unsigned slot = 0,                                                    \
                  match_ = mound_swiss_match_(tags, hash) & MOUND_SWISS_ALL_;  \
         match_ != 0; match_ = 0)                                              \
        for (char *first_ = mound_swiss_fetch_(t, base, offset), *place;       \
             match_ != 0 && (slot = (unsigned)__builtin_ctz(match_),           \
                            place = mound_swiss_nth_(t, first_, slot), true);  \
             match_ &= match_ - 1)

// Bytes of the caller's memory for a first table.
#define mound_swiss_first_size_(key_size, elem_size)                           \
    (3 * MOUND_MAP_ALIGN_MAX +                                                 \
     MOUND_SWISS_FIRST *                                                       \
         (MOUND_MAP_SLOT_SIZE_(key_size) + MOUND_MAP_SLOT_SIZE_(elem_size) +   \
          MOUND_MAP_ALIGN_MAX))

#endif
