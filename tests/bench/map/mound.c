// mound.c: mound's classic map, as mound_map.h declares it.
#include "driver.h"

#include <mound_map.h>

#define MAP(KIND) MOUND_MAP_##KIND
#define foreach mound_map_foreach

#include "mound.h"
