// resident.h: how much memory a heap has resident, page by page from
// /proc/self/pagemap.
#ifndef MOUND_PROF_RESIDENT_H
#define MOUND_PROF_RESIDENT_H

#include "heap/mheap.h"

// struct resident is in bytes that have memory. What is swapped out has none.
struct resident {
    uint64_t small;          // of spans of size classes
    uint64_t large;          // of spans of large objects, in use or in a cache
    uint64_t idle;           // of pages in no span, kept ones included
    uint64_t absent_records; // without memory: of the metadata of arenas and of
                             // persistent.pieces
};

// resident_read is exact while no thread allocates, else off by the calls in
// progress. It returns false if /proc cannot be read. It takes mheap.lock for
// some microseconds at a time, allocates nothing and opens one file. Cost: 3 ms
// for each GiB of address space that the heap has ever used.
bool resident_read(struct mheap *h, struct resident *ret);

#endif // MOUND_PROF_RESIDENT_H
