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
        residency_note(&r, NPAGES, there(NPAGES), 0);
    }
    cr_assert(residency_is_high(&r));
    for (int i = 0; i < 4; i++) {
        residency_note(&r, NPAGES, there(NPAGES) / 4, 0);
        cr_assert(residency_is_high(&r));
    }
    residency_note(&r, NPAGES, there(NPAGES) / 4, 0);
    cr_assert(not(residency_is_high(&r)));
}

Test(residency, short_ranges_tell_nothing) {
    struct residency r = {0};

    for (int i = 0; i < 100; i++)
        residency_note(&r, NPAGES / 4, UINT64_MAX, 0);

    cr_assert(not(residency_is_high(&r)));
}

Test(residency, what_was_there_counts_half_a_second_later) {
    const uint64_t second = 64 * (uint64_t)SYS_TICKS_STEP;
    struct residency r = {0};

    residency_note(&r, 4 * NPAGES, there(4 * NPAGES), second);
    residency_note(&r, 8 * NPAGES, there(8 * NPAGES) / 4, second);
    cr_assert(eq(u64, residency_pages(&r, second), 4 * NPAGES));
    cr_assert(eq(u64, residency_pages(&r, 2 * second), 2 * NPAGES));
    residency_note(&r, NPAGES, there(NPAGES), 2 * second);

    cr_assert(eq(u64, residency_pages(&r, 2 * second), 3 * NPAGES));
    cr_assert(zero(u64, residency_pages(&r, 100 * second)));
}
