// locations.c: see locations.h.
#include "prof/locations.h"

#include "prof/scratch.h"

enum { SLOTS_MIN = 1 << 13, GROWTH = 4 };

static size_t table_bytes(size_t nslots) {
    return nslots * sizeof(uint32_t) + nslots / 2 * sizeof(uintptr_t);
}

// slot_of returns the slot of pc, or the empty one that it may have.
static uint32_t *slot_of(const struct locations *ls, uintptr_t pc) {
    uint64_t h = pc * 0x9e3779b97f4a7c15u;
    for (size_t i = h >> 32;; i++) {
        uint32_t *slot = &ls->slots[i & (ls->nslots - 1)];
        if (*slot == 0 || ls->pcs[*slot - 1] == pc)
            return slot;
    }
}

void locations_free(struct locations *ls) {
    scratch_unmap(ls->pcs, table_bytes(ls->nslots));
    *ls = (struct locations){.n = 0};
}

static bool grow(struct locations *ls) {
    struct locations grown = {.n = ls->n};
    grown.nslots = ls->nslots == 0 ? SLOTS_MIN : ls->nslots * GROWTH;
    grown.pcs = scratch_map(table_bytes(grown.nslots));
    if (grown.pcs == NULL)
        return false;
    grown.slots = (uint32_t *)(grown.pcs + grown.nslots / 2);
    for (uint32_t i = 0; i < ls->n; i++) {
        grown.pcs[i] = ls->pcs[i];
        *slot_of(&grown, ls->pcs[i]) = i + 1;
    }
    locations_free(ls);
    *ls = grown;
    return true;
}

bool locations_add(struct locations *ls, uintptr_t pc) {
    if (ls->n == ls->nslots / 2 && !grow(ls))
        return false;
    uint32_t *slot = slot_of(ls, pc);
    if (*slot == 0) {
        ls->pcs[ls->n++] = pc;
        *slot = ls->n;
    }
    return true;
}

uint32_t locations_number(const struct locations *ls, uintptr_t pc) {
    return *slot_of(ls, pc);
}
