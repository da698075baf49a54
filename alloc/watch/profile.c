// profile.c: see profile.h.
#include "watch/profile.h"

#include <errno.h>
#include <string.h>

#include "base/fastrand.h"
#include "base/stdfd.h"
#include "watch/guards.h"
#include "mound.h"
#include "runtime/options.h"
#include "os/fault.h"
#include "os/filter.h"
#include "os/unwind.h"
#include "out/outfile.h"
#include "prof/mprof.h"
#include "prof/mprof_write.h"
#include "prof/probes.h"
#include "prof/report.h"
#include "prof/sample.h"
#include "prof/stacktext.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

enum {
    FREED_KEPT = 1 << 10, // freed samples that a report may still name
    FREED_PCS = 16,
    LOADER_STACK = 256 << 10, // what the dynamic loader may need, and more
};

_Atomic uint16_t profile_epoch;
bool profile_pending; // written while there is one thread
static struct mprof prof;
static _Atomic bool begun; // prof is there, and the stores of sampled objects
static struct mutex starting = {.rank = LOCKRANK_FORK};
static _Atomic uint64_t next_growth; // bytes in use at which one is due
static _Atomic uint64_t nwritten;    // profiles that were not the last
static int said;                     // why none can be written; at the start

// What was sampled and freed, the last FREED_KEPT of them. Written and read
// without a lock: for reports, which say what they find.
static struct {
    const void *_Atomic p;
    struct mbucket *_Atomic allocated;
    struct mbucket *_Atomic freed;
} last_freed[FREED_KEPT];
static struct { // a line of its own, which sampled frees write to
    _Atomic uint32_t n;
} CACHELINE_ALIGNED nfreed;

static uint64_t rate(void) {
    return atomic_load_explicit(&prof.rate, memory_order_relaxed);
}

static uint64_t *random_state(void) {
    struct thread_tls *t = &thread_tls;
    if (UNLIKELY(t->random == 0))
        t->random = sys_ticks() ^ (uintptr_t)t ^ (uint64_t)sys_pid() << 32;
    return &t->random;
}

// Starting and stopping.

// The chance of each class at the present rate, as bits of a double: one thread
// may change the rate while others read.
static _Atomic uint64_t class_chances[NUM_SIZECLASSES];

static void set_chances(void) {
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++) {
        double chance = sample_chance(sizeclass_bytes[i], rate());
        uint64_t bits;
        memcpy(&bits, &chance, sizeof bits);
        atomic_store_explicit(&class_chances[i], bits, memory_order_relaxed);
    }
}

static double class_chance(unsigned sizeclass) {
    uint64_t bits =
        atomic_load_explicit(&class_chances[sizeclass], memory_order_relaxed);
    double chance;
    memcpy(&chance, &bits, sizeof chance);
    return chance;
}

static void arm_cache(struct mcache *c) {
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        mcache_sample_after(c, &mound_heap, i,
                            sample_first(random_state(), class_chance(i)));
}

void profile_prepare_thread(void) {
    struct thread_tls *t = &thread_tls;
    // Until the C library is ready there are no hits: the next call is to begin.
    if (profile_pending && !sys_libc_ready())
        return;
    t->epoch = atomic_load_explicit(&profile_epoch, memory_order_relaxed);
    if (!profile_on())
        return; // what is due finds that out for itself
    sampler_start(&t->sampler, random_state());
    if (t->own != NULL)
        arm_cache(t->own);
}

// hide_caches sends every thread the slow way once, where it sees the new epoch.
// A thread leaves a slow path by showing its cache and then looking at the epoch:
// if it showed it before the barrier it is hidden again here, and if after, it
// sees the epoch.
static void hide_caches(void) {
    if (!sys_barrier_all())
        return;
    thread_lock_list();
    struct list *caches = thread_list();
    struct list *l = caches->next;
    for (size_t n = thread_count(); n > 0; n--, l = l->next) {
        struct mcache *c = list_entry(l, struct mcache, link);
        struct thread_tls *t = c->owner_tls;
        // A thread that ended by a raw system call left its cache, and its stack
        // may be another's by now.
        uint64_t own;
        if (fault_peek((uintptr_t)&t->own, &own) && own == (uintptr_t)c)
            __atomic_store_n(&t->cache_distance, 0, __ATOMIC_RELAXED);
    }
    thread_unlock_list();
}

