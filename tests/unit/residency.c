// residency.c: what the time of giving memory back tells.
#include "heap/residency.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { NPAGES = (1 << 20) / PAGE_SIZE };

// there is the time for pages that were there, some times as long as it has to be.
static uint64_t there(size_t npages) {
    return 2 * (npages << PAGE_SHIFT) / sys_page_size() *
           ((uint64_t)SYS_TICKS_STEP >> 17);
}

Test(residency, is_high_once_twelve_of_sixteen_ranges_were_there) {
    struct residency r = {0};

    for (int i = 0; i < 12; i++) {
        cr_assert(not(residency_is_high(&r)));
        residency_note(&r, NPAGES, there(NPAGES));
    }
    cr_assert(residency_is_high(&r));
    for (int i = 0; i < 4; i++) {
        residency_note(&r, NPAGES, there(NPAGES) / 4);
        cr_assert(residency_is_high(&r));
    }
    residency_note(&r, NPAGES, there(NPAGES) / 4);
    cr_assert(not(residency_is_high(&r)));
}

Test(residency, short_ranges_tell_nothing) {
    struct residency r = {0};

    for (int i = 0; i < 100; i++)
        residency_note(&r, NPAGES / 4, UINT64_MAX);

    cr_assert(not(residency_is_high(&r)));
}
