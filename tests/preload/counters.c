// The counters are exact, as read by a call and as found in the dump.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "folder.h"
#include "probe.h"

Test(counters, a_million_pairs_are_a_million_pairs) {
    probe_passes("counts", NULL);
}

Test(counters, a_million_pairs_are_a_million_pairs_in_hardened_mode) {
    probe_passes("counts", "MOUND_HARDENED=1", NULL);
}

// struct figures is what a dump told.
struct figures {
    long mallocs, frees, total_alloc;
};

// dump_of runs the program with that many pairs and returns its figures.
static struct figures dump_of(const struct folder *folder, const char *npairs) {
    const char *probe = spawn_probe("exit_ways");
    char setting[700];
    snprintf(setting, sizeof setting, "MOUND_STATS=%s",
             folder_join(folder, "stats.json"));
    const char *const argv[] = {probe, "return", npairs, NULL};
    const char *const env[] = {setting, NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    spawn_free(&r);

    char script[5000];
    snprintf(script, sizeof script, "%s/tests/support/check_expvar.py",
             getenv("MOUND_SOURCE"));
    const char *const check[] = {
        "python3", script, folder_join(folder, "stats.json"), probe, "return",
        npairs,    NULL};
    struct spawn check_cmd = {.argv = check};
    r = spawn_run(&check_cmd);
    struct figures figures;
    cr_assert(spawn_exited(&r, 0) &&
                  sscanf(r.out, "%ld %ld %ld", &figures.mallocs, &figures.frees,
                         &figures.total_alloc) == 3,
              "%s", spawn_describe(&r));
    spawn_free(&r);
    return figures;
}

Test(counters, the_dump_counts_every_pair) {
    struct folder folder = folder_make();

    struct figures few = dump_of(&folder, "1000");
    struct figures many = dump_of(&folder, "2001000");

    // A block of 100 bytes takes a slot of 112.
    cr_assert(many.mallocs - few.mallocs == 2000000, "Mallocs: %ld",
              many.mallocs - few.mallocs);
    cr_assert(many.frees - few.frees == 2000000, "Frees: %ld",
              many.frees - few.frees);
    cr_assert(many.total_alloc - few.total_alloc == 2000000L * 112,
              "TotalAlloc: %ld", many.total_alloc - few.total_alloc);
    folder_remove(&folder);
}
