// release.c: old arrays of large maps are given back to the system page by page. What
// was given back reads as zeros, so nobody may look for keys there.
#include "mound_map.h"

#include <criterion/criterion.h>

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
