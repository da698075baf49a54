// peak.c: see peak.h.
#include "prof/peak.h"

enum { FELL_SHARE = 20, WRITTEN_MIN = 1 << 20 };

static uint64_t load(const _Atomic uint64_t *word) {
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t n) {
    atomic_store_explicit(word, n, memory_order_relaxed);
}

void peak_keep(struct mprof *mp) {
    atomic_store_explicit(&mp->peak.kept, true, memory_order_relaxed);
}

// bytes_of returns how many bytes a sample of the bucket represents.
static uint64_t bytes_of(const struct mbucket *b) {
    return mprof_scale(b->size, b->size, b->rate);
}

// keep_locked stores a bucket's counts at the peak before they change.
static void keep_locked(struct mprof *mp, struct mbucket *b) {
    uint64_t number = load(&mp->peak.number);
    if (load(&b->peak_number) == number)
        return;
    store(&b->peak_nallocs, load(&b->nallocs));
    store(&b->peak_nfrees, load(&b->nfrees));
    // release: who sees the number sees what was kept; partner: peak_counts
    atomic_store_explicit(&b->peak_number, number, memory_order_release);
}

void peak_count_in(struct mprof *mp, struct mbucket *b) {
    struct mprof_peak *peak = &mp->peak;
    mutex_lock(&mp->lock);
    keep_locked(mp, b);
    atomic_fetch_add_explicit(&b->nallocs, 1, memory_order_relaxed);
    peak->inuse += bytes_of(b);
    if (peak->inuse > peak->bytes &&
        !atomic_load_explicit(&peak->held, memory_order_relaxed)) {
        peak->bytes = peak->inuse;
        store(&peak->number, load(&peak->number) + 1);
    }
    mutex_unlock(&mp->lock);
}

void peak_count_out(struct mprof *mp, struct mbucket *b) {
    struct mprof_peak *peak = &mp->peak;
    mutex_lock(&mp->lock);
    keep_locked(mp, b);
    atomic_fetch_add_explicit(&b->nfrees, 1, memory_order_relaxed);
    uint64_t nbytes = bytes_of(b);
    // Objects allocated before peaks were kept are not in the sum.
    peak->inuse -= nbytes < peak->inuse ? nbytes : peak->inuse;
    mutex_unlock(&mp->lock);
}

bool peak_fell(struct mprof *mp) {
    struct mprof_peak *peak = &mp->peak;
    mutex_lock(&mp->lock);
    bool fell = peak->bytes > WRITTEN_MIN &&
                peak->inuse < peak->bytes - peak->bytes / FELL_SHARE &&
                peak->bytes > peak->written + peak->written / FELL_SHARE;
    if (fell)
        peak->written = peak->bytes;
    mutex_unlock(&mp->lock);
    return fell;
}

void peak_hold(struct mprof *mp) {
    atomic_store_explicit(&mp->peak.held, true, memory_order_relaxed);
}

void peak_release(struct mprof *mp) {
    atomic_store_explicit(&mp->peak.held, false, memory_order_relaxed);
}

struct mprof_counts peak_counts(const struct mprof *mp,
                                const struct mbucket *b) {
    // acquire: partner: release in keep_locked
    uint64_t kept = atomic_load_explicit(&b->peak_number, memory_order_acquire);
    if (kept != load(&mp->peak.number))
        return mprof_counts(b); // unchanged since the peak
    uint64_t nallocs = load(&b->peak_nallocs), nfrees = load(&b->peak_nfrees);
    return (struct mprof_counts){nallocs,
                                 nallocs > nfrees ? nallocs - nfrees : 0};
}
