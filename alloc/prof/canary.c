// canary.c: see canary.h.
#include "prof/canary.h"

#include <string.h>

#include "base/bits.h"
#include "base/fastrand.h"

enum {
    FILL = 0xa5,
    FILLED_SHIFT =
        48,         // of the end: bytes filled; below it the mark, which comes
                    // first in memory, as overflows do
    SIZE_BITS = 40, // of the head: size; above it a check
    WORD = sizeof(uint64_t),
};
static const uint64_t MARK = ((uint64_t)1 << FILLED_SHIFT) - 1;
// No byte of a mark is zero: otherwise a NUL written one byte too far would go
// unseen.
static const uint64_t NO_ZERO = 0x0101010101010101;

enum state { LIVE = 1, FREED = 2 };
enum kind { KIND_STREAM, KIND_CHECK, KIND_FRONT, KIND_END };

static AT_START uint64_t secret;

COLD void canary_init(uint64_t new_secret) {
    secret = new_secret;
}

// struct place is a place for an object, and a secret number derived from it.
struct place {
    char *base;
    size_t room;
    size_t front;
    uint64_t hash;
};

static struct place place_at(void *base, size_t room, size_t front) {
    uint64_t state = secret ^ (uintptr_t)base ^ (uint64_t)front << FILLED_SHIFT;
    return (struct place){base, room, front, fastrand(&state)};
}

static uint64_t mix(const struct place *at, enum kind kind, uint64_t value) {
    uint64_t x = at->hash ^ (value << 2 | kind) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 32) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 29;
}

static uint64_t load(const char *p) {
    return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE);
}

static uint64_t head_of(const struct place *at, size_t size, enum state state) {
    uint64_t check = mix(at, KIND_CHECK, (uint64_t)size << 2 | state);
    uint64_t word = size | check >> SIZE_BITS << SIZE_BITS;
    return word ^ mix(at, KIND_STREAM, 0);
}

static uint64_t front_of(const struct place *at) {
    return mix(at, KIND_FRONT, 0) | NO_ZERO;
}

// hiding is what the number of filled bytes is hidden by.
static uint64_t hiding(const struct place *at) {
    static const uint64_t FEW = (uint64_t)0x0180 << FILLED_SHIFT;
    return (mix(at, KIND_STREAM, 1) & ~MARK) | FEW; // not zero for few bytes
}

static uint64_t end_of(const struct place *at, size_t nfilled,
                       enum state state) {
    uint64_t mark = mix(at, KIND_END, (uint64_t)nfilled << 2 | state) | NO_ZERO;
    return (mark & MARK) | ((uint64_t)nfilled << FILLED_SHIFT ^ hiding(at));
}

static char *object_of(const struct place *at) {
    return at->base + at->front;
}

static char *end_at(const struct place *at) {
    return at->base + at->room - CANARY_END_BYTES;
}

// size_most returns the largest size of an object in that place.
static size_t size_most(const struct place *at) {
    return at->room - at->front - CANARY_END_BYTES;
}

void *canary_set(void *base, size_t room, size_t front, size_t size) {
    const struct place at = place_at(base, room, front);
    char *p = object_of(&at);
    size_t nfilled = size_most(&at) - size;
    uint64_t end = end_of(&at, nfilled, LIVE);
    memset(p + size, FILL, nfilled);
    __atomic_store_n((uint64_t *)end_at(&at), end, __ATOMIC_RELEASE);
    if (front > 0) {
        uint64_t before = front_of(&at);
        memcpy(p - WORD, &before, sizeof before);
        // release: a reader that sees the head sees the rest; partner in load
        __atomic_store_n((uint64_t *)(p - CANARY_HEAD_BYTES),
                         head_of(&at, size, LIVE), __ATOMIC_RELEASE);
    }
    return p;
}

// written_behind returns how far after the end of an object of size bytes
// something was written: 0 if nothing.
static size_t written_behind(const struct place *at, size_t size) {
    const unsigned char *behind = (unsigned char *)object_of(at) + size;
    size_t nfilled = size_most(at) - size;
    uint64_t want = end_of(at, nfilled, LIVE);
    uint64_t got = load(end_at(at));
    if (want != got)
        return nfilled + WORD - (size_t)__builtin_clzll(want ^ got) / 8;
    while (nfilled > 0 && behind[nfilled - 1] == FILL)
        nfilled--;
    return nfilled;
}

