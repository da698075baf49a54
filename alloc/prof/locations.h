// locations.h: the return addresses of a profile, numbered from 1 in order of
// first use: a hash table with linear probing in memory of its own, which is
// given back.
#ifndef MOUND_PROF_LOCATIONS_H
#define MOUND_PROF_LOCATIONS_H

#include "base/compiler.h"

// struct location is an address in an image: see images.h.
struct location {
    uintptr_t pc;
    uint16_t image;
};

// struct locations: all zero is an empty one.
struct locations {
    struct location *all; // by number - 1; room for half as many as slots
    uint32_t *slots;      // numbers; 0 is empty
    size_t nslots;        // a power of two, or 0
    uint32_t n;
};

// locations_add numbers l unless it has a number; false without memory.
bool locations_add(struct locations *ls, struct location l);

// locations_number returns the number of l, which was added.
uint32_t locations_number(const struct locations *ls, struct location l);
void locations_free(struct locations *ls);

#endif // MOUND_PROF_LOCATIONS_H
