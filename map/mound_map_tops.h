// mound_map_tops.h: the eight tophash bytes of a bucket: looking for one, and setting
// them. Not for programs: they use mound_map.h.
#ifndef MOUND_MAP_TOPS_H
#define MOUND_MAP_TOPS_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

MOUND_MAP_INLINE_ unsigned mound_map_tophash_(uint64_t hash) {
    unsigned top = (unsigned)(hash >> 56);
    // As Go does: its lowest bit chooses where an irreflexive key goes.
    return top < MOUND_MAP_MIN_TOPHASH ? top + MOUND_MAP_MIN_TOPHASH : top;
}

// A key's bit in a filter, by its tophash and by its hash: it is of the bits that
// mound_map_tophash_ leaves as they are.
MOUND_MAP_INLINE_ unsigned mound_map_filterbit_(unsigned top) {
    return 1u << (top >> 5);
}

MOUND_MAP_INLINE_ bool mound_map_filtered_(uint8_t filter, uint64_t hash) {
    return (filter >> (hash >> 61) & 1) != 0;
}

// The eight tophash bytes of a bucket, and masks of them, a bit for each slot.

#define MOUND_MAP_LOW_ 0x0101010101010101u
#define MOUND_MAP_HIGH_ 0x8080808080808080u
#define MOUND_MAP_ALL_ 0xffu

// mound_map_live_ returns a byte of 1 for each that is not 0, and mound_map_gather_ a bit
// for each byte of 1.
MOUND_MAP_INLINE_ uint64_t mound_map_live_(uint64_t word) {
    uint64_t high = ((word & ~MOUND_MAP_HIGH_) + ~MOUND_MAP_HIGH_) | word;
    return high >> 7 & MOUND_MAP_LOW_;
}

MOUND_MAP_INLINE_ unsigned mound_map_gather_(uint64_t ones) {
    return (unsigned)(ones * 0x0102040810204080u >> 56);
}

#ifdef __SSE2__
typedef __m128i mound_map_tops_; // the upper half is zero

MOUND_MAP_INLINE_ mound_map_tops_ mound_map_tops_at_(char *base, size_t i) {
    return _mm_loadl_epi64(
        (const __m128i *)(const void *)mound_map_top_(base, i));
}

// Slots whose byte is the tophash of hash. Bits above the eight are garbage:
// MOUND_MAP_ALL_ tells whether there is a slot, and the lowest bit is one then.
MOUND_MAP_INLINE_ unsigned mound_map_match_(mound_map_tops_ tops,
                                            uint64_t hash) {
    __m128i wanted = _mm_cvtsi64_si128((long long)hash);
    wanted = _mm_unpacklo_epi8(wanted, wanted);
    wanted = _mm_unpackhi_epi16(wanted, wanted);
    wanted = _mm_shuffle_epi32(wanted, _MM_SHUFFLE(3, 3, 3, 3));
    __m128i low = _mm_cmpeq_epi8(
        _mm_min_epu8(wanted, _mm_set1_epi8(MOUND_MAP_MIN_TOPHASH - 1)), wanted);
    wanted = _mm_add_epi8(
        wanted, _mm_and_si128(low, _mm_set1_epi8(MOUND_MAP_MIN_TOPHASH)));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tops, wanted));
}

// Slots that are empty.
MOUND_MAP_INLINE_ unsigned mound_map_empty_(mound_map_tops_ tops) {
    return (unsigned)_mm_movemask_epi8(
               _mm_cmpeq_epi8(tops, _mm_setzero_si128())) &
           MOUND_MAP_ALL_;
}
#else
typedef uint64_t mound_map_tops_;

MOUND_MAP_INLINE_ mound_map_tops_ mound_map_tops_at_(char *base, size_t i) {
    uint64_t tops;
    memcpy(&tops, mound_map_top_(base, i), sizeof tops);
    return tops;
}

// It may also name a slot above a true match whose byte is top ^ 1: that is a live
// entry too, as top is at least 5, and its key is compared.
MOUND_MAP_INLINE_ unsigned mound_map_match_(mound_map_tops_ tops,
                                            uint64_t hash) {
    unsigned top = mound_map_tophash_(hash);
    uint64_t x = tops ^ (MOUND_MAP_LOW_ * top);
    return mound_map_gather_(((x - MOUND_MAP_LOW_) & ~x) >> 7 & MOUND_MAP_LOW_);
}

MOUND_MAP_INLINE_ unsigned mound_map_empty_(mound_map_tops_ tops) {
    return mound_map_gather_(mound_map_live_(tops) ^ MOUND_MAP_LOW_);
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

// mound_map_addtop_ is mound_map_settop_ of an empty slot.
MOUND_MAP_INLINE_ void mound_map_addtop_(char *base, size_t i, unsigned slot,
                                         unsigned top) {
    uint64_t word = mound_map_word_(base, i);
    mound_map_setword_(base, i, word | (uint64_t)top << 8 * slot);
}

// Slots that hold an entry or its evacuated mark.
MOUND_MAP_INLINE_ unsigned mound_map_full_(mound_map_tops_ tops) {
    return mound_map_empty_(tops) ^ MOUND_MAP_ALL_;
}

// mound_map_full_of_eight_ is mound_map_full_ of eight buckets, of the first in the lowest
// bits. In memory the last comes first.
MOUND_MAP_INLINE_ uint64_t mound_map_full_of_eight_(char *base, size_t first) {
    uint64_t full = 0;
#ifdef __SSE2__
    const uint8_t *p = mound_map_top_(base, first + MOUND_MAP_SLOTS - 1);
    MOUND_MAP_UNROLL_
    for (unsigned i = 0; i < 4; i++) {
        __m128i two =
            _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        unsigned empty = (unsigned)_mm_movemask_epi8(
            _mm_cmpeq_epi8(two, _mm_setzero_si128()));
        full |= (uint64_t)empty << 16 * i;
    }
    return __builtin_bswap64(~full);
#else
    for (unsigned i = 0; i < MOUND_MAP_SLOTS; i++)
        full |= (uint64_t)mound_map_full_(mound_map_tops_at_(base, first + i))
                << MOUND_MAP_SLOTS * i;
    return full;
#endif
}

MOUND_MAP_INLINE_ unsigned mound_map_slot_(unsigned mask) {
    return (unsigned)__builtin_ctz(mask);
}

#endif
