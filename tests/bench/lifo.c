// lifo.c: an allocator as fast as one can be that keeps no promise about
// memory: the bound of time that scripts/bench draws beside the peers.
//
// Sizes are rounded up to classes, 16 bytes apart at first, then four to a
// doubling. A thread has a list of free objects for each class, last in, first
// out, and nothing is looked up, merged or given back. What a thread has too
// much of one class goes to a common list, or else threads that only free
// would starve those that only make. Memory is ready before it is used: the
// first BENCH_LIFO_MIB (256 without it) when the process starts. What making
// it ready took is in the slip (bound.h), so that it can be taken off:
// word 0 is the time in ns, word 1 the processor time.
//
// One range of addresses holds everything, in chunks of 64 KiB of one class
// each; larger objects begin at a chunk. A table says the class of each chunk.
#include "bound.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define TLS __thread __attribute__((tls_model("initial-exec")))

enum {
    CHUNK_SHIFT = 16,
    CHUNK = 1 << CHUNK_SHIFT,
    STEP = 16,  // between the first classes
    NFIRST = 8, // so many of these
    PER_DOUBLING = 4,
    NCLASSES = 128,
    BATCH_BYTES = 32 << 10, // what moves between a thread and the common list
    MAXBATCH = 256,
    READY_MIB = 256, // without BENCH_LIFO_MIB
    MORE = 4 << 20,  // made ready at a time after that
};
static const size_t RESERVED = (size_t)64 << 30;

struct object {
    struct object *next;  // in a list
    struct object *batch; // in the common list: the next batch
};

struct list {
    struct object *first;
    uint32_t n;
};

// struct shared is what threads have in common of a class.
struct shared {
    _Alignas(64) atomic_flag lock;
    struct object *batches; // full batches; lock
    struct object *odd;     // single objects of threads that ended; lock
    char *bump, *end;       // never used so far; lock
};

static TLS struct list lists[NCLASSES];
static uint32_t limits[NCLASSES]; // what a list may hold
static TLS char registered;
static struct shared shared[NCLASSES];
static uint8_t class_of_chunk[(size_t)64 << (30 - CHUNK_SHIFT)];
static char *base;  // of the range, once there is one
static char *used;  // what is below has an owner; range_lock
static char *ready; // what is below is ready; range_lock
static atomic_flag range_lock = ATOMIC_FLAG_INIT;
static _Atomic uint64_t *slip;
static pthread_key_t key;

static void lock(atomic_flag *f) {
    while (atomic_flag_test_and_set_explicit(f, memory_order_acquire)) {
        __builtin_ia32_pause();
    }
}

static void unlock(atomic_flag *f) {
    atomic_flag_clear_explicit(f, memory_order_release);
}

static inline uint32_t class_of(size_t size) {
    if (LIKELY(size <= STEP * NFIRST)) {
        return size == 0 ? 0 : (uint32_t)((size - 1) / STEP);
    }
    uint32_t log = 63 - (uint32_t)__builtin_clzl(size - 1); // at least 7
    return NFIRST + (log - 7) * PER_DOUBLING +
           (uint32_t)(((size - 1) >> (log - 2)) & (PER_DOUBLING - 1));
}

static inline size_t size_of(uint32_t class) {
    if (class < NFIRST) {
        return (size_t)(class + 1) * STEP;
    }
    uint32_t above = class - NFIRST;
    return ((size_t)PER_DOUBLING + above % PER_DOUBLING + 1)
           << (above / PER_DOUBLING + 5);
}

static inline uint32_t batch_of(uint32_t class) {
    size_t n = BATCH_BYTES / size_of(class);
    return n > MAXBATCH ? MAXBATCH : n < 1 ? 1 : (uint32_t)n;
}

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

// make_ready makes the next nbytes ready and notes what that took. range_lock,
// or the only thread.
static void make_ready(size_t nbytes) {
    int64_t wall = clock_ns(CLOCK_MONOTONIC);
    int64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    mmap(ready, nbytes, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
    ready += nbytes;
    if (slip != NULL) {
        atomic_fetch_add(&slip[0],
                         (uint64_t)(clock_ns(CLOCK_MONOTONIC) - wall));
        atomic_fetch_add(&slip[1],
                         (uint64_t)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu));
    }
}

