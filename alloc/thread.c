// thread.c: see thread.h.
#include "thread.h"

#include "base/mutex.h"
#include "emergency.h"
#include "os/threadexit.h"
#include "runtime.h"

enum {
    // Rounds of destructors of thread-specific data. In the early ones others
    // may still allocate and free, so we ask for another; then we give back.
    LAST_ROUND = 3,
};

__thread struct thread_tls thread_tls TLS_MODEL;

// All live caches. The list is all zero until the first thread_lock_list.
static struct mutex threads_lock = {.rank = LOCKRANK_THREADS};
static struct list caches; // (threads_lock)
static size_t ncaches;     // (threads_lock)

void thread_lock_list(void) {
    mutex_lock(&threads_lock);
    if (caches.next == NULL) {
        list_init(&caches);
        struct heapstats *st = &mound_stats;
        st->caches_head = (uint64_t)(uintptr_t)&caches;
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
    mutex_unlock(&threads_lock);
}

struct list *thread_list(void) {
    mutex_assert_held(&threads_lock);
    return &caches;
}

size_t thread_count(void) {
    mutex_assert_held(&threads_lock);
    return ncaches;
}

void thread_run_deferred(void) {
    struct thread_tls *t = &thread_tls;
    // A handler may put off more while we are at it.
    while (t->deferred != NULL) {
        void **deferred = t->deferred;
        t->deferred = NULL;
        atomic_signal_fence(memory_order_seq_cst);
        emergency_free_deferred(deferred);
    }
}

// adopt looks for a cache of this thread that its thread-local memory does not
// know: one made before the dynamic loader had set that memory up.
static struct mcache *adopt(uintptr_t self) {
    struct mcache *found = NULL;
    thread_lock_list();
    for (struct list *l = caches.next; l != &caches; l = l->next) {
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
    list_push(&caches, &c->link);
    ncaches++;
    thread_unlock_list();
    return c;
}

static void free_cache(struct mcache *c) {
    struct mheap *h = &mound_heap;
    mcache_flush(c, h);
    thread_lock_list();
    mcache_fold(c, h);
    list_remove(&c->link);
    ncaches--;
    thread_unlock_list();
    mutex_lock(&h->lock);
    fixalloc_free(&h->caches, c);
    mutex_unlock(&h->lock);
}

// arm asks for the call at the thread's end. It may allocate: that call finds
// the state THREAD_ATTACHING and is served without a cache.
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
        c->owner_tls = t; // one that was adopted knew another
    t->own = c;
    t->epoch =
        (uint16_t)~atomic_load_explicit(&profile_epoch, memory_order_relaxed);
    t->state = c != NULL ? THREAD_LIVE : THREAD_BARE;
}

struct mcache *thread_mcache(void) {
    struct thread_tls *t = &thread_tls;
    if (UNLIKELY(t->state == THREAD_NEW) && !options->hardened)
        attach();
    return t->own;
}

void thread_drop_cache(void) {
    struct thread_tls *t = &thread_tls;
    struct mcache *c = t->own;
    t->own = NULL;
    t->state = THREAD_BARE;
    if (c != NULL)
        free_cache(c);
}

// at_exit runs as a destructor of thread-specific data, in any order with those
// of others. Afterwards the thread is served one slot at a time.
static void at_exit(void) {
    struct thread_tls *t = &thread_tls;
    if (++t->nrounds < LAST_ROUND && threadexit_arm())
        return;
    if (!thread_enter())
        return;
    thread_drop_cache();
    t->state = THREAD_DEAD;
    thread_leave();
}

void thread_init_exit(void) {
    struct thread_tls *t = &thread_tls;
    threadexit_init(at_exit);
    // The thread-local memory of this thread may have been set up again since
    // its first malloc.
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

void thread_defer_free(void *p) {
    struct thread_tls *t = &thread_tls;
    t->deferred = emergency_defer(t->deferred, p);
}

void thread_drain_others(void) {
    struct mcache *own = thread_tls.own;
    for (;;) {
        struct mcache *gone = NULL;
        thread_lock_list();
        for (struct list *l = caches.next; l != &caches; l = l->next) {
            struct mcache *c = list_entry(l, struct mcache, link);
            if (c != own)
                gone = c;
        }
        thread_unlock_list();
        if (gone == NULL)
            return;
        free_cache(gone);
    }
}

void thread_abandon_others(void) {
    struct mcache *own = thread_tls.own;
    bool whole = !mutex_reset(&threads_lock);
    struct list gone;
    list_init(&gone);
    thread_lock_list();
    // A list that was being changed is not walked: those counts are lost.
    for (struct list *l = caches.next; whole && l != &caches;) {
        struct list *next = l->next;
        if (own == NULL || l != &own->link) {
            list_remove(l);
            list_push(&gone, l);
        }
        l = next;
    }
    list_init(&caches);
    ncaches = 0;
    if (own != NULL) {
        list_push(&caches, &own->link);
        ncaches = 1;
    }
    thread_unlock_list();
    while (!list_empty(&gone)) {
        struct list *l = gone.next;
        list_remove(l);
        mcache_abandon(list_entry(l, struct mcache, link), &mound_heap);
    }
}
