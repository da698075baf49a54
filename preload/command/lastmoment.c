// lastmoment.c: see lastmoment.h.
#include "lastmoment.h"

#include <stdio.h>

#include "mound_page.h"
#include "units.h"

enum { LITTLE_SHARE = 64 };

// moved returns part + by, at least 0.
static uint64_t moved(uint64_t part, int64_t by) {
    uint64_t fall = by < 0 ? 0 - (uint64_t)by : 0;
    return by >= 0 ? part + (uint64_t)by : part > fall ? part - fall : 0;
}

int64_t lastmoment_bring_up(struct mound_page *page) {
    const struct mound_page_now *now = &page->now;
    struct mound_page_stats *st = &page->stats;
    int64_t inuse = (int64_t)(now->inuse - st->inuse);
    int64_t idle = (int64_t)(now->idle - st->idle);
    int64_t little = (int64_t)(st->inuse / LITTLE_SHARE);
    // A small difference means nothing: guarded objects count in stats only.
    if (now->sys == 0 || (inuse >= -little && inuse <= little))
        return 0;
    st->inuse = now->inuse;
    st->idle = now->idle;
    st->released = now->released;
    st->live = moved(st->live, inuse);
    st->resident_ns = 0;
    if (st->rss != 0)
        st->rss = moved(moved(st->rss, inuse), idle);
    if (st->rss_peak < st->rss)
        st->rss_peak = st->rss;
    return inuse;
}

struct lastmoment_text lastmoment_text(int64_t differs) {
    struct lastmoment_text ret = {""};
    if (differs > 0)
        snprintf(ret.s, sizeof ret.s,
                 "%s of live objects are pages that came after the last "
                 "publication; classes do not have them.\n",
                 units_bytes((uint64_t)differs).s);
    else if (differs < 0)
        snprintf(ret.s, sizeof ret.s,
                 "%s of live objects went with their pages after the last "
                 "publication; classes still have them.\n",
                 units_bytes(0 - (uint64_t)differs).s);
    return ret;
}