static bool begin_once(void) {
    if (atomic_load_explicit(&begun, memory_order_relaxed))
        return true;
    if (!mheap_start_sampling(&mound_heap))
        return false;
    mprof_init(&prof, &mound_heap.persistent);
    prof.start_unix_ns = sys_unix_ns();
    mound_heap.profile_sys = &prof.sys_bytes;
    // release: partner in mound_memprofile_write
    atomic_store_explicit(&begun, true, memory_order_release);
    return true;
}

static void set_epoch(bool on) {
    uint16_t epoch = atomic_load_explicit(&profile_epoch, memory_order_relaxed);
    epoch = (uint16_t)(epoch + ((epoch & 1) == on ? 2 : 1));
    atomic_store_explicit(&profile_epoch, epoch, memory_order_relaxed);
    hide_caches();
}

static int start_entered(uint64_t new_rate) {
    mutex_lock(&starting);
    bool can = begin_once();
    if (can) {
        atomic_store_explicit(&prof.rate, new_rate, memory_order_relaxed);
        set_chances();
        set_epoch(true);
    }
    mutex_unlock(&starting);
    return can ? 0 : -ENOMEM;
}

int profile_start(uint64_t new_rate) {
    if (new_rate == 0)
        return profile_stop();
    if (runtime_passive())
        return -ENOTSUP;
    if (new_rate > INT64_MAX)
        return -EINVAL;
    if (filter_noted())
        return -EPERM; // to tell all threads takes a system call
    if (!thread_enter())
        return -EBUSY; // a signal handler that interrupted malloc
    runtime_enter();
    int error = start_entered(new_rate);
    thread_leave();
    return error;
}

int profile_stop(void) {
    if (!runtime_started())
        return 0;
    if (!thread_enter())
        return -EBUSY;
    runtime_enter();
    mutex_lock(&starting);
    if (profile_on())
        set_epoch(false);
    mutex_unlock(&starting);
    thread_leave();
    return 0;
}

// Sampling.

// capture takes the stack outside of the slow path: libunwind may allocate.
static unsigned capture(uintptr_t *ret_pcs) {
    struct thread_tls *t = &thread_tls;
    t->unwinding = true;
    thread_leave();
    unsigned n = unwind_stack(ret_pcs, UNWIND_MAX);
    if (!thread_enter())
        return n; // cannot be: we came out of one
    t->unwinding = false;
    return n;
}

// Stacks being taken. They are not on the caller's stack, which may be a
// coroutine's of a few KiB. When all are in use, by a thread each, a sample has no
// stack; a handler that jumps out of malloc takes one away for ever.
enum { STACKS = 64 };
static struct {
    _Atomic bool used;
    uintptr_t pcs[UNWIND_MAX];
} stacks[STACKS];

// stack_begin returns the number of one that is this thread's now, or STACKS.
static unsigned stack_begin(void) {
    unsigned first = (unsigned)(sys_self() * 0x9e3779b97f4a7c15u >> 58);
    for (unsigned i = 0; i < STACKS; i++) {
        unsigned at = (first + i) % STACKS;
        // acquire: the last owner is done; partner: release in bucket_here
        if (!atomic_load_explicit(&stacks[at].used, memory_order_relaxed) &&
            !atomic_exchange_explicit(&stacks[at].used, true,
                                      memory_order_acquire))
            return at;
    }
    return STACKS;
}

// Other threads' are nobody's in a child.
static void stacks_reset(void) {
    for (unsigned i = 0; i < STACKS; i++)
        atomic_store_explicit(&stacks[i].used, false, memory_order_relaxed);
}

static struct mbucket *bucket_here(size_t size) {
    unsigned at = stack_begin();
    if (at == STACKS)
        return mprof_bucket(&prof, size, NULL, 0);
    unsigned n = capture(stacks[at].pcs);
    struct mbucket *b = mprof_bucket(&prof, size, stacks[at].pcs, n);
    atomic_store_explicit(&stacks[at].used, false, memory_order_release);
    return b;
}

