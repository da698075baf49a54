// summary.c: the text for a person: its lines, sums, and what a hostile page does to it.
#include "prof/summary.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fastrand.h"
#include "mound_page.h"

enum { MIB = 1 << 20 };
static struct mound_page page;
static char text[64 << 10];

// written returns what a function writes of page.
static const char *written(int (*write_page)(const struct mound_page *, int)) {
    int fd = memfd_create("text", 0);
    cr_assert(zero(int, write_page(&page, fd)));
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static int as_json(const struct mound_page *from, int fd) {
    return summary_write_json(from, -1, fd);
}

static void typical(void) {
    struct mound_page_stats *st = &page.stats;
    memset(&page, 0, sizeof page);
    page.identity = (struct mound_page_identity){
        .pid = 4711,
        .library = 10203,
        .start_unix_ns = 1000000000,
        .end_unix_ns = 3500000000,
        .program = "redis-server",
        .state = MOUND_PAGE_SIGNALLED,
        .status = 15,
    };
    st->rss = 100 * MIB + 1;
    st->rss_peak = 120 * MIB;
    st->rss_anon = st->rss;
    st->inuse = 60 * MIB;
    st->idle = 20 * MIB + 12345;
    st->live = 40 * MIB + 777;
    st->cached = 3 * MIB;
    st->records = 5 * MIB + 54321;
    st->mallocs = 5000000;
    st->frees = 100;
    st->classes[10] = (struct mound_page_class){.size = 128,
                                                .slots = 100000,
                                                .live = 50000,
                                                .live_bytes = 50000 * 128,
                                                .mallocs = 60000,
                                                .rounding = 2 * MIB};
    st->classes[20] = (struct mound_page_class){.size = 512,
                                                .slots = 100000,
                                                .live = 50000,
                                                .live_bytes = 50000 * 512,
                                                .mallocs = 50000,
                                                .rounding = MIB};
}

static unsigned lines(const char *s) {
    unsigned n = 0;
    for (; *s != '\0'; s++)
        n += *s == '\n';
    return n;
}

static bool has(const char *part) {
    if (strstr(text, part) == NULL)
        fprintf(stderr, "no \"%s\" in:\n%s", part, text);
    return strstr(text, part) != NULL;
}

Test(summary, says_who_how_long_and_how_it_ended) {
    typical();

    written(summary_write);

    cr_assert(has("mound 1.2.3: redis-server, pid 4711, ended by signal 15 "
                  "after 2.50 s\n"));
    cr_assert(has("mallocs         5000000 (2.0 million a second), frees 100 "
                  "(40 a second)\n"));
    cr_assert(has("25.4 MiB in slots of 512, 8.1 MiB in slots of 128\n"));
    cr_assert(le(u32, lines(text), 12));
}

// sum_of adds up a column of the lines between RSS and mallocs, in tenths.
static long sum_of(const char *s, int column, long *ret_first) {
    long sum = 0;
    for (s = strstr(s, "\n  RSS"); strncmp(s + 1, "  mallocs", 9) != 0;
         s = strchr(s + 1, '\n')) {
        char number[60] = "";
        double size, percent;
        char unit[10];
        snprintf(number, sizeof number, "%.58s", s + 1 + 18);
        int n = sscanf(number, "%lf %9s %lf", &size, unit, &percent);
        cr_assert(eq(int, n, 3));
        double value = column == 0 ? size : percent;
        long tenths = (long)(value * 10 + (value < 0 ? -0.5 : 0.5));
        if (strncmp(s + 1, "  RSS", 5) == 0)
            *ret_first = tenths;
        else
            sum += tenths;
    }
    return sum;
}

Test(summary, has_names_in_other_scripts_and_no_control_characters) {
    typical();
    snprintf(page.identity.program, sizeof page.identity.program, "%s",
             "gr\xc3\xb6\xc3\x9f\x65r\x1b[2J");

    const char *found =
        strstr(written(summary_write), "gr\xc3\xb6\xc3\x9f\x65r?[2J,");
    cr_assert(ne(ptr, (void *)found, NULL));
}

Test(summary, has_sizes_and_percentages_that_add_up) {
    uint64_t random = 3;
    for (int round = 0; round < 300; round++) {
        typical();
        page.stats.rss = fastrand(&random) % ((uint64_t)1 << (23 + round % 14));
        page.stats.rss += 1;
        page.stats.live = fastrand(&random) % page.stats.inuse;
        page.stats.idle = fastrand(&random) % (200 * MIB);
        written(summary_write);
        for (int column = 0; column < 2; column++) {
            long first = 0;
            long sum = sum_of(text, column, &first);
            if (sum != first)
                cr_fatal("column %d: %ld, not %ld: %s", column, sum, first,
                         text);
        }
    }
}

Test(summary, is_one_line_where_another_malloc_serves) {
    typical();
    page.identity.serves = MOUND_PAGE_OFF;

    written(summary_write);

    cr_assert(eq(str, text,
                 "mound 1.2.3: redis-server, pid 4711: malloc is served by the "
                 "C library (MOUND_OFF=1)\n"));
    cr_assert(eq(str, (char *)written(summary_write_classes), ""));
}

Test(summary, lists_the_classes_with_the_most_waste_first) {
    typical();

    written(summary_write_classes);

    cr_assert(eq(u32, lines(text), 4)); // an empty line, the heads, two classes
    cr_assert(has(" 512 ") && has(" 128 "));
    cr_assert(lt(ptr, strstr(text, " 512 "), strstr(text, " 128 ")));
}

Test(summary, as_json_has_what_go_has_and_mound) {
    typical();
    page.identity.program[0] = '"';

    written(as_json);

    cr_assert(
        has("{\"cmdline\":[\"\\\"edis-server\"],\"memstats\":{\"Alloc\":"));
    cr_assert(
        has(",\"mound\":{\"version\":\"1.2.3\",\"pid\":4711,\"program\":"
            "\"\\\"edis-server\",\"state\":\"signalled\",\"signal\":15,"));
    cr_assert(has("\"duration\":2.500,"));
}

Test(summary, of_a_hostile_page_has_bounded_lines_of_text) {
    uint64_t random = 1;
    for (int round = 0; round < 2000; round++) {
        uint64_t *words = (uint64_t *)&page;
        for (size_t i = 0; i < sizeof page / sizeof *words; i++)
            words[i] = fastrand(&random) >> (fastrand(&random) % 64);
        page.identity.serves = 0;
        written(summary_write);
        cr_assert(le(u32, lines(text), 17));
        cr_assert(lt(sz, strlen(text), 2500));
        written(summary_write_classes);
        written(as_json);
    }
}
