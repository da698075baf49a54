// quarantine.h: objects freed under MOUND_HARDENED=2 that wait, filled with a
// pattern, before their memory is reused. A write to one is found when it
// leaves, and a read finds no pointer and no old data. Each word of the pattern
// depends on its address and on a secret, has no zero byte, and is not a valid
// address.
#ifndef MOUND_PROF_QUARANTINE_H
#define MOUND_PROF_QUARANTINE_H

#include "base/mutex.h"

enum {
    QUARANTINE_SLOTS = 1024,
    QUARANTINE_BYTES = 1 << 20,        // of all that wait
    QUARANTINE_OBJECT_MAX = 128 << 10, // larger objects do not wait
};

struct quarantined {
    void *p;        // where it begins
    size_t room;    // bytes
    uint64_t *keep; // the word in it that has no pattern, or NULL
};

// struct quarantine: first in, first out. All zero is an empty one, but for
// quarantine_init.
struct quarantine {
    struct mutex lock;                         // rank LOCKRANK_SPECIAL
    uint32_t most;                             // (c) slots that are used
    size_t most_bytes;                         // (c)
    uint32_t first, n;                         // (l)
    size_t nbytes;                             // (l)
    struct quarantined ring[QUARANTINE_SLOTS]; // (l)
};

// quarantine_set_secret is for the start.
void quarantine_set_secret(uint64_t secret);

// quarantine_init sets the limits: most objects, at most QUARANTINE_SLOTS, and
// most_bytes.
void quarantine_init(struct quarantine *q, uint32_t most, size_t most_bytes);

// quarantine_put adds an object. It returns false if the object does not wait
// and must be freed now.
bool quarantine_put(struct quarantine *q, const struct quarantined *o);

// quarantine_take removes the oldest object if there are too many, or with all
// set if there is any; false: none.
bool quarantine_take(struct quarantine *q, bool all, struct quarantined *ret);

// quarantine_reset frees a lock whose owner ceased to exist. A half-made change
// remains.
void quarantine_reset(struct quarantine *q);

// quarantine_fill fills an object with the pattern, and quarantine_intact says
// whether it is whole; else *ret_offset is the first byte that is not.
void quarantine_fill(const struct quarantined *o);
bool quarantine_intact(const struct quarantined *o, size_t *ret_offset);

#endif // MOUND_PROF_QUARANTINE_H