static int write_waiting(int fd, uint64_t wait_ns) {
    const char *path = options->profile_path;
    bool text = outname_ends_in(path, ".heap") || outname_ends_in(path, ".txt");
    return mprof_write_waiting(&prof, text ? MPROF_HEAP_V2 : MPROF_PPROF, fd,
                               wait_ns);
}

static int write_for_path(int fd) {
    return write_waiting(fd, 0);
}

// The program may be writing one by mound_memprofile_write.
static int write_last_for_path(int fd) {
    return write_waiting(fd, OUTFILE_WAIT_NS);
}

static int write_numbered(void) {
    const struct outfile file = {"MOUND_PROFILE", options->profile_path,
                                 write_for_path, &said};
    if (filter_came())
        return -EPERM;
    if (sys_pid() != runtime_pid())
        return -EBUSY; // a child of vfork, in its parent's memory
    return outfile_write(&file, 1 + atomic_fetch_add_explicit(
                                        &nwritten, 1, memory_order_relaxed));
}

// look_at_growth writes a profile when the heap has grown by so much since the
// last one was due.
static void look_at_growth(void) {
    uint64_t every = options->profile_every;
    if (every == 0 || options->profile_path[0] == '\0')
        return;
    uint64_t inuse = __atomic_load_n(&mound_stats.inuse_pages, __ATOMIC_RELAXED)
                     << PAGE_SHIFT;
    uint64_t due = atomic_load_explicit(&next_growth, memory_order_relaxed);
    if (inuse < due)
        return;
    uint64_t next = (inuse / every + 1) * every;
    if (atomic_compare_exchange_strong_explicit(&next_growth, &due, next,
                                                memory_order_relaxed,
                                                memory_order_relaxed) &&
        due != 0)
        write_numbered();
}

// sampled counts a sampled object in its bucket and tells who listens.
static void sampled(struct mbucket *b, void *p, double chance) {
    atomic_fetch_add_explicit(&b->nallocs, 1, memory_order_relaxed);
    probe_alloc(p, b->size, (uint64_t)((double)b->size / chance));
    look_at_growth();
}

// guarded_sample returns a guarded object if the die says so, and one can be had.
static void *guarded_sample(struct mbucket *b, unsigned sizeclass, size_t size,
                            size_t align) {
    if (options->guard == 0 || fastrand(random_state()) % options->guard != 0)
        return NULL;
    void *p = guards_alloc(size, align, b->pcs, b->npcs, b);
    if (p != NULL)
        sampled(b, p, class_chance(sizeclass));
    return p;
}

void *profile_small(unsigned sizeclass, size_t size, size_t align) {
    if (thread_tls.unwinding)
        return NULL;
    struct mbucket *b = bucket_here(sizeclass_bytes[sizeclass]);
    if (b == NULL)
        return NULL;
    void *guarded = guarded_sample(b, sizeclass, size, align);
    if (guarded != NULL)
        return guarded;
    struct mcentral *mc = &mheap_sampled(&mound_heap)[sizeclass];
    void *p = mcentral_alloc_one(mc);
    if (p == NULL)
        return NULL;
    mcentral_sample_put(mc, p, b);
    sampled(b, p, class_chance(sizeclass));
    return p;
}

void *profile_small_due(struct mcache *c, unsigned sizeclass, size_t size,
                        size_t align) {
    struct mheap *h = &mound_heap;
    mcache_sample_after(c, h, sizeclass,
                        sample_gap(random_state(), class_chance(sizeclass)));
    void *p = profile_small(sizeclass, size, align);
    if (p == NULL && mcache_sample_due(c, sizeclass))
        mcache_sample_after(c, h, sizeclass, 2); // not this one
    return p;
}

bool profile_wants(size_t nbytes) {
    struct thread_tls *t = &thread_tls;
    if (!profile_on() || t->unwinding)
        return false;
    if (t->epoch != atomic_load_explicit(&profile_epoch, memory_order_relaxed))
        profile_prepare_thread();
    return sampler_wants(&t->sampler, random_state(),
                         sample_chance(nbytes, rate()));
}

void profile_large(struct mspan *s) {
    size_t nbytes = s->npages << PAGE_SHIFT;
    if (!profile_wants(nbytes))
        return;
    struct mbucket *b = bucket_here(nbytes);
    if (b == NULL)
        return;
    atomic_store_explicit(&s->sample, b, memory_order_relaxed);
    sampled(b, (void *)mspan_start(s), sample_chance(nbytes, rate()));
}