static void flush(void *unused) {
    (void)unused;
    for (uint32_t c = 0; c < NCLASSES; c++) {
        struct list *l = &lists[c];
        if (l->first == NULL) {
            continue;
        }
        struct object *last = l->first;
        while (last->next != NULL) {
            last = last->next;
        }
        lock(&shared[c].lock);
        last->next = shared[c].odd;
        shared[c].odd = l->first;
        unlock(&shared[c].lock);
        *l = (struct list){NULL, 0};
    }
    registered = 0;
}

static void fork_before(void) {
    for (int c = 0; c < NCLASSES; c++) {
        lock(&shared[c].lock);
    }
    lock(&range_lock);
}

static void fork_after(void) {
    unlock(&range_lock);
    for (int c = 0; c < NCLASSES; c++) {
        unlock(&shared[c].lock);
    }
}

// start is run by the first allocation, before there is a second thread.
static void start(void) {
    const char *mib = getenv("BENCH_LIFO_MIB");
    size_t n = (mib != NULL ? strtoul(mib, NULL, 10) : READY_MIB) << 20;
    void *p = mmap(NULL, RESERVED, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        static const char why[] = "lifo: no address space\n";
        (void)!write(2, why, sizeof why - 1);
        abort();
    }
    for (uint32_t c = 0; c < NCLASSES; c++) {
        limits[c] = 2 * batch_of(c) + 1;
    }
    base = (char *)(((uintptr_t)p + CHUNK - 1) & ~(uintptr_t)(CHUNK - 1));
    slip = slip_open();
    used = ready = base;
    make_ready(n < RESERVED / 2 ? n : RESERVED / 2);
    pthread_key_create(&key, flush);
}

__attribute__((constructor)) static void set_up(void) {
    free(malloc(1));
    pthread_atfork(fork_before, fork_after, fork_after);
}

// range_take returns nbytes, a multiple of CHUNK, at a multiple of alignment.
static char *range_take(size_t nbytes, size_t alignment, uint32_t class) {
    lock(&range_lock);
    if (base == NULL) {
        start();
    }
    char *p = (char *)(((uintptr_t)used + alignment - 1) & ~(alignment - 1));
    if (nbytes > RESERVED || p + nbytes > base + RESERVED - CHUNK - 2 * MORE) {
        unlock(&range_lock);
        errno = ENOMEM;
        return NULL;
    }
    used = p + nbytes;
    // A large object is given as it is: the program may not touch it all.
    if (used > ready && nbytes > MORE) {
        ready = used;
    } else if (used > ready) {
        make_ready((size_t)(used - ready) + MORE);
    }
    class_of_chunk[(p - base) >> CHUNK_SHIFT] = (uint8_t) class;
    unlock(&range_lock);
    return p;
}

// carve makes a batch of objects that were never used. The class is locked.
static struct object *carve(struct shared *s, uint32_t class, uint32_t *ret_n) {
    size_t size = size_of(class);
    uint32_t n = 0;
    struct object *first = NULL, **tail = &first;
    while (n < *ret_n) {
        if ((size_t)(s->end - s->bump) < size) {
            s->bump = n == 0 ? range_take(CHUNK, CHUNK, class) : NULL;
            s->end = s->bump != NULL ? s->bump + CHUNK : NULL;
            if (s->bump == NULL) {
                break;
            }
        }
        struct object *o = (struct object *)s->bump;
        s->bump += size;
        o->next = NULL;
        *tail = o;
        tail = &o->next;
        n++;
    }
    *ret_n = n;
    return first;
}

