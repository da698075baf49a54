// release.c: old arrays of large maps are given back to the system page by page. What
// was given back reads as zeros, so nobody may look for keys there.
#include "mound_map.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <sys/resource.h>

#include <stdio.h>

MOUND_MAP_STR(names, int)

enum { OLD_BUCKETS = 1 << 16, MOVED = 40000 };

// A map in mid-growth whose old array is past the first pages given back.
static names *large_and_growing(int *ret_n) {
    names *m = names_make(0);
    struct mound_map_info info;
    int n = 0;
    do {
        char name[32];
        snprintf(name, sizeof name, "name %d", n);
        cr_assert(names_set(m, name, n));
        n++;
        mound_map_info(names_type(), names_untyped(m), &info);
    } while (info.oldbuckets < OLD_BUCKETS || info.nevacuate < MOVED);
    *ret_n = n;
    return m;
}

Test(release,
     keys_deleted_under_an_iterator_are_not_looked_for_in_pages_given_back) {
    int n;
    names *m = large_and_growing(&n);
    names_iter it = names_begin(m);
    for (int i = 0; i < 1000; i++)
        cr_assert(names_next(&it));

    for (int i = 0; i < n; i += 2) {
        char name[32];
        snprintf(name, sizeof name, "name %d", i);
        cr_assert(names_delete(m, name));
    }

    while (names_next(&it))
        cr_assert(*it.elem % 2 == 1, "%s was deleted", *it.key);
    const char *wrong = mound_map_verify(names_type(), names_untyped(m));
    cr_assert(wrong == NULL, "%s", wrong);
    names_free(m);
}

// What malloc hands out again is not given back under it.

MOUND_MAP_U64(numbers, uint64_t)

enum { MANY = 1000 * 1000 };

static size_t faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_minflt;
}

static size_t faults_of_a_map(size_t hint) {
    size_t before = faults();
    numbers *m = numbers_make(hint);
    for (uint64_t k = 0; k < MANY; k++)
        cr_assert(numbers_set(m, k, k));
    while (numbers_evacuate(m, MANY) > 0)
        ;
    numbers_free(m);
    return faults() - before;
}

Test(release, a_map_that_grows_in_warm_memory_takes_no_new_pages) {
    // Nothing is a mapping of its own, and nothing goes back at free.
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    size_t cold = faults_of_a_map(0);
    if (cold < 1000)
        return; // not glibc's malloc, or memory that was warm
    size_t warm = faults_of_a_map(0);
    cr_assert(warm < cold / 50, "%zu page faults, and %zu the first time", warm,
              cold);
    warm = faults_of_a_map(MANY);
    cr_assert(warm < cold / 50, "%zu page faults with a hint", warm);
}

Test(release, a_hint_in_warm_memory_clears_no_more_than_metadata) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    size_t size = 64 << 20;
    char *dirty = (char *)malloc(size);
    memset(dirty, 0x5a, size);
    free(dirty);
    numbers *m = numbers_make(MANY);
    struct mound_map_info info;
    mound_map_info(numbers_type(), numbers_untyped(m), &info);
    const char *data = numbers_untyped(m)->buckets_;
    size_t bytes = ((size_t)128 << info.B), cleared = 0;
    cr_assert((uintptr_t)data - (uintptr_t)dirty < size, "not the same memory");
    for (size_t i = 0; i < bytes; i += 64)
        cleared += data[i] == 0;
    cr_assert(cleared < bytes / 64 / 100, "%zu of %zu lines are cleared",
              cleared, bytes / 64);
    const char *wrong = mound_map_verify(numbers_type(), numbers_untyped(m));
    cr_assert(wrong == NULL, "%s", wrong);
    numbers_free(m);
}
