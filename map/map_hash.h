// map_hash.h: the process's hash key, and chance.
#ifndef MAP_HASH_H
#define MAP_HASH_H

#include "mound_map.h"

// map_hash_start draws the process's hash key, once. Before the first map is made.
void map_hash_start(void);

// map_seed returns a seed for the map m, another than its last. It is a secret, not a
// surprise: mixed from the process's key, the address and the last seed, as a clock
// costs more than the rest of making a map.
uint32_t map_seed(const void *m, uint32_t last);

// map_random returns 64 random bits. It has no state: the key, a clock and the
// caller's address are mixed.
uint64_t map_random(const void *address);

#endif
