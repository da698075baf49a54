// swiss.c: mound's Swiss map, as mound_swiss.h declares it.
#include "driver.h"

#include <mound_swiss.h>

#define MAP(KIND) MOUND_SWISS_##KIND
#define foreach mound_swiss_foreach

#include "mound.h"
