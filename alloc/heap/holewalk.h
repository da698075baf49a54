// holewalk.h: the state of the walks over holes. Part of struct mheap; see
// holes.h.
#ifndef MOUND_HEAP_HOLEWALK_H
#define MOUND_HEAP_HOLEWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mspan;

enum {
    HOLES_SPANS = 64,  // held at once
    HOLES_RANGES = 32, // released in one batch
};

// struct holes belongs to the one thread that walks (holes.h). All zero: no walk.
struct holes {
    bool off; // constant
    // Of the trading walk: where it continues, and what it released.
    uintptr_t trade_at;
    size_t trade_bytes;
    uintptr_t at;      // where the walk continues; 0: no walk
    uint64_t begin_ns; // when it began
    uint64_t slack;    // bytes of free slots on pages with memory, then
    size_t nwarm;      // spans with holes that it skipped
    size_t nbytes;     // bytes it released
    unsigned nvain;    // walks in a row that gave back next to nothing
    struct held {
        struct mspan *span;
        uint32_t holes;
    } held[HOLES_SPANS];
    unsigned nheld;
    struct holes_range {
        uintptr_t addr;
        size_t nbytes;
        bool tried;
        bool gone;
    } ranges[HOLES_RANGES];
    unsigned nranges;
};

#endif // MOUND_HEAP_HOLEWALK_H
