// canary.h: marks before and after each object of MOUND_HARDENED=2. They hold
// its length and whether it is live, and show writes past its end or before its
// beginning.
//
//   base      base + front - 16        base + front             base + room
//   | nothing | head, 8 | front, 8     | object | filled bytes | end, 8 |
//
// front is 16, or the alignment that was asked for if that is more. The head holds
// size and state, hidden by a secret of the process and the address; the others
// depend on both. Above 4096 bytes of alignment there is no head and no front
// canary (front is 0): the state is in the end.
//
// The head is written last and atomically, and changed first, so that a walk
// over objects that other threads allocate and free recognises what is not yet
// an object.
#ifndef MOUND_PROF_CANARY_H
#define MOUND_PROF_CANARY_H

#include "base/compiler.h"

enum { CANARY_HEAD_BYTES = 16, CANARY_END_BYTES = 8, CANARY_FRONT_MAX = 4096 };
#define CANARY_SIZE_MAX (((size_t)1 << 40) - 1)

// canary_init draws the secret, once, before any other call.
void canary_init(uint64_t secret);

// canary_front returns the distance from the base to an object of an alignment.
static inline size_t canary_front(size_t align) {
    return align <= CANARY_HEAD_BYTES  ? (size_t)CANARY_HEAD_BYTES
           : align <= CANARY_FRONT_MAX ? align
                                       : 0;
}

// canary_set marks an object of size bytes in the room at base, which is at least
// front + size + CANARY_END_BYTES and less than 64 KiB more, and returns it. Words
// are aligned to 8 bytes.
void *canary_set(void *base, size_t room, size_t front, size_t size);

enum canary {
    CANARY_LIVE,
    CANARY_FREED,
    CANARY_OVER,   // live, and bytes after it were written
    CANARY_UNDER,  // live, and bytes before it were written
    CANARY_BROKEN, // head and end are damaged, the front mark is not
    CANARY_NONE,   // no object begins there
};

// struct canary_object is what the marks say.
struct canary_object {
    void *p;
    size_t size;
    size_t nbytes; // from the object to the last byte that was written
};

// canary_look looks at the object that p should be.
enum canary canary_look(void *base, size_t room, const void *p,
                        struct canary_object *ret);

// canary_find looks for an object, including one that other threads may be
// allocating or freeing at this moment.
enum canary canary_find(void *base, size_t room, struct canary_object *ret);

// canary_free makes a live object a freed one, once: false if it is none.
bool canary_free(void *base, size_t room, size_t front, size_t size);

// canary_state_at returns where the state of an object is, which stays while it
// waits.
static inline uint64_t *canary_state_at(void *base, size_t room, size_t front) {
    size_t offset =
        front > 0 ? front - CANARY_HEAD_BYTES : room - CANARY_END_BYTES;
    return (uint64_t *)((char *)base + offset);
}

#endif // MOUND_PROF_CANARY_H
