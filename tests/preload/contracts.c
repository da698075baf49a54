// contracts.c: runs the probes of tests/probes/contracts with libmound.so
// preloaded: what the kernel may refuse, and what callers may rely on.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

enum { LONG_RUN_S = 180, MAX_ARGS = 10, SKIPPED = 77, FILTERED_STATUS = 7 };

// passes runs a probe with its arguments.
#define passes(name, ...)                                                      \
    probe_passes_with(spawn_lib(),                                             \
                      (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL},  \
                      NULL, "contracts/" name)

Test(contracts, objects_of_more_than_8_bytes_are_aligned_to_16) {
    passes("align16");
}

Test(contracts, usable_size_is_constant_and_writable) {
    passes("usable");
}

Test(contracts, calloc_is_zero_whatever_was_there_before) {
    passes("calloc_zero");
}

Test(contracts, realloc_keeps_contents_between_all_kinds_of_sizes) {
    passes("realloc_pairs");
}

Test(contracts, impossible_requests_are_refused) {
    passes("limits");
}

Test(contracts, errors_are_told_and_change_nothing) {
    passes("errors");
    probe_passes("contracts/errors", "MOUND_HARDENED=1", NULL);
    probe_passes("contracts/errors", "MOUND_HARDENED=2", NULL);
}

Test(contracts, every_name_of_the_family_is_ours) {
    passes("aliases", "cfree", "free_sized", "free_aligned_sized");
}

Test(contracts, sized_frees_take_back_what_they_are_for) {
    passes("sized");
}

Test(contracts, objects_of_jemallocs_functions_are_ours) {
    passes("mallocx");
    probe_passes("contracts/mallocx", "MOUND_HARDENED=1", NULL);
    probe_passes("contracts/mallocx", "MOUND_HARDENED=2", NULL);
}

Test(contracts, information_calls_follow_the_program) {
    passes("info");
}

// run starts a probe and returns all it said.
static struct spawn_result run(const char *preload, const char *const *env,
                               const char *name, const char *arg) {
    const char *argv[] = {spawn_probe(name), arg, NULL};
    struct spawn cmd = {
        .argv = argv, .env = env, .preload = preload, .timeout_s = LONG_RUN_S};
    return spawn_run(&cmd);
}

Test(contracts, malloc_info_writes_valid_xml) {
    struct spawn_result r = run(spawn_lib(), NULL, "contracts/info", "xml");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    cr_assert(r.nout > 0, "malloc_info wrote nothing");

    const char *const parser[] = {
        "python3", "-c",
        "import sys, xml.dom.minidom as d\n"
        "e = d.parseString(sys.stdin.read()).documentElement\n"
        "assert e.tagName == 'malloc' and e.getAttribute('version')\n"
        "assert e.getElementsByTagName('system')\n",
        NULL};
    struct spawn check = {.argv = parser, .input = r.out};
    struct spawn_result parsed = spawn_run(&check);

    cr_assert(spawn_exited(&parsed, 0), "%s\n%s", r.out,
              spawn_describe(&parsed));
    spawn_free(&parsed);
    spawn_free(&r);
}

Test(contracts, malloc_stats_writes_on_stderr) {
    struct spawn_result r = run(spawn_lib(), NULL, "contracts/info", "stats");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    cr_assert(r.nerr > 0, "malloc_stats wrote nothing");
    cr_assert(r.nout == 0, "malloc_stats wrote on stdout: %s", r.out);
    // The last line is glibc's, for those who read its figures.
    r.err[r.nerr - 1] = '\0';
    const char *last = strrchr(r.err, '\n');
    unsigned long nbytes = 0;
    cr_assert(last && sscanf(last, "\nmax mmap bytes   = %lu", &nbytes) == 1 &&
                  nbytes >= 12345,
              "%s", r.err);
    spawn_free(&r);
}

// next_line cuts the first line off *text.
static char *next_line(char **text) {
    char *line = *text;
    char *end = line + strcspn(line, "\n");
    *text = *end ? end + 1 : end;
    *end = '\0';
    return line;
}

// same_transcript compares what glibc and mound answer, line by line.
static void same_transcript(const char *const *env) {
    struct spawn_result theirs = run(NULL, NULL, "contracts/entrypoints", NULL);
    struct spawn_result ours =
        run(spawn_lib(), env, "contracts/entrypoints", NULL);
    cr_assert(spawn_exited(&theirs, 0), "%s", spawn_describe(&theirs));
    cr_assert(spawn_exited(&ours, 0), "%s", spawn_describe(&ours));
    cr_assert(theirs.nout > 0, "glibc's transcript is empty");

    char *a = theirs.out;
    char *b = ours.out;
    int ndifferent = 0;
    while (*a || *b) {
        char *want = next_line(&a);
        char *have = next_line(&b);
        if (strcmp(want, have) != 0 && ndifferent++ < MAX_ARGS) {
            fprintf(stderr, "glibc: %s\nmound: %s\n", want, have);
        }
    }
    cr_assert(ndifferent == 0, "%d lines differ", ndifferent);
    spawn_free(&theirs);
    spawn_free(&ours);
}

