// chance.c: maps have seeds of their own, and iterations beginnings of their own,
// whichever thread or process makes them.
#include "maps.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

MOUND_MAP_U64(ints, uint64_t)

enum { MAPS = 1000, CHILDREN = 200, ENTRIES = 1000 };

// What a map was given: its seed, and the key that an iteration begins with.
struct drawn {
    uint32_t seed;
    uint64_t first;
};

static struct drawn draw_one(void) {
    ints *m = ints_make(0);
    struct drawn d = {ints_untyped(m)->hash0_, UINT64_MAX};
    for (uint64_t k = 0; k < ENTRIES; k++)
        ints_set(m, k, k);
    mound_map_foreach(ints, it, m) {
        d.first = *it.key;
        break;
    }
    ints_free(m);
    return d;
}

static int by_seed(const void *a, const void *b) {
    uint32_t x = ((const struct drawn *)a)->seed;
    uint32_t y = ((const struct drawn *)b)->seed;
    return (x > y) - (x < y);
}

// How often one came that had been there: of so few among 2^32 seeds hardly ever, of
// n among 1000 first keys n - 1000 * (1 - e^(-n/1000)) times.
static void expect_different(struct drawn *drawn, size_t n, const char *who) {
    static size_t seen[ENTRIES];
    memset(seen, 0, sizeof seen);
    qsort(drawn, n, sizeof *drawn, by_seed);
    size_t seeds = 0, firsts = 0;
    for (size_t i = 0; i < n; i++) {
        seeds += i > 0 && drawn[i].seed == drawn[i - 1].seed;
        cr_assert(drawn[i].first < ENTRIES);
        firsts += seen[drawn[i].first]++ > 0;
    }
    cr_assert(seeds <= 2, "%s: %zu of %zu seeds repeat", who, seeds, n);
    cr_assert(firsts <= n / 2, "%s: %zu of %zu first keys repeat", who, firsts,
              n);
}

static void *draw_in_thread(void *ret) {
    *(struct drawn *)ret = draw_one();
    return NULL;
}

Test(chance, maps_of_threads_that_follow_each_other_have_seeds_of_their_own) {
    static struct drawn drawn[MAPS];
    for (size_t i = 0; i < MAPS; i++) {
        pthread_t thread;
        cr_assert(pthread_create(&thread, NULL, draw_in_thread, &drawn[i]) ==
                  0);
        pthread_join(thread, NULL);
    }
    expect_different(drawn, MAPS, "threads");
}

Test(chance, maps_of_one_thread_have_seeds_of_their_own) {
    static struct drawn drawn[MAPS];
    for (size_t i = 0; i < MAPS; i++)
        drawn[i] = draw_one();
    expect_different(drawn, MAPS, "one thread");
}

Test(chance, maps_of_forked_children_have_seeds_of_their_own) {
    static struct drawn drawn[CHILDREN];
    int ends[2];
    cr_assert(pipe(ends) == 0);
    draw_one(); // the parent has keys by then
    for (size_t i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            struct drawn d = draw_one();
            _exit(write(ends[1], &d, sizeof d) != (ssize_t)sizeof d);
        }
        int status;
        cr_assert(waitpid(child, &status, 0) == child && status == 0);
        cr_assert(read(ends[0], &drawn[i], sizeof drawn[i]) ==
                  (ssize_t)sizeof drawn[i]);
    }
    close(ends[0]);
    close(ends[1]);
    expect_different(drawn, CHILDREN, "children");
}

Test(chance, a_map_made_before_fork_is_whole_in_the_child) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < ENTRIES; k++)
        ints_set(m, k, k);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        for (uint64_t k = 0; k < 2 * ENTRIES; k++)
            ints_set(m, k, k);
        _exit(mound_map_verify(ints_type(), ints_untyped(m)) != NULL ||
              ints_len(m) != 2 * ENTRIES);
    }
    int status;
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
    ints_free(m);
}

// Each key is the first about as often as the others.
Test(chance, an_iteration_begins_anywhere) {
    // So few that no bucket of 16 has more than its 8: what is in an overflow bucket
    // comes first never.
    enum { KEYS = 16, HINT = 64, LOOPS = 20000 };
    ints *m = ints_make(HINT);
    for (uint64_t k = 0; k < KEYS; k++)
        ints_set(m, k, k);
    size_t seen[KEYS] = {0}, never = 0;
    for (int i = 0; i < LOOPS; i++)
        mound_map_foreach(ints, it, m) {
            seen[*it.key]++;
            break;
        }
    for (int k = 0; k < KEYS; k++)
        never += seen[k] == 0;
    // An entry right behind another in its bucket comes first for one beginning of
    // 8 * 2^B, at least: 20000 / 128 times. None of 16 is left out by chance.
    expect_eq(never, 0);
    ints_free(m);
}