void profile_resized(struct mspan *s, const void *old) {
    struct mbucket *b = atomic_load_explicit(&s->sample, memory_order_relaxed);
    atomic_store_explicit(&s->sample, NULL, memory_order_relaxed);
    if (b != NULL && old != (void *)mspan_start(s)) {
        profile_freed(old, b);
    } else if (b != NULL) { // nobody may call it freed in a report
        atomic_fetch_add_explicit(&b->nfrees, 1, memory_order_relaxed);
        probe_free(old);
    }
    profile_large(s);
}

void profile_freed(const void *p, void *sample) {
    struct mbucket *b = sample;
    atomic_fetch_add_explicit(&b->nfrees, 1, memory_order_relaxed);
    probe_free(p);
    uintptr_t pcs[FREED_PCS];
    unsigned n = unwind_here(pcs, FREED_PCS);
    struct mbucket *freed = mprof_bucket(&prof, 0, pcs, n);
    uint32_t i = atomic_fetch_add_explicit(&nfreed.n, 1, memory_order_relaxed) %
                 FREED_KEPT;
    atomic_store_explicit(&last_freed[i].p, NULL, memory_order_relaxed);
    atomic_store_explicit(&last_freed[i].allocated, b, memory_order_relaxed);
    atomic_store_explicit(&last_freed[i].freed, freed, memory_order_relaxed);
    atomic_store_explicit(&last_freed[i].p, p, memory_order_relaxed);
}

// What reports say of a sampled object.

static void print_stack(struct print *out, const char *what,
                        const struct mbucket *b) {
    if (b == NULL || b->npcs == 0)
        return;
    print_str(out, what);
    stacktext_print(out, b->pcs, b->npcs);
}

// The sample of the live object that p is in, or NULL.
static const struct mbucket *live_sample(const void *p) {
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    if (s == NULL)
        return NULL;
    uintptr_t offset = (uintptr_t)p - mspan_start(s);
    if (mspan_state(s) == MSPAN_LARGE && offset < s->npages << PAGE_SHIFT)
        return atomic_load_explicit(&s->sample, memory_order_relaxed);
    if (mspan_state(s) != MSPAN_SMALL || s->samples == NULL ||
        offset / s->elemsize >= s->nelems)
        return NULL;
    return s->samples[offset / s->elemsize];
}

static void describe(struct print *out, const void *p) {
    const struct mbucket *live = live_sample(p);
    print_stack(out, "  allocated by\n", live);
    if (live != NULL)
        return;
    uint32_t n = atomic_load_explicit(&nfreed.n, memory_order_relaxed);
    for (uint32_t i = 1; i <= FREED_KEPT && i <= n; i++) {
        uint32_t at = (n - i) % FREED_KEPT;
        if (atomic_load_explicit(&last_freed[at].p, memory_order_relaxed) != p)
            continue;
        print_stack(
            out, "  freed by\n",
            atomic_load_explicit(&last_freed[at].freed, memory_order_relaxed));
        print_stack(out, "  allocated by\n",
                    atomic_load_explicit(&last_freed[at].allocated,
                                         memory_order_relaxed));
        return;
    }
}

// The process.

static void on_signal(int signal) {
    (void)signal;
    write_numbered();
}

static void load_unwinder(void) {
    static const char *const names[] = {"frame pointers", "unwind tables",
                                        "libunwind"};
    const char *why = "the stack is too small to load it";
    enum unwind_mode wanted = options->unwind;
    if (wanted == UNWIND_LIBUNWIND && sys_stack_limit() < LOADER_STACK)
        wanted = UNWIND_TABLES;
    enum unwind_mode mode = unwind_init(wanted, &why);
    if (mode == options->unwind || !options->unwind_asked)
        return;
    struct print out = print_to(stdfd_err());
    print_str(&out, "mound: MOUND_UNWIND=");
    print_str(&out, options->unwind == UNWIND_TABLES ? "tables" : "libunwind");
    print_str(&out, ": ");
    print_str(&out, why);
    print_str(&out, "; using ");
    print_str(&out, names[mode]);
    print_str(&out, "\n");
    print_flush(&out);
}

