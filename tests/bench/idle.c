// idle.c: what a process that sleeps still holds after a peak: small objects up
// to a limit are made and all but one of 500 freed, in random order; then the
// process sleeps and calls nothing ("still"), or a hundred times a second makes
// and frees ten objects ("pulse"), as one that waits for work. Arguments: the
// limit in MiB, the seconds of the sleep, and which. Notes: the memory at the
// peak, right after the frees, after 1 s, 10 s and 60 s as far as the sleep goes,
// and at its end. One operation is an object and its free; the sleep is not timed.
#include "bench.h"

enum {
    MAXOBJECTS = 1 << 21,
    KEPT_ONE_IN = 500,
    PULSES = 100, // in a second
    PULSE_OBJECTS = 10,
};

static void *objects[MAXOBJECTS];
static uint16_t sizes[BENCH_NSIZES];

static void pulse(uint64_t *next) {
    void *made[PULSE_OBJECTS];
    for (int i = 0; i < PULSE_OBJECTS; i++) {
        made[i] = malloc(sizes[(*next)++ % BENCH_NSIZES]);
        bench_touch_first(made[i]);
    }
    for (int i = 0; i < PULSE_OBJECTS; i++) {
        free(made[i]);
    }
}

static void pass(uint64_t seconds, int pulses, uint64_t *next) {
    if (!pulses) {
        sleep((unsigned)seconds);
        return;
    }
    for (uint64_t i = 0; i < seconds * PULSES; i++) {
        usleep(1000000 / PULSES);
        pulse(next);
    }
}

int main(int argc, char **argv) {
    uint64_t limit = bench_number(argc, argv, 1) << 20;
    uint64_t seconds = bench_number(argc, argv, 2);
    int pulses = strcmp(bench_word(argc, argv, 3), "pulse") == 0;
    bench_sizes(sizes);

    uint64_t n = 0, live = 0, state = 1, held[2];
    struct bench b;
    bench_begin(&b);
    while (live < limit && n < MAXOBJECTS) {
        size_t size = sizes[n % BENCH_NSIZES];
        objects[n] = malloc(size);
        bench_touch_first(objects[n++]);
        live += size;
    }
    for (uint64_t i = n - 1; i > 0; i--) {
        uint64_t j = bench_random(&state) % (i + 1);
        void *p = objects[i];
        objects[i] = objects[j];
        objects[j] = p;
    }
    held[0] = bench_rss_kib();
    for (uint64_t i = 0; i < n; i++) {
        if (i % KEPT_ONE_IN != 0) {
            free(objects[i]);
        }
    }
    held[1] = bench_rss_kib();
    bench_stop(&b);

    int64_t cpu_ns = bench_cpu_ns();
    bench_note(&b, "rss_at_the_peak_kib", held[0]);
    bench_note(&b, "rss_after_the_frees_kib", held[1]);
    static const unsigned moments[] = {1, 10, 60};
    uint64_t next = 0, passed = 0;
    for (size_t i = 0; passed < seconds; i++) {
        uint64_t until = seconds;
        if (i < sizeof moments / sizeof moments[0] && moments[i] < seconds) {
            until = moments[i];
        }
        pass(until - passed, pulses, &next);
        passed = until;
        char name[64];
        snprintf(name, sizeof name, "rss_after_%u_s_kib", (unsigned)passed);
        bench_note(&b, name, bench_rss_kib());
    }
    bench_note(&b, "cpu_in_the_sleep_ns", (uint64_t)(bench_cpu_ns() - cpu_ns));
    bench_print(&b, n);
    return 0;
}
