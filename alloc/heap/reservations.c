// reservations.c: see reservations.h.
#include "heap/reservations.h"

static void put(struct reservations *r, uintptr_t begin, uintptr_t end) {
    if (begin == end)
        return;
    if (r->n == RESERVATIONS_MAX) {
        r->overflow = true;
        return;
    }
    r->at[r->n++] = (struct reservation){begin, end};
}

// take removes entry i.
static struct reservation take(struct reservations *r, uint32_t i) {
    struct reservation found = r->at[i];
    r->at[i] = r->at[--r->n];
    return found;
}

void reservations_add(struct reservations *r, uintptr_t begin, uintptr_t end) {
    for (uint32_t i = 0; i < r->n;) {
        if (r->at[i].begin != end && r->at[i].end != begin) {
            i++;
            continue;
        }
        struct reservation beside = take(r, i);
        begin = beside.begin < begin ? beside.begin : begin;
        end = beside.end > end ? beside.end : end;
    }
    put(r, begin, end);
    r->nchanges++;
}

void reservations_remove(struct reservations *r, uintptr_t begin,
                         uintptr_t end) {
    for (uint32_t i = 0; i < r->n;) {
        if (r->at[i].begin >= end || r->at[i].end <= begin) {
            i++;
            continue;
        }
        struct reservation whole = take(r, i);
        if (whole.begin < begin)
            put(r, whole.begin, begin);
        if (whole.end > end)
            put(r, end, whole.end);
        i = 0; // what was put is apart from the range
    }
    r->nchanges++;
}
