// holewalk.h: how far the walks over holes have come, and what is in their hands. Part
// of struct mheap; holes.h says what they do.
#ifndef MOUND_HEAP_HOLEWALK_H
#define MOUND_HEAP_HOLEWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mspan;

enum {
    HOLES_SPANS = 64,  // in hands at once
    HOLES_RANGES = 32, // released in one batch
};

// struct holes belongs to the one thread that walks (holes.h). All zero: no walk.
struct holes {
    bool off; // constant
    // Of the walk that trades: where it goes on, and what it gave back.
    uintptr_t trade_at;
    size_t trade_bytes;
    uintptr_t at;      // where the walk goes on; 0: there is none
    uint64_t begin_ns; // when it began
    uint64_t slack;    // bytes of free slots on pages with memory, then
    size_t nwarm;      // spans with holes that it left out
    size_t nbytes;     // what it gave back
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
