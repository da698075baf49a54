// reading.c: a reading in parts says what a whole one says (memstats).
#include "prof/reading.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "fixture.h"
#include "mem_fake.h"
#include "mound.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

static struct reading r;
static struct mound_memstats whole;

// read_in_parts returns how many parts that took.
static int read_in_parts(uint64_t until) {
    int nparts = 1;
    thread_lock_list();
    while (!reading_step_locked(&r, &mound_heap, thread_list(), until))
        nparts++;
    reading_end_locked(&r, &mound_heap, thread_list(), thread_count());
    thread_unlock_list();
    mound_read_memstats(&whole, sizeof whole);
    return nparts;
}

static void same(void) {
    const struct mound_page_stats *s = &r.stats;
    cr_assert(eq(u64, s->inuse, whole.heap_inuse));
    cr_assert(eq(u64, s->idle, whole.heap_idle - whole.heap_released));
    cr_assert(eq(u64, s->released, whole.heap_released));
    cr_assert(eq(u64, s->live, whole.heap_alloc));
    cr_assert(eq(u64, s->cached, whole.cache_bytes + whole.transfer_bytes));
    cr_assert(eq(u64, s->records, whole.sys - whole.heap_sys));
    cr_assert(eq(u64, s->total_alloc, whole.total_alloc));
    cr_assert(eq(u64, s->mallocs, whole.mallocs));
    cr_assert(eq(u64, s->frees, whole.frees));
    cr_assert(eq(u64, s->threads, whole.nthreads));
    for (unsigned i = 0; i < NUM_SIZECLASSES; i++) {
        const struct mound_page_class *c = &s->classes[i];
        cr_assert(eq(u64, c->mallocs, whole.by_size[i].mallocs), "class %u", i);
        cr_assert(eq(u64, c->frees, whole.by_size[i].frees), "class %u", i);
        cr_assert(eq(u64, c->live, c->mallocs - c->frees), "class %u", i);
        cr_assert(le(u64, c->live + c->cached + c->transfer, c->slots),
                  "class %u", i);
    }
}

Test(reading, is_the_same_in_parts_and_whole) {
    static void *p[3000];
    unsigned seed = 1;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3000; i++) {
            mound_free(p[i]);
            size_t n = (size_t)rand_r(&seed) % 5000;
            p[i] = mound_malloc(i % 100 == 0 ? n * 50 : n);
            cr_assert(p[i] != NULL);
        }
        for (int i = round; i < 3000; i += round + 2) {
            mound_free(p[i]);
            p[i] = NULL;
        }

        // A time that is over already ends each part after one class.
        int nparts = read_in_parts(round % 2 == 0 ? 0 : UINT64_MAX / 2);

        cr_assert(round % 2 == 0 ? nparts > 10 : nparts >= 1);
        same();
    }
}

Test(reading, what_only_rises_never_falls) {
    void *p = mound_malloc(100);
    read_in_parts(0);
    unsigned c = sizeclass_for(100);
    r.stats.classes[c].mallocs += 10; // as if calls had been in flight
    r.stats.classes[c].frees += 10;
    uint64_t mallocs = r.stats.classes[c].mallocs;

    mound_free(p);
    read_in_parts(0);

    cr_assert(eq(u64, r.stats.classes[c].mallocs, mallocs));
    cr_assert(eq(u64, r.stats.classes[c].live,
                 r.stats.classes[c].mallocs - r.stats.classes[c].frees));
}

Test(reading, without_a_step_the_classes_stay_what_they_were) {
    void *p = mound_malloc(100);
    void *large = mound_malloc(1 << 20);
    read_in_parts(0);
    uint64_t live = r.stats.live;

    void *q = mound_malloc(200 << 10);
    mound_free(p);
    thread_lock_list();
    reading_end_locked(&r, &mound_heap, thread_list(), thread_count());
    thread_unlock_list();

    mound_read_memstats(&whole, sizeof whole);
    cr_assert(eq(u64, r.stats.inuse, whole.heap_inuse));
    cr_assert(eq(u64, r.stats.classes[sizeclass_for(100)].live, 1));
    cr_assert(gt(u64, r.stats.live, live)); // large objects are counted
    mound_free(q);
    mound_free(large);
}
