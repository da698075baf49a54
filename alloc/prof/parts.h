// parts.h: what the RSS of a process is made of, from the figures of a page
// (mound_page.h). Arithmetic of its argument alone: also in the mound command.
#ifndef MOUND_PROF_PARTS_H
#define MOUND_PROF_PARTS_H

#include "base/compiler.h"

struct mound_page;

// struct parts is in bytes, and always
//
//   live + rounding + holes + caches + idle + records + other - absent == rss
//
// If the page says which pages have memory (resident_ns), each part is what has
// memory, untouched is what of live has none, and absent is usually 0. If it
// does not, each part is what mound counts, and absent is how much of that has
// no memory: never touched, or swapped out. other is then a lower bound: mapped
// files and shared memory, and what exceeds everything mound counts.
struct parts {
    uint64_t live;     // objects in use, as requested
    uint64_t rounding; // by how much their slots are larger; 0 if not known
    uint64_t holes;    // free slots of spans in use, in no cache
    uint64_t caches;   // free slots and large objects that threads hold
    uint64_t idle;     // pages in no span
    uint64_t records;  // page map, records of spans, caches, profiles
    uint64_t other;    // not mound's: code, stacks, files, other mappings
    uint64_t absent;
    uint64_t rss;
    uint64_t untouched;  // of live objects, not in live
    bool rounding_known; // of half of the live bytes or more
    bool rss_known;      // else rss is the sum of mound's parts
    bool resident_known;
};

// parts_of computes them from page->stats. The page is a user's file: whatever
// it contains, the sum above holds. Figures are limited to 2^56.
void parts_of(const struct mound_page *page, struct parts *ret);

// Of class c, from 0 to MOUND_PAGE_CLASSES - 1, with the same limits:
//
//   parts_cached   free slots in caches and on their way between threads
//   parts_free     free slots with memory, in no cache
//   parts_waste    both, and rounding as far as it is known
//
// Of large objects (0) rounding alone is known by class.
uint64_t parts_cached(const struct mound_page *page, unsigned c);
uint64_t parts_free(const struct mound_page *page, unsigned c);
uint64_t parts_waste(const struct mound_page *page, unsigned c);

// parts_duration returns how long the process ran, or runs, in nanoseconds; 0: not known.
uint64_t parts_duration(const struct mound_page *page);

#endif // MOUND_PROF_PARTS_H
