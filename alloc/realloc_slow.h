// realloc_slow.h: the cold twin of realloc in malloc.c.
#ifndef MOUND_REALLOC_SLOW_H
#define MOUND_REALLOC_SLOW_H

#include "base/compiler.h"

SLOW void *realloc_slow(void *p, size_t size);

#endif // MOUND_REALLOC_SLOW_H