Test(contracts, every_entry_point_answers_as_glibc_does) {
    same_transcript(NULL);
}

Test(contracts, every_entry_point_answers_as_glibc_does_when_hardened) {
    same_transcript((const char *const[]){"MOUND_HARDENED=1", NULL});
}

// denied runs the workload with system calls denied, in each of the two ways in
// which filters deny.
#define denied(when, ...)                                                      \
    do {                                                                       \
        passes("seccomp", "EPERM", when, __VA_ARGS__);                         \
        passes("seccomp", "ENOSYS", when, __VA_ARGS__);                        \
    } while (0)

Test(seccomp, madvise_denied_from_the_start) {
    denied("start", "madvise");
}

Test(seccomp, madvise_denied_later) {
    denied("later", "madvise");
}

Test(seccomp, mremap_denied_from_the_start) {
    denied("start", "mremap");
}

Test(seccomp, mremap_denied_later) {
    denied("later", "mremap");
}

// The dynamic linker itself needs mprotect: it can only be denied later.
Test(seccomp, mprotect_denied_later) {
    denied("later", "mprotect");
}

Test(seccomp, prctl_denied_from_the_start) {
    denied("start", "prctl");
}

Test(seccomp, getrandom_denied_from_the_start) {
    denied("start", "getrandom");
}

Test(seccomp, all_denied_from_the_start_but_mprotect) {
    denied("start", "madvise", "mremap", "prctl", "getrandom");
}

Test(seccomp, all_denied_later) {
    denied("later", "madvise", "mremap", "mprotect", "prctl", "getrandom");
}

// survives_at runs a phase of a program under a filter that kills for all that glibc's
// malloc does not call, without and with what mound may be told to write.
static void survives_at(const char *rate, const char *phase, const char *who,
                        int code) {
    static const char *const settings[] = {
        "MOUND_MISUSE=abort", "MOUND_STATS=1", "MOUND_STATS=/dev/./null",
        "MOUND_PROFILE=/dev/./null", "MOUND_GUARD=1"};
    bool watched = strcmp(who, "prctl") == 0 || strcmp(phase, "opens") == 0;
    for (size_t i = 0; i < (watched ? sizeof settings / sizeof *settings : 1);
         i++) {
        const char *const argv[] = {spawn_probe("contracts/syscalls"), phase,
                                    who, NULL};
        const char *const env[] = {settings[i], rate, NULL};
        struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
        struct spawn_result r = spawn_run(&cmd);
        if (spawn_exited(&r, SKIPPED)) {
            cr_skip("no filters here");
        }
        cr_assert(spawn_exited(&r, code) && r.nerr == 0, "%s %s: %s", phase,
                  settings[i], spawn_describe(&r));
        spawn_free(&r);
    }
}

static void survives(const char *phase, const char *who, int code) {
    survives_at("MOUND_PROFILE_RATE=65536", phase, who, code);
}

Test(kill, what_malloc_calls_is_what_glibcs_malloc_calls) {
    survives("work", "prctl", 0);
}

Test(kill, what_malloc_calls_under_a_filter_that_nobody_saw_come) {
    survives("work", "raw", 0);
    survives("fork", "raw", 0);
    survives("exit", "raw", FILTERED_STATUS);
    survives("_exit", "raw", FILTERED_STATUS);
}

Test(kill, before_the_first_call_of_malloc) {
    survives("first", "prctl", 0);
}

Test(kill, objects_that_were_sampled_before_are_freed) {
    survives("earlier", "prctl", 0);
}

