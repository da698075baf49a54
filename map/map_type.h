// map_type.h: whether a type can be, and what it is told of misuse. For the maps.
#ifndef MAP_TYPE_H
#define MAP_TYPE_H

#include "mound_map_type.h"

// map_type_valid: whether sizes, alignments and functions are as mound_map_make says.
bool map_type_valid(const struct mound_map_type *t);

// map_type_misuse says that a map is misused, and ends the program, unless the type has
// a function for that, which may return.
void map_type_misuse(const struct mound_map_type *t, const char *message);

#endif
