// quarantine.c: see quarantine.h.
#include "prof/quarantine.h"

bool quarantine_put(struct quarantine *q, void *p, size_t room) {
    if (room > QUARANTINE_OBJECT_MAX)
        return false;
    mutex_lock(&q->lock);
    // Who puts takes until there are not too many; others may be between the two.
    bool room_for_it = q->n < QUARANTINE_SLOTS;
    if (room_for_it) {
        uint32_t at = (q->first + q->n) % QUARANTINE_SLOTS;
        q->ring[at] = (struct quarantined){p, room};
        q->n++;
        q->nbytes += room;
    }
    mutex_unlock(&q->lock);
    return room_for_it;
}

bool quarantine_take(struct quarantine *q, bool all, struct quarantined *ret) {
    enum { SLOTS_KEPT = QUARANTINE_SLOTS - 64 };
    mutex_lock(&q->lock);
    bool take =
        q->n > 0 && (all || q->n > SLOTS_KEPT || q->nbytes > QUARANTINE_BYTES);
    if (take) {
        *ret = q->ring[q->first];
        q->first = (q->first + 1) % QUARANTINE_SLOTS;
        q->n--;
        q->nbytes -= ret->room;
    }
    mutex_unlock(&q->lock);
    return take;
}

bool quarantine_intact(const struct quarantined *o, size_t *ret_offset) {
    // Slots are made of words, and begin at one.
    const uint64_t *words = o->p;
    for (size_t i = 0; i < o->room / sizeof *words; i++) {
        if (words[i] == 0)
            continue;
        *ret_offset = i * sizeof *words + (size_t)__builtin_ctzll(words[i]) / 8;
        return false;
    }
    return true;
}
