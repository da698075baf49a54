// residency.h: estimates how much of the large objects' memory was touched.
//
// The kernel's time to release a range shows it: some hundred nanoseconds for
// each 4 KiB page with memory, nearly none for others.
//   AMD EPYC (Zen 5), virtual, Linux 6.18, ticks of 0.4 ns for a page, MADV_DONTNEED of
//   256 KiB to 4 MiB: all touched 510 to 1 040, one in 16 44 to 243, none 1 to 26
#ifndef MOUND_HEAP_RESIDENCY_H
#define MOUND_HEAP_RESIDENCY_H

#include "base/bits.h"
#include "heap/pagemap.h"
#include "os/sys.h"

// struct residency is the last 16 measured ranges, the newest in the lowest bit
// (1: most of it had memory), and how many pages had memory, halved every
// second.
struct residency {
    uint16_t samples;
    uint64_t there_pages;
    uint64_t ticks; // when those were halved last, about
};

// residency_pages returns how many pages lately had memory, halved every
// second.
static inline uint64_t residency_pages(const struct residency *r,
                                       uint64_t now) {
    enum { HALF_LIFE_STEPS = 64 }; // of SYS_TICKS_STEP: about a second
    uint64_t halves =
        (now - r->ticks) / (HALF_LIFE_STEPS * (uint64_t)SYS_TICKS_STEP);
    return halves < WORD_BITS ? r->there_pages >> halves : 0;
}

// residency_note adds a range of npages, of large objects and without huge
// pages, whose release took that many ticks and ended now. Short ranges are
// ignored.
static inline void residency_note(struct residency *r, size_t npages,
                                  uint64_t ticks, uint64_t now) {
    enum {
        LEAST_PAGES = (512 << 10) / PAGE_SIZE,
        THERE_LOG2 =
            17, // SYS_TICKS_STEP >> this is too long for a page not there
    };
    uint64_t os_pages = (npages << PAGE_SHIFT) / sys_page_size();
    if (npages < LEAST_PAGES)
        return;
    bool there = ticks > os_pages * ((uint64_t)SYS_TICKS_STEP >> THERE_LOG2);
    r->samples = (uint16_t)(r->samples << 1 | there);
    uint64_t pages = residency_pages(r, now);
    if (pages != r->there_pages || pages == 0)
        r->ticks = now;
    r->there_pages = pages + (there ? npages : 0);
}

// residency_is_high says whether at least 12 of the last 16 ranges had memory.
static inline bool residency_is_high(const struct residency *r) {
    return __builtin_popcount(r->samples) >= 12;
}

#endif // MOUND_HEAP_RESIDENCY_H