// written_before returns how far before its beginning.
static size_t written_before(const struct place *at, size_t size) {
    uint64_t want = head_of(at, size, LIVE);
    uint64_t got = load(object_of(at) - CANARY_HEAD_BYTES);
    if (want != got)
        return 2 * WORD - (size_t)__builtin_ctzll(want ^ got) / 8;
    want = front_of(at);
    got = load(object_of(at) - WORD);
    return want != got ? WORD - (size_t)__builtin_ctzll(want ^ got) / 8 : 0;
}

static bool may_be(const struct place *at) {
    return at->front + CANARY_END_BYTES <= at->room &&
           (at->front == 0 ||
            (is_pow2(at->front) && at->front >= CANARY_HEAD_BYTES &&
             at->front <= CANARY_FRONT_MAX));
}

// size_by_head returns the size in the head, and the state; 0 if the head is
// invalid.
static enum state size_by_head(const struct place *at, size_t *ret_size) {
    uint64_t head = load(object_of(at) - CANARY_HEAD_BYTES);
    size_t size = (head ^ mix(at, KIND_STREAM, 0)) & CANARY_SIZE_MAX;
    if (size > size_most(at))
        return 0;
    *ret_size = size;
    return head == head_of(at, size, LIVE)    ? LIVE
           : head == head_of(at, size, FREED) ? FREED
                                              : 0;
}

static enum state size_by_end(const struct place *at, size_t *ret_size) {
    uint64_t end = load(end_at(at));
    size_t nfilled = (end ^ hiding(at)) >> FILLED_SHIFT;
    if (nfilled > size_most(at))
        return 0;
    *ret_size = size_most(at) - nfilled;
    return end == end_of(at, nfilled, LIVE)    ? LIVE
           : end == end_of(at, nfilled, FREED) ? FREED
                                               : 0;
}

static enum canary look(const struct place *at, struct canary_object *ret) {
    if (!may_be(at))
        return CANARY_NONE;
    ret->p = object_of(at);
    ret->nbytes = 0;
    enum state state = at->front > 0 ? size_by_head(at, &ret->size)
                                     : size_by_end(at, &ret->size);
    if (state == FREED)
        return CANARY_FREED;
    if (state == LIVE) {
        ret->nbytes = written_behind(at, ret->size);
        if (ret->nbytes > 0)
            return CANARY_OVER;
        ret->nbytes = at->front > 0 ? written_before(at, ret->size) : 0;
        return ret->nbytes > 0 ? CANARY_UNDER : CANARY_LIVE;
    }
    if (at->front == 0)
        return CANARY_NONE;
    if (size_by_end(at, &ret->size) == LIVE) {
        ret->nbytes = written_before(at, ret->size);
        return CANARY_UNDER;
    }
    return load(object_of(at) - WORD) == front_of(at) ? CANARY_BROKEN
                                                      : CANARY_NONE;
}

enum canary canary_look(void *base, size_t room, const void *p,
                        struct canary_object *ret) {
    const struct place at =
        place_at(base, room, (size_t)((char *)p - (char *)base));
    return look(&at, ret);
}

enum canary canary_find(void *base, size_t room, struct canary_object *ret) {
    struct place at;
    for (size_t front = CANARY_HEAD_BYTES; front <= CANARY_FRONT_MAX;
         front *= 2) {
        at = place_at(base, room, front);
        if (!may_be(&at))
            break;
        char *head_at = object_of(&at) - CANARY_HEAD_BYTES;
        uint64_t head = load(head_at);
        if (head == 0)
            continue; // none yet
        enum canary found = look(&at, ret);
        if (found != CANARY_NONE)
            return load(head_at) == head ? found : CANARY_NONE;
    }
    at = place_at(base, room, 0);
    return look(&at, ret);
}

bool canary_free(void *base, size_t room, size_t front, size_t size) {
    const struct place at = place_at(base, room, front);
    size_t nfilled = size_most(&at) - size;
    uint64_t live =
        front > 0 ? head_of(&at, size, LIVE) : end_of(&at, nfilled, LIVE);
    uint64_t freed =
        front > 0 ? head_of(&at, size, FREED) : end_of(&at, nfilled, FREED);
    // acq_rel: what the owner wrote is seen before it is overwritten
    return __atomic_compare_exchange_n(canary_state_at(base, room, front),
                                       &live, freed, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}
