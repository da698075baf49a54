// fixture.h: a private heap on fake memory, with any number of caches, all used by one
// thread. Each Criterion test is a process of its own, so nothing is freed at the end.
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include "heap/mcache.h"
#include "heap/mheap.h"
#include "os/sys.h"

enum { FIXTURE_CACHES = 32, FIXTURE_MISUSED = 64 };

struct fixture {
    struct mheap *heap;
    struct heapstats *stats;
    struct mcache *caches[FIXTURE_CACHES];
    size_t ncaches;
};

struct fixture fixture_start(void);

// fixture_cache returns one more cache of the heap, or NULL without memory.
struct mcache *fixture_cache(struct fixture *f);

// fixture_malloc and fixture_free are what malloc and free do for small sizes,
// with the cache given.
void *fixture_malloc(struct fixture *f, struct mcache *c, size_t size);
void fixture_free(struct fixture *f, struct mcache *c, void *p);

// fixture_full_span returns a span of a class none of whose slots is free, or
// cached; fixture_slot the address of its slot i.
struct mspan *fixture_full_span(struct fixture *f, unsigned sizeclass);
void *fixture_slot(const struct mspan *s, unsigned i);

// fixture_large returns a large object of npages, aligned to align pages, as
// malloc gets it; fixture_free_large frees it, and lets none of its pages be
// kept whole for the next request.
struct mspan *fixture_large(struct fixture *f, size_t npages, size_t align);
void fixture_free_large(struct fixture *f, struct mspan *s);

struct mspan *fixture_span_of(struct fixture *f, const void *p);

// fixture_misused returns how many pointers were reported as misused so far,
// fixture_misused_at the i-th of them; fixture_forget_misused begins anew.
size_t fixture_misused(void);
void fixture_forget_misused(void);
void *fixture_misused_at(size_t i);

// struct fixture_count is one class, counted by heapstats.h's arithmetic.
struct fixture_count {
    uint64_t live;
    uint64_t mallocs;
    uint64_t cached;
};
struct fixture_count fixture_count(struct fixture *f, unsigned sizeclass);

// fixture_cap_bytes adds up the capacity of the magazines of all caches.
uint64_t fixture_cap_bytes(struct fixture *f);

// fixture_reuses has the heap have used freed pages again just now, however long the test
// takes: no time goes by from here on.
void fixture_reuses(struct fixture *f);

// fixture_verify ends the test unless the heap is sound, every cache's
// bookkeeping of its capacity is right and within what one cache may hold.
void fixture_verify(struct fixture *f);

// fixture_drain empties caches, transfer stores and reserves.
void fixture_drain(struct fixture *f);

// random_next is a generator for tests: the same numbers for the same seed.
struct random {
    uint64_t state;
};
struct random random_from(uint64_t seed); // prints the seed
uint64_t random_next(struct random *r);
static inline uint64_t random_below(struct random *r, uint64_t n) {
    return random_next(r) % n;
}

// FIXTURE_NEEDS_SMALL_PAGES skips a test of features that are off if the system's pages
// are larger than the heap's: objects do not begin at the system's pages there.
#define FIXTURE_NEEDS_SMALL_PAGES()                                            \
    do {                                                                       \
        if (sys_page_size() > PAGE_SIZE)                                       \
            cr_skip_test("pages of the system are larger than the heap's");    \
    } while (0)

#endif // TESTS_SUPPORT_FIXTURE_H
