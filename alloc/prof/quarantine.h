// quarantine.h: objects that were freed under MOUND_HARDENED=2 and wait before their
// memory serves again, filled with a pattern: who still writes to one is found when it
// leaves, and who still reads finds no pointer and no old data. Each word of the
// pattern depends on its address and on a secret, no byte of it is zero, and it is no
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

// quarantine_init: at most so many objects, at most QUARANTINE_SLOTS, and bytes.
void quarantine_init(struct quarantine *q, uint32_t most, size_t most_bytes);

// quarantine_put takes an object in. It returns false when it does not wait, and
// is to be freed now.
bool quarantine_put(struct quarantine *q, const struct quarantined *o);

// quarantine_take takes the oldest out if there are too many, or with all set if
// there is any; false: none.
bool quarantine_take(struct quarantine *q, bool all, struct quarantined *ret);

// quarantine_reset frees a lock whose owner ceased to exist. What it had half
// changed stays there for good.
void quarantine_reset(struct quarantine *q);

// quarantine_fill fills an object with the pattern, and quarantine_intact says
// whether it is whole; else *ret_offset is the first byte that is not.
void quarantine_fill(const struct quarantined *o);
bool quarantine_intact(const struct quarantined *o, size_t *ret_offset);

#endif // MOUND_PROF_QUARANTINE_H
