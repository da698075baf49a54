// locations.c: see locations.h.
#include "prof/locations.h"

#include "prof/scratch.h"

enum { SLOTS_MIN = 1 << 13, GROWTH = 4 };

static size_t table_bytes(size_t nslots) {
    return nslots * sizeof(uint32_t) + nslots / 2 * sizeof(struct location);
}

static bool same(struct location a, struct location b) {
    return a.pc == b.pc && a.image == b.image;
}

// slot_of returns the slot of l, or the empty one that it may have.
static uint32_t *slot_of(const struct locations *ls, struct location l) {
    uint64_t h = (l.pc ^ (uint64_t)l.image << 48) * 0x9e3779b97f4a7c15u;
    for (size_t i = h >> 32;; i++) {
        uint32_t *slot = &ls->slots[i & (ls->nslots - 1)];
        if (*slot == 0 || same(ls->all[*slot - 1], l))
            return slot;
    }
}

void locations_free(struct locations *ls) {
    scratch_unmap(ls->all, table_bytes(ls->nslots));
    *ls = (struct locations){.n = 0};
}

static bool grow(struct locations *ls) {
    struct locations grown = {.n = ls->n};
    grown.nslots = ls->nslots == 0 ? SLOTS_MIN : ls->nslots * GROWTH;
    grown.all = scratch_map(table_bytes(grown.nslots));
    if (grown.all == NULL)
        return false;
    grown.slots = (uint32_t *)(grown.all + grown.nslots / 2);
    for (uint32_t i = 0; i < ls->n; i++) {
        grown.all[i] = ls->all[i];
        *slot_of(&grown, ls->all[i]) = i + 1;
    }
    locations_free(ls);
    *ls = grown;
    return true;
}

bool locations_add(struct locations *ls, struct location l) {
    if (ls->n == ls->nslots / 2 && !grow(ls))
        return false;
    uint32_t *slot = slot_of(ls, l);
    if (*slot == 0) {
        ls->all[ls->n++] = l;
        *slot = ls->n;
    }
    return true;
}

uint32_t locations_number(const struct locations *ls, struct location l) {
    return *slot_of(ls, l);
}
