// endcheck.c: see endcheck.h.
//
// mheap.lock keeps the pages of every span in place, and keeps large objects from being
// protected (mheap_keep_large). Objects of small spans come and go meanwhile;
// canary_find recognizes a slot whose object is just being made or freed.
#include "watch/endcheck.h"

#include "heap/spanrecord.h"
#include "prof/canary.h"
#include "prof/report.h"
#include "runtime/runtime.h"

enum { OBJECTS_MOST = 1 << 17, REPORTS_MOST = 8 };

struct endcheck {
    size_t nlooked;
    unsigned nfound;
    struct report found[REPORTS_MOST];
};

static void look_at(struct endcheck *e, void *base, size_t room) {
    struct canary_object o;
    e->nlooked++;
    enum canary found = canary_find(base, room, &o);
    if (found != CANARY_OVER && found != CANARY_UNDER)
        return;
    e->found[e->nfound++] = (struct report){
        .call = "exit",
        .misuse = found == CANARY_OVER ? MISUSE_OVERFLOW : MISUSE_UNDERFLOW,
        .p = o.p,
        .block = base,
        .size = o.size,
        .nbytes = o.nbytes};
}

static bool may_be_live(const struct mspan *s, unsigned slot) {
    uint64_t bits =
        __atomic_load_n(&s->freebits[slot / WORD_BITS], __ATOMIC_RELAXED);
    return (bits >> slot % WORD_BITS & 1) == 0;
}

static void visit(struct mspan *s, void *arg) {
    struct endcheck *e = arg;
    char *start = (char *)mspan_start(s);
    enum mspan_state state = mspan_state(s);
    bool small = state == MSPAN_SMALL;
    if (!small && state != MSPAN_LARGE)
        return;
    size_t room = small ? s->elemsize : s->npages << PAGE_SHIFT;
    for (unsigned slot = 0; slot < s->nelems; slot++)
        if (e->nlooked < OBJECTS_MOST && e->nfound < REPORTS_MOST &&
            (!small || may_be_live(s, slot)))
            look_at(e, start + slot * room, room);
}

void endcheck_live(void) {
    struct mheap *h = &mound_heap;
    struct endcheck e = {.nlooked = 0};
    mutex_lock(&h->lock);
    mheap_for_each_span_locked(h, visit, &e);
    mutex_unlock(&h->lock);
    for (unsigned i = 0; i < e.nfound; i++)
        report_block(h, &e.found[i]);
}
