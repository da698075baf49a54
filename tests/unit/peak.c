// peak.c: the profile of the moment with the most in use, against one that is copied
// whole at each peak.
#include "prof/peak.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/fastrand.h"
#include "mem_fake.h"

enum { NBUCKETS = 20, NSTEPS = 20000, KIB = 1 << 10, MIB = 1 << 20 };

static struct persistent persistent;
static struct mprof mp;

static void start(void) {
    persistent_init(&persistent);
    mprof_init(&mp, &persistent);
    mp.rate = 1;
    peak_keep(&mp);
}

TestSuite(peak, .init = start);

static struct mbucket *bucket(uintptr_t pc, size_t size) {
    return mprof_bucket(&mp, size, &pc, 1);
}

static void in(struct mbucket *b, int n) {
    for (; n > 0; n--)
        peak_count_in(&mp, b);
}

static void out(struct mbucket *b, int n) {
    for (; n > 0; n--)
        peak_count_out(&mp, b);
}

static void has(const struct mbucket *b, uint64_t ninuse, uint64_t nallocs) {
    cr_assert(eq(u64, peak_counts(&mp, b).ninuse, ninuse));
    cr_assert(eq(u64, peak_counts(&mp, b).nallocs, nallocs));
}

Test(peak, what_was_freed_since_is_in_it) {
    struct mbucket *a = bucket(1, KIB), *b = bucket(2, KIB);
    in(a, 10);
    in(b, 5);
    out(a, 8);
    in(b, 2);
    has(a, 10, 10);
    has(b, 5, 5);
    cr_assert(eq(u64, mprof_counts(a).ninuse, 2));
    cr_assert(eq(u64, mprof_counts(b).ninuse, 7));
}

Test(peak, a_higher_one_takes_its_place) {
    struct mbucket *a = bucket(1, KIB), *b = bucket(2, KIB);
    in(a, 10);
    out(a, 10);
    in(b, 10);
    has(a, 10, 10); // as high is not higher
    in(b, 1);
    has(a, 0, 10);
    has(b, 11, 11);
}

Test(peak, it_is_told_of_once_and_not_for_little_more) {
    struct mbucket *a = bucket(1, 100 * KIB);
    in(a, 100);
    out(a, 5);
    cr_assert(not(peak_fell(&mp)));
    out(a, 1);
    cr_assert(peak_fell(&mp));
    cr_assert(not(peak_fell(&mp)));
    in(a, 10);
    out(a, 50);
    cr_assert(not(peak_fell(&mp))); // 104 after 100
    in(a, 56);
    out(a, 50);
    cr_assert(peak_fell(&mp));
}

Test(peak, a_small_heap_has_none_worth_a_file) {
    struct mbucket *a = bucket(1, KIB);
    in(a, 1000);
    out(a, 1000);
    cr_assert(not(peak_fell(&mp)));
}

Test(peak, one_that_is_held_stays) {
    struct mbucket *a = bucket(1, KIB);
    in(a, 10);
    peak_hold(&mp);
    in(a, 10);
    has(a, 10, 10);
    peak_release(&mp);
    in(a, 1);
    has(a, 21, 21);
}

Test(peak, samples_count_for_what_they_stand_for) {
    mp.rate = 512 * KIB;
    struct mbucket *small = bucket(1, KIB), *large = bucket(2, 16 * MIB);
    in(small, 100); // 50 MiB
    in(large, 1);
    out(large, 1);
    in(small, 20);
    has(large, 1, 1); // 66 MiB, and 60
    in(small, 20);
    has(large, 0, 1); // 70
}

// Any history, and at its end what a copy of all buckets at the highest point has.
Test(peak, is_what_a_copy_at_that_moment_would_be) {
    struct mbucket *b[NBUCKETS];
    uint64_t live[NBUCKETS] = {0}, at_peak[NBUCKETS] = {0};
    uint64_t random = 1, inuse = 0, highest = 0;
    for (int i = 0; i < NBUCKETS; i++)
        b[i] = bucket((uintptr_t)i + 1, (size_t)(i + 1) * 16);
    for (int step = 0; step < NSTEPS; step++) {
        int i = (int)(fastrand(&random) % NBUCKETS);
        bool grow = fastrand(&random) % 100 < (step / 1000 % 2 == 0 ? 60 : 45);
        if (!grow && live[i] == 0)
            continue;
        grow ? in(b[i], 1) : out(b[i], 1);
        live[i] += grow ? 1 : UINT64_MAX;
        inuse += grow ? b[i]->size : 0 - b[i]->size;
        if (inuse > highest) {
            highest = inuse;
            for (int k = 0; k < NBUCKETS; k++)
                at_peak[k] = live[k];
        }
        if (step % 100 == 0)
            for (int k = 0; k < NBUCKETS; k++)
                cr_assert(eq(u64, peak_counts(&mp, b[k]).ninuse, at_peak[k]));
    }
}