static __attribute__((noinline)) void *take_slow(uint32_t class) {
    struct shared *s = &shared[class];
    size_t size = size_of(class);
    uint32_t n = batch_of(class);
    lock(&s->lock);
    struct object *o = s->batches;
    if (o != NULL) {
        s->batches = o->batch;
    } else if (s->odd != NULL) {
        struct object *last = o = s->odd;
        for (uint32_t i = 1; i < n && last->next != NULL; i++) {
            last = last->next;
        }
        s->odd = last->next;
        last->next = NULL;
    } else if (size < CHUNK) {
        o = carve(s, class, &n);
    } else {
        o = (void *)range_take((size + CHUNK - 1) & ~(size_t)(CHUNK - 1), CHUNK,
                               class);
        unlock(&s->lock);
        return o;
    }
    unlock(&s->lock);
    if (!registered) {
        registered = 1;
        pthread_setspecific(key, &registered);
    }
    if (o != NULL) {
        // n may be too large after odd ones; it only says when to give back.
        lists[class] = (struct list){o->next, n - 1};
    }
    return o;
}

static __attribute__((noinline)) void give_slow(uint32_t class) {
    struct list *l = &lists[class];
    uint32_t n = batch_of(class);
    struct object *first = l->first, *last = first;
    if (!registered) {
        registered = 1;
        pthread_setspecific(key, &registered);
    }
    for (uint32_t i = 1; i < n && last->next != NULL; i++) {
        last = last->next;
    }
    *l = (struct list){last->next, last->next == NULL ? 0 : l->n - n};
    last->next = NULL;
    lock(&shared[class].lock);
    first->batch = shared[class].batches;
    shared[class].batches = first;
    unlock(&shared[class].lock);
}

static inline void *take(size_t size) {
    uint32_t class = class_of(size);
    if (class >= NCLASSES) {
        errno = ENOMEM;
        return NULL;
    }
    struct list *l = &lists[class];
    struct object *o = l->first;
    if (LIKELY(o != NULL)) {
        l->first = o->next;
        l->n--;
        return o;
    }
    return take_slow(class);
}

static inline uint32_t class_at(void *p) {
    return class_of_chunk[((char *)p - base) >> CHUNK_SHIFT];
}

// in_range leaves alone what the loader made before this library was there.
static inline int in_range(void *p) {
    return (size_t)((char *)p - base) < RESERVED && base != NULL;
}

EXPORT void *malloc(size_t size) {
    return take(size);
}

EXPORT void free(void *p) {
    if (p == NULL || !in_range(p)) {
        return;
    }
    uint32_t class = class_at(p);
    struct list *l = &lists[class];
    struct object *o = p;
    o->next = l->first;
    l->first = o;
    if (++l->n > limits[class]) {
        give_slow(class);
    }
}

EXPORT size_t malloc_usable_size(void *p) {
    return p != NULL && in_range(p) ? size_of(class_at(p)) : 0;
}

EXPORT void *calloc(size_t n, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(n, size, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = take(product);
    return p != NULL ? memset(p, 0, product) : NULL;
}

// realloc gives twice what was there to a block that grows, so that one that
// grows again is already there.
EXPORT void *realloc(void *p, size_t size) {
    size_t had = malloc_usable_size(p);
    if (p != NULL && size == 0) {
        free(p);
        return NULL;
    }
    if (p != NULL && size <= had && size >= had / 4) {
        return p;
    }
    void *q = take(p != NULL && size > had && size < 2 * had ? 2 * had : size);
    if (q != NULL && p != NULL) {
        memcpy(q, p, had < size ? had : size);
        free(p);
    }
    return q;
}

// memalign: the class of a power of two lies at multiples of it up to CHUNK.
EXPORT void *memalign(size_t alignment, size_t size) {
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 ||
        size > RESERVED) {
        errno = size > RESERVED ? ENOMEM : EINVAL;
        return NULL;
    }
    if (alignment <= STEP) {
        return take(size);
    }
    size_t power = alignment;
    while (power < size) {
        power *= 2;
    }
    if (alignment <= CHUNK) {
        return take(power);
    }
    uint32_t class = class_of(power);
    return class < NCLASSES ? range_take(power, alignment, class) : NULL;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

EXPORT int posix_memalign(void **ret_p, size_t alignment, size_t size) {
    int before = errno;
    void *p = memalign(alignment, size);
    int error = p == NULL ? errno : 0;
    errno = before;
    if (p != NULL) {
        *ret_p = p;
    }
    return error;
}

EXPORT void *valloc(size_t size) {
    return memalign((size_t)sysconf(_SC_PAGESIZE), size);
}
