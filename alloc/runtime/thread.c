// thread.c: see thread.h.
#include "runtime/thread.h"

#include "base/mutex.h"
#include "heap/cachebudget.h"
#include "heap/mcache_slow.h"
#include "runtime/emergency.h"
#include "os/helper.h"
#include "os/threadexit.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/sizes.h"

__thread struct thread_tls thread_tls TLS_MODEL;

// All caches, those of live threads first (see thread_orphan_others). On a cache line
// of its own: starting and ending threads write to it.
static struct {
    struct mutex lock;
    struct list ring; // (lock) all zero until the first thread_lock_list
    size_t n;         // (lock)
} CACHELINE_ALIGNED caches = {.lock = {.rank = LOCKRANK_THREADS}};

void thread_lock_list(void) {
    mutex_lock(&caches.lock);
    if (caches.ring.next == NULL) {
        list_init(&caches.ring);
        struct heapstats *st = &mound_stats;
        st->caches_head = (uint64_t)(uintptr_t)&caches.ring;
        st->cache_link_offset = offsetof(struct mcache, link);
        st->cache_magazines_offset = offsetof(struct mcache, magazines);
        st->magazine_bytes = sizeof(struct magazine);
        st->magazine_top_offset = offsetof(struct magazine, top);
        st->magazine_bottom_offset = offsetof(struct magazine, bottom);
        st->magazine_count_offset = offsetof(struct magazine, count);
        st->cache_large_offset = offsetof(struct mcache, large.nhits);
    }
}

void thread_unlock_list(void) {
    mutex_unlock(&caches.lock);
}

struct mutex *thread_list_mutex(void) {
    return &caches.lock;
}

struct list *thread_list(void) {
    mutex_assert_held(&caches.lock);
    return &caches.ring;
}

size_t thread_count(void) {
    mutex_assert_held(&caches.lock);
    return caches.n - mound_stats.norphans;
}

void thread_run_deferred(void) {
    struct thread_tls *t = &thread_tls;
    // A handler may defer more frees during this loop.
    while (t->deferred != NULL) {
        void **deferred = t->deferred;
        t->deferred = NULL;
        atomic_signal_fence(memory_order_seq_cst);
        emergency_free_deferred(deferred);
    }
}

uint64_t *thread_random(void) {
    struct thread_tls *t = &thread_tls;
    // No system call: a filter could kill us for it. Siblings read different ticks.
    if (UNLIKELY(t->random == 0))
        t->random = sys_ticks() ^ (uintptr_t)t ^ sys_secret();
    return &t->random;
}

void thread_see_epoch(void) {
    struct thread_tls *t = &thread_tls;
    // Until the C library is ready every call is slow: runtime_start_late runs in one.
    if (runtime_late && !sys_libc_ready())
        return;
    t->epoch = sampling_epoch_now();
    if (!sampling_on()) {
        // A sample that is still due finds that none is to be taken.
        if (t->own != NULL && sampling_watched())
            sizes_arm(t->own);
        return;
    }
    sampler_start(&t->sampler, thread_random());
    if (t->own != NULL)
        sampling_arm(t->own, thread_random());
}

void thread_slow_once(void) {
    struct thread_tls *t = &thread_tls;
    t->epoch = UINT16_MAX; // an epoch is not so high so soon
    t->cache_distance = 0;
}

void thread_start_anew(void) {
    thread_tls.random = 0;
    thread_slow_once();
}

// adopt returns a cache of this thread that its thread-local memory does not know: one
// made before the dynamic loader had initialized that memory.
static struct mcache *adopt(uintptr_t self) {
    struct mcache *found = NULL;
    thread_lock_list();
    struct list *l = caches.ring.next;
    for (size_t n = thread_count(); n > 0; n--, l = l->next) {
        struct mcache *c = list_entry(l, struct mcache, link);
        if (c->owner == self)
            found = c;
    }
    thread_unlock_list();
    return found;
}

static struct mcache *make_cache(uintptr_t self) {
    struct mheap *h = &mound_heap;
    mutex_lock(&h->lock);
    struct mcache *c = fixalloc_alloc(&h->caches);
    mutex_unlock(&h->lock);
    if (c == NULL)
        return NULL;
    mcache_init(c, self);
    c->owner_tls = &thread_tls;
    thread_lock_list();
    list_push(&caches.ring, &c->link);
    caches.n++;
    thread_unlock_list();
    return c;
}

static void free_cache(struct mcache *c) {
    struct mheap *h = &mound_heap;
    mcache_end(c, h);
    thread_lock_list();
    list_remove(&c->link);
    caches.n--;
    thread_unlock_list();
    mutex_lock(&h->lock);
    fixalloc_free(&h->caches, c);
    mutex_unlock(&h->lock);
}

// arm requests a call of at_end at the thread's end. It may allocate: that nested call
// finds the state THREAD_ATTACHING and is served without a cache.
static void arm(void) {
    struct thread_tls *t = &thread_tls;
    t->depth = 0;
    threadexit_arm();
    t->depth = 1;
}

static bool started; // the constructor has run

static void attach(void) {
    struct thread_tls *t = &thread_tls;
    t->state = THREAD_ATTACHING;
    arm();
    uintptr_t self = sys_self();
    struct mcache *c = started ? NULL : adopt(self);
    if (c == NULL)
        c = make_cache(self);
    if (c != NULL)
        c->owner_tls = t; // an adopted cache has an old one
    t->own = c;
    t->epoch = (uint16_t)~sampling_epoch_now();
    t->state = c != NULL ? THREAD_LIVE : THREAD_BARE;
}

