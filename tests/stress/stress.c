// stress.c: threads that allocate, check, hand to each other and free objects
// of all sizes through every entry point, as long as wanted.
//
// usage: stress [-t THREADS] [-n OPERATIONS] [-d SECONDS] [-g GENERATIONS]
//               [-s SEED]
//   -n  operations of each thread in one generation, 20 000 unless told
//   -d  go on with new generations until so many seconds have passed
//   -g  generations, 4 unless told: all threads end and new ones take over
//       their objects
//
// Built twice: with -DSTRESS_MOUND it calls the mound_ names of libmound.a and
// verifies the heap at the end; without, malloc and its family, for LD_PRELOAD.
// Every byte of an object up to a page is checked, and of a larger one its ends
// and a byte in every page. Threads share nothing without a lock, so a race
// that a sanitizer finds is the allocator's.
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef STRESS_MOUND
#include "mound.h"
#define FN(name) mound_##name
#else
#define FN(name) name
#endif

enum { NSLOTS = 400, MAILBOX_SLOTS = 256, MAX_THREADS = 64, STRIDE = 4096 };

// A sanitizer that reports in the middle of a call changes errno.
#ifdef __SANITIZE_THREAD__
enum { ERRNO_COUNTS = 0 };
#else
enum { ERRNO_COUNTS = 1 };
#endif

enum { KIB = 1 << 10, MIB = 1 << 20, MAX_ALIGN_LOG2 = 16, TRIM_EVERY = 20011 };

// struct object is what a thread knows about one that it owns.
struct object {
    unsigned char *p;
    size_t size;
    size_t alignment; // what it was asked for with; 0: none
    uint64_t tag;     // decides its contents
};

// struct mailbox carries objects to one thread.
//   (l) lock
struct mailbox {
    pthread_mutex_t lock;
    struct object object[MAILBOX_SLOTS]; // (l)
    unsigned n;                          // (l)
};

// struct worker is one thread's own state, which outlives it.
struct worker {
    uint64_t rng;
    unsigned id;
    unsigned long nobjects; // allocated so far
    struct object slot[NSLOTS];
};

static struct mailbox mailboxes[MAX_THREADS];
static struct worker workers[MAX_THREADS];
static unsigned nthreads = 8;
static unsigned long noperations = 20000;
static uint64_t seed;
static size_t page; // the system's

// Not in every C library; NULL when missing.
static void (*free_sized_fn)(void *, size_t);
static void (*free_aligned_sized_fn)(void *, size_t, size_t);

static _Noreturn void fail(const struct worker *w, const char *what,
                           const struct object *o) {
    char line[300];
    int n = snprintf(line, sizeof line,
                     "seed %lu, thread %u, object %lu: %s (%p, %zu bytes, "
                     "alignment %zu)\n",
                     (unsigned long)seed, w->id, w->nobjects, what,
                     o ? (void *)o->p : NULL, o ? o->size : 0,
                     o ? o->alignment : 0);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
    abort();
}

static uint64_t rng_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t random_size(uint64_t *rng) {
    uint64_t r = rng_next(rng);
    unsigned kind = r % 200;
    size_t top = kind < 100   ? 128
                 : kind < 160 ? 1024
                 : kind < 190 ? 32 * KIB
                 : kind < 199 ? 128 * KIB
                              : 4 * MIB;
    return 1 + (size_t)((r >> 8) % top);
}

static unsigned char pattern_at(const struct object *o, size_t i) {
    return (unsigned char)((o->tag + i) * 131 + (i >> 9));
}

// next_checked walks over the bytes of an object that are checked.
static size_t next_checked(const struct object *o, size_t i) {
    bool dense = i < STRIDE || i + 64 >= o->size;
    size_t next = dense ? i + 1 : (i / STRIDE + 1) * STRIDE;
    return next < o->size || dense ? next : o->size - 64;
}

static void fill(struct object *o) {
    for (size_t i = 0; i < o->size; i = next_checked(o, i)) {
        o->p[i] = pattern_at(o, i);
    }
}

// check fails unless the first nbytes are as fill left them when the object had
// the size old_size.
static void check(const struct worker *w, const struct object *o, size_t nbytes,
                  const struct object *filled) {
    for (size_t i = 0; i < nbytes; i = next_checked(filled, i)) {
        if (o->p[i] != pattern_at(filled, i)) {
            fail(w, "contents changed", o);
        }
    }
}

