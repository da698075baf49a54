// quarantine.c: see quarantine.h.
#include "prof/quarantine.h"

void quarantine_init(struct quarantine *q, uint32_t most, size_t most_bytes) {
    mutex_init(&q->lock, LOCKRANK_SPECIAL);
    q->most = most;
    q->most_bytes = most_bytes;
}

bool quarantine_put(struct quarantine *q, const struct quarantined *o) {
    if (o->room > q->most_bytes)
        return false;
    mutex_lock(&q->lock);
    // A thread that puts an object then takes until there are not too many;
    // other threads may run between the two.
    bool room_for_it = q->n < q->most;
    if (room_for_it) {
        uint32_t at = (q->first + q->n) % q->most;
        q->ring[at] = *o;
        q->n++;
        q->nbytes += o->room;
    }
    mutex_unlock(&q->lock);
    return room_for_it;
}

bool quarantine_take(struct quarantine *q, bool all, struct quarantined *ret) {
    enum { FREE_SHARE = 16 };
    mutex_lock(&q->lock);
    bool take = q->n > 0 && (all || q->n > q->most - q->most / FREE_SHARE ||
                             q->nbytes > q->most_bytes);
    if (take) {
        *ret = q->ring[q->first];
        q->first = (q->first + 1) % q->most;
        q->n--;
        q->nbytes -= ret->room;
    }
    mutex_unlock(&q->lock);
    return take;
}

void quarantine_reset(struct quarantine *q) {
    if (mutex_reset(&q->lock)) {
        q->n = 0;
        q->nbytes = 0;
    }
}

static AT_START uint64_t secret;

COLD void quarantine_set_secret(uint64_t new_secret) {
    secret = new_secret;
}

static uint64_t pattern_at(const uint64_t *word) {
    static const uint64_t NO_ZERO = 0x0101010101010101; // no byte of it
    static const uint64_t NO_ADDRESS = (uint64_t)1 << 62,
                          TOP = (uint64_t)1 << 63;
    uint64_t pattern = ((uintptr_t)word ^ secret) * 0x9e3779b97f4a7c15;
    return ((pattern | NO_ZERO | NO_ADDRESS) & ~TOP);
}

void quarantine_fill(const struct quarantined *o) {
    // Slots are made of words, and begin at one.
    uint64_t *words = o->p;
    for (size_t i = 0; i < o->room / sizeof *words; i++)
        if (&words[i] != o->keep)
            words[i] = pattern_at(&words[i]);
}

bool quarantine_intact(const struct quarantined *o, size_t *ret_offset) {
    const uint64_t *words = o->p;
    for (size_t i = 0; i < o->room / sizeof *words; i++) {
        uint64_t wrong = words[i] ^ pattern_at(&words[i]);
        if (wrong == 0 || &words[i] == o->keep)
            continue;
        *ret_offset = i * sizeof *words + (size_t)__builtin_ctzll(wrong) / 8;
        return false;
    }
    return true;
}
