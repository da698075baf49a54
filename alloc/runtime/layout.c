// layout.c: see layout.h. Entries have no pointers, which each start would have to
// relocate; the process itself does not read them.
#include "runtime/layout.h"

#include "heap/mcache.h"
#include "mound.h"
#include "runtime/mode.h"
#include "runtime/runtime.h"

// Defined here so that a program that links an archive contains this file.
EXPORT struct heapstats mound_stats;

#define STRUCT(s)                                                              \
    { #s, 0, sizeof(struct s) }
#define MEMBER(s, member)                                                      \
    {                                                                          \
#s "." #member, offsetof(struct s, member),                            \
            sizeof(((struct s *)0)->member)                                    \
    }
#define CONSTANT(name)                                                         \
    { #name, name, 0 }

EXPORT const struct mound_layout mound_layout = {
    .magic = MOUND_LAYOUT_MAGIC,
    .version = MOUND_LAYOUT_VERSION,
    .library = MOUND_VERSION_MAJOR * 10000 + MOUND_VERSION_MINOR * 100 +
               MOUND_VERSION_PATCH,
    .entries = {
        // Counters.
        STRUCT(heapstats),
        MEMBER(heapstats, magic),
        MEMBER(heapstats, version),
        MEMBER(heapstats, nbytes),
        MEMBER(heapstats, nclasses),
        MEMBER(heapstats, page_bytes),
        MEMBER(heapstats, caches_head),
        MEMBER(heapstats, classes),
        MEMBER(heapstats, large),
        MEMBER(heapstats, inuse_pages),
        MEMBER(heapstats, sys_pages),
        MEMBER(heapstats, free_pages),
        MEMBER(heapstats, released_pages),
        MEMBER(heapstats, emergency_mallocs),
        MEMBER(heapstats, emergency_frees),
        MEMBER(heapstats, emergency_bytes),
        MEMBER(heapstats, emergency_total_bytes),
        MEMBER(heapstats, sampled),
        MEMBER(heapstats, norphans),
        STRUCT(classstats),
        MEMBER(classstats, elemsize),
        MEMBER(classstats, nslots),
        MEMBER(classstats, nfree),
        MEMBER(classstats, ntransfer),
        MEMBER(classstats, nretired),
        MEMBER(classstats, nspans),
        MEMBER(classstats, hole_bytes),
        STRUCT(largestats),
        MEMBER(largestats, nmallocs),
        MEMBER(largestats, nfrees),
        MEMBER(largestats, alloc_bytes),
        MEMBER(largestats, total_alloc_bytes),
        // Caches of threads: a ring of links. The last norphans are of threads that are
        // not in this process.
        STRUCT(mcache),
        MEMBER(mcache, magazines),
        MEMBER(mcache, link),
        MEMBER(mcache, owner),
        MEMBER(mcache, cap_bytes),
        MEMBER(mcache, large.nhits),
        MEMBER(mcache, large.hit_bytes),
        MEMBER(mcache, large.nheld),
        MEMBER(mcache, large.held_bytes),
        STRUCT(magazine),
        MEMBER(magazine, top),
        MEMBER(magazine, bottom),
        MEMBER(magazine, count),
        MEMBER(list, next),
        MEMBER(list, prev),
        // The heap. Records are persistent.sys_bytes + pages.arena_bytes.
        STRUCT(mheap),
        MEMBER(mheap, sampled),
        MEMBER(mheap, release_refused),
        MEMBER(mheap, persistent.sys_bytes),
        MEMBER(mheap, persistent.npieces),
        MEMBER(mheap, persistent.pieces),
        MEMBER(mheap, pages.arenas),
        MEMBER(mheap, pages.narenas),
        MEMBER(mheap, pages.nfree),
        MEMBER(mheap, pages.nbacked),
        MEMBER(mheap, pages.sys_bytes),
        MEMBER(mheap, pages.arena_bytes),
        MEMBER(mheap, small_spans.sys_bytes),
        MEMBER(mheap, large_spans.sys_bytes),
        MEMBER(mheap, caches.sys_bytes),
        MEMBER(mheap, slotarray_sys),
        MEMBER(mheap, other_sys),
        MEMBER(mheap, reserved_next),
        MEMBER(mheap, reserved_end),
        MEMBER(mheap, reserved_low),
        MEMBER(mheap, half_life_ns),
        MEMBER(mheap, memlimit.pages),
        MEMBER(mheap, memlimit.nexceeded),
        MEMBER(mheap, nstalls),
        MEMBER(mheap, kept_pages),
        MEMBER(mheap, first_pages.n),
        MEMBER(mheap, peak_pages),
        MEMBER(mheap, helper.tid),
        STRUCT(persistent_piece),
        MEMBER(persistent_piece, begin),
        MEMBER(persistent_piece, nbytes),
        // From an address to its span: pages.arenas is an array of pages.narenas pointers to
        // arenas, by address; base is the address of the first page.
        STRUCT(arena),
        MEMBER(arena, class_of_page),
        MEMBER(arena, span_of_page),
        MEMBER(arena, chunks),
        MEMBER(arena, base),
        STRUCT(mspan),
        MEMBER(mspan, start),
        MEMBER(mspan, npages),
        MEMBER(mspan, state),
        MEMBER(mspan, sizeclass),
        MEMBER(mspan, nelems),
        MEMBER(mspan, nfree),
        MEMBER(mspan, elemsize),
        {"mspan.freebits", offsetof(struct mspan, freebits), 0},
        CONSTANT(PAGE_SHIFT),
        CONSTANT(ADDR_BITS),
        CONSTANT(ARENA_SHIFT),
        CONSTANT(CHUNK_PAGES),
        CONSTANT(NUM_SIZECLASSES),
        CONSTANT(MSPAN_DEAD),
        CONSTANT(MSPAN_SMALL),
        CONSTANT(MSPAN_LARGE),
        CONSTANT(MSPAN_KEPT),
        CONSTANT(RUNTIME_ALONE),
        CONSTANT(RUNTIME_BEHIND),
        CONSTANT(RUNTIME_UNCALLED),
        CONSTANT(RUNTIME_PASSIVE),
        {"", 0, 0},
    }};