static void check_zero(const struct worker *w, const struct object *o) {
    if (o->p[0] != 0 || memcmp(o->p, o->p + 1, o->size - 1) != 0) {
        fail(w, "calloc is not zero", o);
    }
}

static void check_new(struct worker *w, struct object *o) {
    if (!o->p) {
        fail(w, "out of memory", o);
    }
    size_t need = o->alignment ? o->alignment : o->size > 8 ? 16 : 8;
    if ((uintptr_t)o->p % need != 0) {
        fail(w, "not aligned", o);
    }
    if (FN(malloc_usable_size)(o->p) < o->size) {
        fail(w, "usable size is too small", o);
    }
    w->nobjects++;
}

// make allocates an object by one of the calls.
static struct object make(struct worker *w) {
    uint64_t r = rng_next(&w->rng);
    struct object o = {.size = random_size(&w->rng), .tag = r};
    size_t alignment = (size_t)16 << (r >> 32) % (MAX_ALIGN_LOG2 - 4);
    void *p = NULL;
    errno = 4242;
    switch (r % 32) {
    case 0:
        o.alignment = alignment;
        // C wants a multiple, and sanitizers insist on it.
        o.size = (o.size + alignment - 1) / alignment * alignment;
        o.p = FN(aligned_alloc)(alignment, o.size);
        break;
    case 1:
        o.alignment = alignment;
        o.p = FN(memalign)(alignment, o.size);
        break;
    case 2:
        o.alignment = alignment;
        if (FN(posix_memalign)(&p, alignment, o.size) == 0) {
            o.p = p;
        }
        break;
    case 3:
        o.alignment = page;
        o.p = FN(valloc)(o.size);
        break;
    case 4:
        o.alignment = page;
        o.size = (o.size + page - 1) / page * page;
        o.p = FN(pvalloc)(o.size);
        break;
    case 5:
        o.p = FN(realloc)(NULL, o.size);
        break;
    case 6:
        o.p = FN(reallocarray)(NULL, 1, o.size);
        break;
    case 7 ... 14:
        o.p = FN(calloc)(1, o.size);
        if (o.p) {
            check_zero(w, &o);
        }
        break;
    default:
        o.p = FN(malloc)(o.size);
    }
    check_new(w, &o);
    if (ERRNO_COUNTS && errno != 4242) {
        fail(w, "errno changed", &o);
    }
    fill(&o);
    return o;
}

static void destroy(struct worker *w, struct object *o) {
    if (!o->p) {
        return;
    }
    check(w, o, o->size, o);
    errno = 4242;
    unsigned way = rng_next(&w->rng) % 8;
    if (way == 0 && !o->alignment && free_sized_fn) {
        free_sized_fn(o->p, o->size);
    } else if (way == 0 && o->alignment && free_aligned_sized_fn) {
        free_aligned_sized_fn(o->p, o->alignment, o->size);
    } else if (way == 1) {
        if (FN(realloc)(o->p, 0)) {
            fail(w, "realloc(p, 0) is not NULL", o);
        }
    } else {
        FN(free)(o->p);
    }
    if (ERRNO_COUNTS && errno != 4242) {
        fail(w, "free changed errno", o);
    }
    *o = (struct object){0};
}

static void resize(struct worker *w, struct object *o) {
    if (!o->p) {
        *o = make(w);
        return;
    }
    check(w, o, o->size, o);
    struct object old = *o;
    uint64_t r = rng_next(&w->rng);
    o->size = r % 4 == 0 ? old.size + 1 + (r >> 8) % (old.size / 2 + 64)
                         : random_size(&w->rng);
    o->alignment = 0;
    o->p = r % 2 ? FN(realloc)(old.p, o->size)
                 : FN(reallocarray)(old.p, o->size, 1);
    check_new(w, o);
    check(w, o, o->size < old.size ? o->size : old.size, &old);
    fill(o);
}

// send hands an object to another thread, or keeps it if the box is full.
static void send(struct worker *w, struct object *o) {
    struct mailbox *box = &mailboxes[rng_next(&w->rng) % nthreads];
    pthread_mutex_lock(&box->lock);
    if (o->p && box->n < MAILBOX_SLOTS) {
        box->object[box->n++] = *o;
        *o = (struct object){0};
    }
    pthread_mutex_unlock(&box->lock);
}