struct mcache *thread_mcache(void) {
    struct thread_tls *t = &thread_tls;
    if (UNLIKELY(t->state == THREAD_NEW) && !options->hardened)
        attach();
    return t->own;
}

void thread_give_cache_back(void) {
    struct thread_tls *t = &thread_tls;
    struct mcache *c = t->own;
    t->own = NULL;
    t->state = THREAD_NEW;
    if (c != NULL)
        free_cache(c);
}

void thread_drop_cache(void) {
    thread_give_cache_back();
    thread_tls.state = THREAD_BARE;
}

COLD void thread_init_exit(void (*at_end)(void)) {
    struct thread_tls *t = &thread_tls;
    threadexit_init(at_end);
    // The loader may have initialized this thread's thread-local memory again since its
    // first malloc.
    if (runtime_started() && t->state == THREAD_NEW && thread_enter()) {
        t->own = adopt(sys_self());
        if (t->own != NULL) {
            t->own->owner_tls = t;
            t->state = THREAD_LIVE;
        }
        thread_leave();
    }
    started = true;
    if (t->state == THREAD_LIVE)
        threadexit_arm();
}

enum { AWAY_OWN, AWAY_STATE, AWAY_EPOCH };

bool thread_go_away(uintptr_t *ret_saved) {
    struct thread_tls *t = &thread_tls;
    if (t->depth != 1 || t->state == THREAD_AWAY || helper_here())
        return false;
    ret_saved[AWAY_OWN] = (uintptr_t)t->own;
    ret_saved[AWAY_STATE] = t->state;
    ret_saved[AWAY_EPOCH] = t->epoch;
    t->own = NULL;
    t->state = THREAD_AWAY;
    // A handler must not be able to enter before it sees that there is no cache.
    atomic_signal_fence(memory_order_seq_cst);
    t->depth = 0;
    return true;
}

void thread_come_back(const uintptr_t *saved) {
    struct thread_tls *t = &thread_tls;
    t->depth = 1;
    atomic_signal_fence(memory_order_seq_cst);
    t->own = (struct mcache *)saved[AWAY_OWN];
    t->state = (uint8_t)saved[AWAY_STATE];
    t->epoch = (uint16_t)saved[AWAY_EPOCH]; // own has not seen a newer one
}

void thread_defer_free(void *p) {
    struct thread_tls *t = &thread_tls;
    t->deferred = emergency_defer(t->deferred, p);
}

static void set_orphans_locked(size_t n) {
    // relaxed: thread_has_orphans is only a hint
    __atomic_store_n(&mound_stats.norphans, n, __ATOMIC_RELAXED);
    runtime_set_chore(RUNTIME_CHORE_ORPHANS, n != 0);
}

bool thread_has_orphans(void) {
    return __atomic_load_n(&mound_stats.norphans, __ATOMIC_RELAXED) != 0;
}

// orphan_others_locked: caches of new threads are pushed to the front of the ring, so
// the orphans stay at its end, and none of their records has to be written.
static void orphan_others_locked(void) {
    struct mcache *own = thread_tls.own;
    if (own != NULL) {
        list_remove(&own->link);
        list_push(&caches.ring, &own->link);
    }
    set_orphans_locked(caches.n - (own != NULL));
    cachebudget_book_only(&mound_heap, own);
}

void thread_orphan_others(void) {
    thread_lock_list();
    orphan_others_locked();
    thread_unlock_list();
}

// abandon_locked corrects the orphans for classes that a thread was changing at the
// fork: at most as many classes as there were threads in slow paths.
static void abandon_locked(const bool rebuilt[NUM_SIZECLASSES]) {
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++) {
        struct list *l = caches.ring.prev;
        for (size_t n = rebuilt[i] ? mound_stats.norphans : 0; n > 0; n--) {
            mcache_abandon(list_entry(l, struct mcache, link), &mound_heap, i);
            l = l->prev;
        }
    }
}

void thread_orphan_repaired(const bool rebuilt[NUM_SIZECLASSES]) {
    struct mcache *own = thread_tls.own;
    bool whole = !mutex_reset(&caches.lock);
    thread_lock_list();
    if (!whole) {
        // A list that was being changed cannot be walked: its caches' counts are lost.
        list_init(&caches.ring);
        if (own != NULL)
            list_init(&own->link);
        caches.n = own != NULL;
    }
    orphan_others_locked();
    abandon_locked(rebuilt);
    thread_unlock_list();
}

bool thread_drain_orphan(void) {
    struct mcache *c = NULL;
    thread_lock_list();
    if (thread_has_orphans()) {
        c = list_entry(caches.ring.prev, struct mcache, link);
        // Listed like a live thread's cache, so that no other thread takes it and a
        // fork makes it an orphan again.
        list_remove(&c->link);
        list_push(&caches.ring, &c->link);
        c->owner = 0;
        c->owner_tls = NULL;
        set_orphans_locked(mound_stats.norphans - 1);
    }
    thread_unlock_list();
    if (c == NULL)
        return false;
    cachebudget_unbook(c);
    free_cache(c);
    return true;
}
