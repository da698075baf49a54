// mound_map_tops.h: the eight tophash bytes of a bucket: looking for one, and setting
// them. Not for programs: they use mound_map.h.
#ifndef MOUND_MAP_TOPS_H
#define MOUND_MAP_TOPS_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

MOUND_MAP_INLINE_ unsigned mound_map_tophash_(uint64_t hash) {
    unsigned top = (unsigned)(hash >> 56);
    return top < MOUND_MAP_MIN_TOPHASH ? top + MOUND_MAP_MIN_TOPHASH : top;
}

// The eight tophash bytes of a bucket, and masks of them, a bit for each slot.

#define MOUND_MAP_LOW_ 0x0101010101010101u
#define MOUND_MAP_HIGH_ 0x8080808080808080u
#define MOUND_MAP_ALL_ 0xffu

#ifdef __SSE2__
typedef __m128i mound_map_tops_; // the upper half is zero

MOUND_MAP_INLINE_ mound_map_tops_ mound_map_tops_at_(char *base, size_t i) {
    return _mm_loadl_epi64(
        (const __m128i *)(const void *)mound_map_top_(base, i));
}

// Slots whose byte is top, which is at least 5. Bits above the eight are garbage:
// MOUND_MAP_ALL_ tells whether there is a slot, and the lowest bit is one then.
MOUND_MAP_INLINE_ unsigned mound_map_match_(mound_map_tops_ tops,
                                            unsigned top) {
    __m128i wanted = _mm_cvtsi64_si128((long long)(MOUND_MAP_LOW_ * top));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tops, wanted));
}

// Whether the chain ends in this bucket.
MOUND_MAP_INLINE_ bool mound_map_has_rest_(mound_map_tops_ tops) {
    return ((unsigned)_mm_movemask_epi8(
                _mm_cmpeq_epi8(tops, _mm_setzero_si128())) &
            MOUND_MAP_ALL_) != 0;
}

// Slots that are empty.
MOUND_MAP_INLINE_ unsigned mound_map_empty_(mound_map_tops_ tops) {
    __m128i one = _mm_set1_epi8(MOUND_MAP_EMPTY_ONE);
    __m128i over = _mm_subs_epu8(tops, one);
    return (unsigned)_mm_movemask_epi8(
               _mm_cmpeq_epi8(over, _mm_setzero_si128())) &
           MOUND_MAP_ALL_;
}
#else
typedef uint64_t mound_map_tops_;

MOUND_MAP_INLINE_ mound_map_tops_ mound_map_tops_at_(char *base, size_t i) {
    uint64_t tops;
    memcpy(&tops, mound_map_top_(base, i), sizeof tops);
    return tops;
}

// From the top bit of each byte to a bit for each byte.
MOUND_MAP_INLINE_ unsigned mound_map_gather_(uint64_t high) {
    return (unsigned)((high >> 7) * 0x0102040810204080u >> 56);
}

// It may also name a slot above a true match whose byte is top ^ 1: that is a live
// entry too, as top is at least 5, and its key is compared.
MOUND_MAP_INLINE_ unsigned mound_map_match_(mound_map_tops_ tops,
                                            unsigned top) {
    uint64_t x = tops ^ (MOUND_MAP_LOW_ * top);
    return mound_map_gather_((x - MOUND_MAP_LOW_) & ~x & MOUND_MAP_HIGH_);
}

MOUND_MAP_INLINE_ bool mound_map_has_rest_(mound_map_tops_ tops) {
    return ((tops - MOUND_MAP_LOW_) & ~tops & MOUND_MAP_HIGH_) != 0;
}

MOUND_MAP_INLINE_ unsigned mound_map_empty_(mound_map_tops_ tops) {
    uint64_t x = tops & ~(uint64_t)MOUND_MAP_LOW_;
    uint64_t full = ((x & ~MOUND_MAP_HIGH_) + ~MOUND_MAP_HIGH_) | x;
    return mound_map_gather_(~full & MOUND_MAP_HIGH_);
}
#endif

// The bytes as a word, slot 0 lowest. They are read eight at once, and a read of what
// was just written byte by byte waits for the cache: so they are written as a word.
MOUND_MAP_INLINE_ uint64_t mound_map_word_(char *base, size_t i) {
    uint64_t word;
    memcpy(&word, mound_map_top_(base, i), sizeof word);
    return word;
}

MOUND_MAP_INLINE_ void mound_map_setword_(char *base, size_t i, uint64_t word) {
    memcpy(mound_map_top_(base, i), &word, sizeof word);
}

MOUND_MAP_INLINE_ void mound_map_settop_(char *base, size_t i, unsigned slot,
                                         unsigned top) {
    uint64_t word = mound_map_word_(base, i);
    word &= ~((uint64_t)0xff << 8 * slot);
    mound_map_setword_(base, i, word | (uint64_t)top << 8 * slot);
}

// mound_map_trim_ returns the word with emptyRest in all slots above the last entry.
MOUND_MAP_INLINE_ uint64_t mound_map_trim_(uint64_t word) {
    uint64_t x = word & ~(uint64_t)MOUND_MAP_LOW_;
    uint64_t full =
        (((x & ~MOUND_MAP_HIGH_) + ~MOUND_MAP_HIGH_) | x) & MOUND_MAP_HIGH_;
    // All bytes up to the highest that is full. No branch: whether a deletion empties
    // its bucket cannot be foreseen.
    uint64_t all = ~(uint64_t)0 >> __builtin_clzll(full | 1);
    return word & (all - (full == 0));
}

// Slots that hold an entry or its evacuated mark, that is whose byte is above 1.
MOUND_MAP_INLINE_ unsigned mound_map_full_(mound_map_tops_ tops) {
    return mound_map_empty_(tops) ^ MOUND_MAP_ALL_;
}

MOUND_MAP_INLINE_ unsigned mound_map_slot_(unsigned mask) {
    return (unsigned)__builtin_ctz(mask);
}

#endif