Test(kill, a_report_of_misuse_has_no_stack) {
    const char *const argv[] = {spawn_probe("contracts/syscalls"), "misuse",
                                "prctl", NULL};
    const char *const env[] = {"MOUND_MISUSE=report", "MOUND_HARDENED=1",
                               "MOUND_PROFILE=/dev/./null",
                               "MOUND_PROFILE_RATE=1", NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    if (spawn_exited(&r, SKIPPED)) {
        cr_skip("no filters here");
    }
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    cr_assert(strstr(r.err, "mound: free(): double free") == r.err &&
                  strstr(r.err, "MOUND_UNWIND") == NULL,
              "%s", r.err);
    spawn_free(&r);
}

Test(kill, threads_that_work_and_end) {
    survives("threads", "prctl", 0);
}

Test(kill, a_child_of_fork) {
    survives("fork", "prctl", 0);
}

Test(kill, an_exit_status_that_stays_what_it_is) {
    survives("exit", "prctl", FILTERED_STATUS);
    survives("_exit", "prctl", FILTERED_STATUS);
}

Test(kill, for_opening_files_only) {
    survives("opens", "prctl", FILTERED_STATUS);
    survives("opens", "raw", FILTERED_STATUS);
}

Test(seccomp, a_mask_of_signals_that_may_not_be_added_to_stays) {
    survives("mask", "raw", 0);
    survives("mask", "prctl", 0);
}

Test(kill, strict_mode) {
    survives("strict", "prctl", FILTERED_STATUS);
    survives_at("MOUND_PROFILE_RATE=1", "strict", "prctl", FILTERED_STATUS);
}

Test(kill, for_reading_the_time_stamp_counter) {
    // No filter comes, so all is written as without.
    survives("tsc", "raw", FILTERED_STATUS);
    survives_at("MOUND_WATCH=1", "tsc", "raw", FILTERED_STATUS);
    survives_at("MOUND_STATS=/dev/./null", "tsc", "raw", FILTERED_STATUS);
}

// Limits on address space and on data, in MiB: the least of them both for the whole
// life of the program and from some moment on.
#define limited(which, mib)                                                    \
    do {                                                                       \
        passes("limit_memory", which, "self", mib);                            \
        passes("limit_memory", which, "start", mib);                           \
    } while (0)

Test(limits, address_space_of_64_mib) {
    limited("as", "64");
}

Test(limits, address_space_of_100_mib) {
    limited("as", "100");
}

Test(limits, address_space_of_256_mib) {
    passes("limit_memory", "as", "self", "256");
}

Test(limits, data_of_64_mib) {
    limited("data", "64");
}

Test(limits, data_of_256_mib) {
    passes("limit_memory", "data", "start", "256");
}

Test(limits, strict_overcommit) {
    passes("limit_memory", "overcommit");
}

Test(limits, all_memory_locked) {
    passes("mlockall");
}

Test(limits, many_large_objects_in_few_mappings) {
    passes("many_mappings");
    passes("many_mappings", "grow");
}

static void at_limit(const char *way, const char *most, const char *limit) {
    const char *const args[] = {way, most, NULL};
    const char *const env[] = {limit, NULL};
    probe_passes_with(spawn_lib(), args, env, "contracts/memlimit");
}

Test(limit, nothing_is_kept_near_it) {
    at_limit("keeps", "92", "MOUND_MEMLIMIT=80MiB"); // 95 without
}

Test(limit, is_soft) {
    at_limit("above", NULL, "MOUND_MEMLIMIT=64MiB");
}

Test(limit, is_no_reason_to_thrash) {
    at_limit("thrash", NULL, "MOUND_MEMLIMIT=64MiB");
}

Test(limit, how_often_it_was_exceeded_is_in_the_dump) {
    const char *argv[] = {spawn_probe("contracts/memlimit"), "above", NULL};
    const char *env[] = {"MOUND_MEMLIMIT=64MiB", "MOUND_STATS=1", NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    unsigned long times = 0;
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    const char *row = strstr(r.err, "  limit ");
    cr_assert(row &&
                  sscanf(row, " limit 64.0 MiB (MOUND_MEMLIMIT), exceeded %lu",
                         &times) == 1 &&
                  times == 1,
              "%s", r.err);
    spawn_free(&r);
}

// idle is a row of the table in preload/memory.md.
#define idle(setting, ...)                                                     \
    do {                                                                       \
        const char *const args[] = {__VA_ARGS__, NULL};                        \
        const char *const env[] = {setting, NULL};                             \
        probe_passes_with(spawn_lib(), args, env, "contracts/idle");           \
    } while (0)

Test(idle, a_thread_that_only_sleeps_keeps_little) {
    idle("MOUND_DECAY=1", "sleeps", "2", "28");
}

Test(idle, a_thread_that_goes_on_returns_the_rest) {
    idle("MOUND_DECAY=1", "works", "10", "12");
}

Test(idle, threads_that_sleep_return_the_rest) {
    idle("MOUND_DECAY=1", "threads", "10", "12");
}

Test(idle, a_helper_returns_the_rest_of_the_only_thread) {
    idle("MOUND_HELPER=always", "sleeps", "10", "12");
}

Test(idle, a_short_half_life_returns_it_sooner) {
    idle("MOUND_DECAY=0.2", "threads", "3", "12");
}

Test(idle, no_half_life_returns_it_at_once) {
    idle("MOUND_DECAY=0", "sleeps", "1", "8");
}

Test(idle, a_trace_tells_what_was_returned) {
    const char *argv[] = {spawn_probe("contracts/idle"), "sleeps", "2", "28",
                          NULL};
    const char *env[] = {"MOUND_TRACE=scav", NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    unsigned long released = 0, nruns = 0, us = 0, unused = 0, used = 0;
    unsigned long total = 0;
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    char *text = r.err;
    while (*text) {
        const char *line = next_line(&text);
        cr_assert(
            sscanf(line,
                   "mound: scav %lu KiB in %lu %*[runs] (free), %lu us, %lu "
                   "KiB idle, %lu KiB in use",
                   &released, &nruns, &us, &unused, &used) == 5,
            "%s", line);
        total += released;
    }
    cr_assert(total > 100 * 1024, "%lu KiB", total);
    spawn_free(&r);
}

Test(memory, nothing_is_lost_at_the_limit_of_mappings) {
    passes("many_mappings", "full", "0");
    passes("many_mappings", "full", "10");
    passes("many_mappings", "full", "100");
    passes("many_mappings", "full", "1000");
}

Test(memory, a_peak_returns_to_the_system_from_one_thread) {
    passes("rss_returns", "single", "512");
}

Test(memory, a_peak_returns_to_the_system_from_sleeping_threads) {
    passes("rss_returns", "threads", "512");
}

Test(memory, a_peak_of_huge_objects_returns_to_the_system) {
    passes("rss_returns", "large", "512");
}

Test(memory, pages_free_inside_spans_return_while_a_program_goes_on) {
    passes("holes", "single");
}

Test(memory, pages_free_inside_spans_return_while_all_threads_sleep) {
    passes("holes", "threads");
}

Test(memory, pages_free_inside_spans_return_at_once_by_trim) {
    passes("holes", "trim");
}

Test(memory, pages_free_inside_spans_return_beside_forks) {
    passes("holes", "fork");
}

Test(memory, trim_returns_everything_at_once) {
    passes("rss_returns", "trim", "512");
}

Test(memory, trim_returns_what_lies_between_live_objects) {
    passes("trim_around_live");
}

// watched runs the probe of those who watch memory go, in front of mound or not.
static void watched(const char *how, const char *in_front) {
    char preload[2048];
    snprintf(preload, sizeof preload, "%s%s%s", in_front,
             in_front[0] != '\0' ? ":" : "", spawn_lib());
    const char *const alone[] = {how, NULL};
    const char *const with_threads[] = {how, "threads", NULL};
    probe_passes_with(preload, alone, NULL, "memwatch");
    probe_passes_with(preload, with_threads, NULL, "memwatch");
}

Test(memory, that_goes_is_told_to_functions_preloaded_in_front) {
    watched("preload", spawn_probe("memwatch.so"));
}

Test(memory, that_goes_is_told_to_functions_entered_in_our_table) {
    watched("table", "");
}

Test(memory, that_goes_is_told_to_functions_that_a_jump_leads_to) {
    watched("code", "");
}

Test(memory, freed_address_space_serves_other_sizes) {
    passes("reuse_space");
}

Test(memory, a_forked_child_dirties_nothing_by_freeing) {
    passes("cow");
}

Test(process, is_left_as_it_was) {
    passes("manners");
}

// asan_run starts a program that was built with AddressSanitizer, if it was.
static void asan_run(const char *name, const char *arg, int code) {
    if (access(spawn_probe(name), X_OK) != 0) {
        cr_skip("built without AddressSanitizer");
    }
    const char *const env[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
    struct spawn_result r = run(spawn_lib(), env, name, arg);
    cr_assert(spawn_exited(&r, code), "%s %s", name, spawn_describe(&r));
    bool found = strstr(r.err, "heap-buffer-overflow") != NULL;
    cr_assert(found == (code != 0), "%s %s", name, r.err);
    spawn_free(&r);
}

Test(process, with_a_sanitizer_in_a_library_keeps_the_sanitizers_malloc) {
    asan_run("contracts/asan_app", NULL, 0);
    asan_run("contracts/asan_app", "badly", 1);
}

Test(process, with_a_sanitizer_inside_keeps_the_sanitizers_malloc) {
    asan_run("contracts/asan_app_static", NULL, 0);
    asan_run("contracts/asan_app_static", "badly", 1);
}