// receive takes all that others sent and frees most of it.
static void receive(struct worker *w) {
    struct object got[MAILBOX_SLOTS];
    struct mailbox *box = &mailboxes[w->id];
    pthread_mutex_lock(&box->lock);
    unsigned n = box->n;
    memcpy(got, box->object, n * sizeof *got);
    box->n = 0;
    pthread_mutex_unlock(&box->lock);
    for (unsigned i = 0; i < n; i++) {
        struct object *mine = &w->slot[rng_next(&w->rng) % NSLOTS];
        if (!mine->p) {
            *mine = got[i];
        } else {
            destroy(w, &got[i]);
        }
    }
}

static void *work(void *arg) {
    struct worker *w = arg;
    for (unsigned long i = 0; i < noperations; i++) {
        struct object *o = &w->slot[rng_next(&w->rng) % NSLOTS];
        switch (rng_next(&w->rng) % 16) {
        case 0 ... 1:
            resize(w, o);
            break;
        case 2 ... 4:
            send(w, o);
            break;
        case 5:
            receive(w);
            break;
        case 6 ... 8:
            destroy(w, o);
            break;
        default:
            destroy(w, o);
            *o = make(w);
        }
        if (i % TRIM_EVERY == TRIM_EVERY - 1) {
            FN(malloc_trim)(0);
        }
    }
    return NULL;
}

static void run_generation(void) {
    pthread_t thread[MAX_THREADS];
    for (unsigned i = 0; i < nthreads; i++) {
        if (pthread_create(&thread[i], NULL, work, &workers[i]) != 0) {
            fail(&workers[i], "no thread", NULL);
        }
    }
    for (unsigned i = 0; i < nthreads; i++) {
        pthread_join(thread[i], NULL);
    }
}

// free_all frees what all threads have left, from the main thread.
static void free_all(void) {
    for (unsigned i = 0; i < nthreads; i++) {
        for (unsigned k = 0; k < NSLOTS; k++) {
            destroy(&workers[i], &workers[i].slot[k]);
        }
        for (unsigned k = 0; k < mailboxes[i].n; k++) {
            destroy(&workers[i], &mailboxes[i].object[k]);
        }
        mailboxes[i].n = 0;
    }
}

static int verify(void) {
#ifdef STRESS_MOUND
    int contradictions = mound_verify();
    struct mound_memstats m;
    mound_read_memstats(&m, sizeof m);
    if (contradictions != 0 || m.mallocs != m.frees || m.heap_alloc != 0) {
        fprintf(
            stderr,
            "seed %lu: %d contradictions; %lu mallocs, %lu frees, %lu bytes "
            "live after all was freed\n",
            (unsigned long)seed, contradictions, (unsigned long)m.mallocs,
            (unsigned long)m.frees, (unsigned long)m.heap_alloc);
        return 1;
    }
#endif
    return 0;
}

int main(int argc, char **argv) {
    unsigned generations = 4;
    page = (size_t)sysconf(_SC_PAGESIZE);
    time_t seconds = 0;
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    seed = (uint64_t)start.tv_nsec ^ ((uint64_t)getpid() << 32);
    int opt;
    while ((opt = getopt(argc, argv, "t:n:d:g:s:")) != -1) {
        switch (opt) {
        case 't':
            nthreads = (unsigned)atoi(optarg);
            break;
        case 'n':
            noperations = strtoul(optarg, NULL, 10);
            break;
        case 'd':
            seconds = atoi(optarg);
            break;
        case 'g':
            generations = (unsigned)atoi(optarg);
            break;
        case 's':
            seed = strtoul(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    if (nthreads < 1 || nthreads > MAX_THREADS) {
        return 2;
    }
    printf("seed %lu, %u threads\n", (unsigned long)seed, nthreads);
    fflush(stdout);
#ifdef STRESS_MOUND
    free_sized_fn = mound_free_sized;
    free_aligned_sized_fn = mound_free_aligned_sized;
#else
    *(void **)&free_sized_fn = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&free_aligned_sized_fn =
        dlsym(RTLD_DEFAULT, "free_aligned_sized");
#endif
    for (unsigned i = 0; i < nthreads; i++) {
        pthread_mutex_init(&mailboxes[i].lock, NULL);
        workers[i].id = i;
        workers[i].rng = seed * 1000 + i;
    }

    struct timespec now = start;
    for (unsigned g = 0; g < generations || now.tv_sec - start.tv_sec < seconds;
         g++) {
        run_generation();
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    free_all();
    return verify();
}
