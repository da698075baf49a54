// reservations.c: heap/reservations.h against a table of what is in them.
#include "heap/reservations.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 64, UNIT = 4096 };

static bool in_one(const struct reservations *r, uintptr_t place) {
    int n = 0;
    for (uint32_t i = 0; i < r->n; i++)
        n += r->at[i].begin <= place * UNIT && place * UNIT < r->at[i].end;
    cr_assert(n <= 1, "two ranges have %zu", place);
    return n == 1;
}

static void same(const struct reservations *r, const bool *there) {
    for (uintptr_t i = 0; i < PLACES; i++)
        cr_assert(eq(int, in_one(r, i), there[i]), "place %zu", i);
}

Test(reservations, ranges_that_touch_are_one) {
    struct reservations r = {0};

    reservations_add(&r, 4 * UNIT, 6 * UNIT);
    reservations_add(&r, 8 * UNIT, 9 * UNIT);
    cr_assert(eq(u32, r.n, 2));
    reservations_add(&r, 6 * UNIT, 8 * UNIT);

    cr_assert(eq(u32, r.n, 1));
    cr_assert(eq(uptr, r.at[0].begin, 4 * UNIT));
    cr_assert(eq(uptr, r.at[0].end, 9 * UNIT));
    cr_assert(eq(u32, r.nchanges, 3));
}

Test(reservations, any_order_of_changes_leaves_what_was_added) {
    unsigned seed = 1;
    struct reservations r = {0};
    bool there[PLACES] = {false};
    for (int step = 0; step < 20000; step++) {
        uintptr_t begin = (uintptr_t)rand_r(&seed) % PLACES;
        uintptr_t end = begin + 1 + (uintptr_t)rand_r(&seed) % 12;
        if (end > PLACES)
            continue;
        if (rand_r(&seed) % 2 == 0) {
            reservations_remove(&r, begin * UNIT, end * UNIT);
            memset(there + begin, false, end - begin);
        } else {
            bool taken = false;
            for (uintptr_t i = begin; i < end; i++)
                taken |= there[i];
            if (taken) // the system gives no range twice
                continue;
            reservations_add(&r, begin * UNIT, end * UNIT);
            memset(there + begin, true, end - begin);
        }
        same(&r, there);
    }
    cr_assert(not(r.overflow));
}

Test(reservations, more_than_fit_are_told) {
    struct reservations r = {0};

    for (uintptr_t i = 0; i <= RESERVATIONS_MAX; i++)
        reservations_add(&r, (2 * i + 1) * UNIT, (2 * i + 2) * UNIT);

    cr_assert(r.overflow);
    cr_assert(eq(u32, r.n, RESERVATIONS_MAX));
}
