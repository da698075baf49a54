// canary.c: see canary.h.
#include "prof/canary.h"

#include <string.h>

#include "base/fastrand.h"

enum {
    FILL = 0xa5,
    MARK_BITS = 48, // below them; the first in memory, where overflows come
};

static uint64_t secret;

void canary_init(uint64_t new_secret) {
    secret = new_secret;
}

static uint64_t canary_of(const void *p, size_t nfilled) {
    uint64_t state = secret ^ (uintptr_t)p ^ (uint64_t)nfilled << MARK_BITS;
    // No byte of it is zero: a NUL that is one byte too far would go unseen.
    uint64_t mark = fastrand(&state) | 0x0101010101010101u;
    return (mark & (((uint64_t)1 << MARK_BITS) - 1)) | nfilled << MARK_BITS;
}

void canary_set(void *p, size_t size, size_t room) {
    char *end = (char *)p + room - CANARY_BYTES;
    size_t nfilled = room - CANARY_BYTES - size;
    uint64_t canary = canary_of(p, nfilled);
    memset((char *)p + size, FILL, nfilled);
    memcpy(end, &canary, sizeof canary);
}

enum canary canary_look(const void *p, size_t room, size_t *ret_size) {
    const unsigned char *end = (const unsigned char *)p + room - CANARY_BYTES;
    uint64_t canary;
    memcpy(&canary, end, sizeof canary);
    size_t nfilled = canary >> MARK_BITS;
    if (canary == 0)
        return CANARY_ZERO;
    if (nfilled > room - CANARY_BYTES || canary != canary_of(p, nfilled))
        return CANARY_BROKEN;
    for (size_t i = 1; i <= nfilled; i++)
        if (end[-(ptrdiff_t)i] != FILL)
            return CANARY_BROKEN;
    *ret_size = room - CANARY_BYTES - nfilled;
    return CANARY_GOOD;
}
