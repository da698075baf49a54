// zerosize.h: objects of no bytes in hardened mode: each is a distinct address that must
// not be accessed. All of them together take 1 MiB of address space, 8 KiB of bits, and
// no memory. Any thread may call these; no locks.
#ifndef MOUND_ZEROSIZE_H
#define MOUND_ZEROSIZE_H

#include "base/compiler.h"

// zerosize_alloc returns an address, aligned to 16, or NULL if none is free.
void *zerosize_alloc(void);

bool zerosize_owns(const void *p);

// zerosize_is_live says whether p was returned and not freed since.
bool zerosize_is_live(const void *p);

// zerosize_free returns false if p is not live. The address is used again after all
// others were.
bool zerosize_free(void *p);

#endif // MOUND_ZEROSIZE_H
