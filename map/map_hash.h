// map_hash.h: the process's hash key, and chance.
#ifndef MAP_HASH_H
#define MAP_HASH_H

#include "mound_map_type.h"
#include "mound_map_hash.h"

// map_hash_start draws the process's hash key, once. Before the first map is made.
void map_hash_start(void);

// map_random returns 64 random bits: keys of the process, one of them renewed after
// fork, the thread's number and a count that it keeps, mixed. A clock would cost more
// than all the rest of making a map.
uint64_t map_random(void);

#endif
