// parts.c: what RSS is made of always adds up, whatever a page says.
#include "prof/parts.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "base/fastrand.h"
#include "mound_page.h"

enum { MIB = 1 << 20 };
static struct mound_page page;
static struct parts p;

static void check_sum(void) {
    parts_of(&page, &p);
    cr_assert(eq(u64,
                 p.live + p.rounding + p.holes + p.caches + p.idle + p.records +
                     p.other,
                 p.rss + p.absent));
}

// typical is a process of 100 MiB that mound counts 80 of.
static void typical(void) {
    struct mound_page_stats *st = &page.stats;
    memset(&page, 0, sizeof page);
    st->rss = 100 * MIB;
    st->rss_anon = 90 * MIB;
    st->rss_file = 10 * MIB;
    st->inuse = 60 * MIB;
    st->holes = 5 * MIB;
    st->idle = 20 * MIB;
    st->released = 40 * MIB;
    st->live = 40 * MIB;
    st->cached = 3 * MIB;
    st->records = 5 * MIB;
    st->rounding = 4 * MIB;
    st->classes[10] = (struct mound_page_class){
        .size = 128,
        .slots = 320000,
        .live = 200000,
        .cached = 20000,
        .live_bytes = 200000 * 128,
        .holes = MIB,
        .rounding = 4 * MIB,
    };
}

Test(parts, of_a_process_whose_memory_is_all_there_are_what_is_counted) {
    typical();

    check_sum();

    cr_assert(eq(u64, p.rss, 100 * MIB));
    cr_assert(eq(u64, p.live, 36 * MIB));
    cr_assert(eq(u64, p.rounding, 4 * MIB));
    cr_assert(eq(u64, p.holes, 12 * MIB)); // 60 - 5 - 40 - 3
    cr_assert(eq(u64, p.caches, 3 * MIB));
    cr_assert(eq(u64, p.idle, 20 * MIB));
    cr_assert(eq(u64, p.records, 5 * MIB));
    cr_assert(eq(u64, p.other, 20 * MIB));
    cr_assert(zero(u64, p.absent));
    cr_assert(p.rss_known && p.rounding_known && !p.resident_known);
}

Test(parts, never_touched_memory_is_absent_where_it_is_not_known_which) {
    typical();
    page.stats.inuse += 1000 * MIB;
    page.stats.live += 1000 * MIB;

    check_sum();

    cr_assert(eq(u64, p.live, 1036 * MIB));
    cr_assert(eq(u64, p.other, 10 * MIB)); // the files
    cr_assert(eq(u64, p.absent, 990 * MIB));
}

Test(parts, never_touched_memory_is_in_no_part_where_it_is_known) {
    typical();
    page.stats.inuse += 1000 * MIB;
    page.stats.live += 1000 * MIB;
    page.stats.classes[0].live_bytes = 1010 * MIB;
    page.stats.published_ns = page.stats.resident_ns = 7;
    page.stats.resident_small = 43 * MIB; // of 45: slots never handed out
    page.stats.resident_large = 11 * MIB;
    page.stats.resident_idle = 18 * MIB;
    page.stats.resident_records = 2 * MIB;

    check_sum();

    cr_assert(p.resident_known);
    cr_assert(eq(u64, p.live, 37 * MIB));
    cr_assert(eq(u64, p.untouched, 999 * MIB));
    cr_assert(eq(u64, p.holes, 10 * MIB));
    cr_assert(eq(u64, p.idle, 18 * MIB));
    cr_assert(eq(u64, p.records, 2 * MIB));
    cr_assert(eq(u64, p.other, 26 * MIB));
    cr_assert(zero(u64, p.absent));
}

Test(parts, figures_of_an_older_reading_are_not_used) {
    typical();
    page.stats.resident_ns = 7;
    page.stats.published_ns = 8;

    check_sum();

    cr_assert(not(p.resident_known));
    cr_assert(eq(u64, p.idle, 20 * MIB));
}

Test(parts, without_rss_are_those_of_mound) {
    typical();
    page.stats.rss = page.stats.rss_file = 0;

    check_sum();

    cr_assert(not(p.rss_known));
    cr_assert(eq(u64, p.rss, 80 * MIB));
    cr_assert(zero(u64, p.other + p.absent));
}

Test(parts, rounding_that_is_not_known_is_none) {
    typical();
    page.stats.rounding = page.stats.classes[10].rounding = MOUND_PAGE_UNKNOWN;

    check_sum();

    cr_assert(not(p.rounding_known));
    cr_assert(zero(u64, p.rounding));
    cr_assert(eq(u64, p.live, 40 * MIB));
}

Test(parts, a_class_has_free_slots_in_caches_and_elsewhere) {
    typical();

    cr_assert(eq(u64, parts_cached(&page, 10), 20000 * 128));
    cr_assert(eq(u64, parts_free(&page, 10), 100000 * 128 - MIB));
    cr_assert(eq(u64, parts_waste(&page, 10), 120000 * 128 + 3 * MIB));
    page.stats.classes[10].rounding = MOUND_PAGE_UNKNOWN;
    cr_assert(eq(u64, parts_waste(&page, 10), 120000 * 128 - MIB));
    cr_assert(zero(u64, parts_waste(&page, 0)));
}

// absurd returns a number as it may be in a file that somebody made.
static uint64_t absurd(uint64_t *random) {
    switch (fastrand(random) % 6) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX - fastrand(random) % 3;
    case 2:
        return (uint64_t)1 << (fastrand(random) % 64);
    case 3:
        return fastrand(random) % (1000 * MIB);
    case 4:
        return fastrand(random) % 10;
    default:
        return fastrand(random);
    }
}

Test(parts, add_up_for_absurd_figures) {
    uint64_t random = 15;
    const uint64_t most = (uint64_t)1 << 60;
    for (int round = 0; round < 20000; round++) {
        uint64_t *words = (uint64_t *)&page;
        for (size_t i = 0; i < sizeof page / sizeof *words; i++)
            words[i] = absurd(&random);
        if (round % 2)
            page.stats.resident_ns = page.stats.published_ns;
        check_sum();
        if (p.live > most || p.rounding > p.live + p.rounding ||
            p.holes > most || p.caches > most || p.other > most ||
            p.absent > most)
            cr_fatal("round %d", round);
        for (unsigned c = 0; c < MOUND_PAGE_CLASSES; c++)
            cr_assert(lt(u64, parts_waste(&page, c), most));
    }
}