static bool wanted(void) {
    return options->profile_rate != 0 &&
           (options->profile_path[0] != '\0' || options->guard != 0);
}

// With -z initfirst our constructor runs before the C library's own. To load a
// library then would have that one run, too, but without arguments and environment,
// and never again. So the first slow path after it loads libunwind.
void profile_begin(void) {
    // The loader wants some stack, and this may be a signal handler's.
    // While another malloc serves, ours may still be called later.
    if (!sys_libc_ready() || thread_tls.depth > 0 || !sys_on_first_stack() ||
        runtime_passive())
        return;
    profile_pending = false;
    if (filter_noted())
        return;
    load_unwinder();
    if (!wanted())
        return;
    if (options->guard != 0)
        guards_init();
    profile_start(options->profile_rate);
    look_at_growth();
}

void profile_init(void) {
    report_set_describe(describe);
    if (!wanted() && !options->unwind_asked)
        return;
    outname_init();
    if (options->profile_path[0] != '\0')
        outfile_look(&(struct outfile){"MOUND_PROFILE", options->profile_path,
                                       NULL, &said});
    if (options->profile_path[0] != '\0' && options->profile_signal != 0 &&
        !options->off)
        sys_on_signal(options->profile_signal, on_signal);
    profile_pending = true;
    thread_tls.epoch = UINT16_MAX; // no epoch has it so soon
    thread_tls.cache_distance = 0;
    profile_begin();
}

void profile_before_fork(void) {
    lockrank_pause(); // a handler that forks may have interrupted a holder
    mutex_lock(&starting);
}

void profile_after_fork(bool child) {
    if (child) {
        // Siblings shall not all sample the same calls.
        thread_tls.random = 0;
        thread_tls.epoch = UINT16_MAX;
        thread_tls.cache_distance = 0;
        stacks_reset();
        unwind_forked();
    }
    mutex_unlock(&starting);
    lockrank_resume();
}

void profile_lock_tables(void) {
    mutex_lock(&prof.lock);
}

void profile_unlock_tables(void) {
    mutex_unlock(&prof.lock);
}

void profile_repair(void) {
    mutex_reset(&prof.lock); // a bucket that was half made is in no chain
    mutex_reset(&starting);
    stacks_reset();
    unwind_forked();
}

bool profile_writes_at_exit(void) {
    return !runtime_passive() && options->profile_path[0] != '\0' && wanted();
}

// begin_for_exit is for a program that allocated nothing: its profile is empty.
static bool begin_for_exit(void) {
    // acquire: sees the tables; partner: release in begin_once
    if (atomic_load_explicit(&begun, memory_order_acquire))
        return true;
    if (!thread_enter())
        return false; // a signal handler, maybe in the midst of it
    mutex_lock(&starting);
    bool can = begin_once();
    mutex_unlock(&starting);
    thread_leave();
    return can;
}

void profile_at_exit(void) {
    const struct outfile file = {"MOUND_PROFILE", options->profile_path,
                                 write_last_for_path, &said};
    if (profile_writes_at_exit() && begin_for_exit())
        outfile_write(&file, 0);
}

EXPORT int mound_memprofile_start(size_t new_rate) {
    static _Atomic bool loaded;
    if (new_rate != 0 && !runtime_passive() &&
        !atomic_exchange_explicit(&loaded, true, memory_order_relaxed) &&
        !atomic_load_explicit(&begun, memory_order_relaxed) &&
        !options->unwind_asked)
        load_unwinder();
    int error = profile_start(new_rate);
    if (error == 0)
        return 0;
    errno = -error;
    return -1;
}

EXPORT int mound_memprofile_stop(void) {
    int error = profile_stop();
    if (error == 0)
        return 0;
    errno = -error;
    return -1;
}

EXPORT int mound_memprofile_write(int fd, enum mound_memprofile_format format) {
    int error = -EINVAL;
    if (!atomic_load_explicit(&begun, memory_order_acquire))
        error = -ENODATA;
    else if (format == MOUND_MEMPROFILE_PPROF)
        error = mprof_write(&prof, MPROF_PPROF, fd);
    else if (format == MOUND_MEMPROFILE_HEAP_V2)
        error = mprof_write(&prof, MPROF_HEAP_V2, fd);
    if (error == 0)
        return 0;
    errno = -error;
    return -1;
}
