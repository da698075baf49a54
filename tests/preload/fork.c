// fork in all its forms (traps 23-32).
#include <criterion/criterion.h>

#include "probe.h"

static void forks_beside(const char *how, const char *others, const char *env) {
    const char *const args[] = {how, others, NULL};
    const char *const envs[] = {env, NULL};
    probe_passes_with(spawn_lib(), args, envs, "fork_busy");
}

Test(fork, others_are_inside_malloc) {
    forks_beside("fork", "busy", NULL);
}

Test(fork, others_are_inside_malloc_in_hardened_mode) {
    forks_beside("fork", "busy", "MOUND_HARDENED=1");
}

Test(fork, others_hold_full_caches) {
    forks_beside("fork", "quiet", NULL);
}

// No handlers run with these.
static const char *const bare_ways[] = {"_Fork", "SYS_fork", "SYS_clone"};

Test(fork, others_hold_full_caches_and_no_handlers_run) {
    for (size_t i = 0; i < sizeof bare_ways / sizeof bare_ways[0]; i++) {
        forks_beside(bare_ways[i], "quiet", NULL);
    }
}

Test(fork, others_have_no_caches_and_no_handlers_run) {
    forks_beside("_Fork", "quiet", "MOUND_HARDENED=1");
}

Test(fork, others_are_inside_malloc_and_no_handlers_run) {
    for (size_t i = 0; i < sizeof bare_ways / sizeof bare_ways[0]; i++) {
        forks_beside(bare_ways[i], "busy", NULL);
    }
}

Test(fork, handlers_of_others_allocate) {
    probe_passes("atfork", NULL);
}

Test(fork, others_are_inside_stdio) {
    probe_passes("fork_stdio", NULL);
}

Test(fork, a_signal_handler_forks_out_of_malloc) {
    probe_passes("fork_signal", NULL);
}

Test(fork, a_signal_handler_forks_out_of_malloc_beside_threads) {
    static const char *const args[] = {"threads", NULL};
    probe_passes_with(spawn_lib(), args, NULL, "fork_signal");
}

Test(fork, a_signal_handler_forks_out_of_malloc_beside_walks_over_the_heap) {
    static const char *const args[] = {"walks", NULL};
    probe_passes_with(spawn_lib(), args, NULL, "fork_signal");
}

Test(fork, vfork_and_posix_spawn_leave_the_parent_whole) {
    probe_passes("spawning", NULL);
}

Test(fork, a_child_goes_on_counting) {
    probe_passes("fork_stats", NULL);
}

Test(fork, a_child_does_not_pay_for_its_parents_threads) {
    static const char *const ways[] = {"fork", "_Fork"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const char *const args[] = {ways[i], NULL};
        probe_passes_with(spawn_lib(), args, NULL, "fork_threads");
    }
}

Test(fork, a_single_threaded_program_stays_one) {
    probe_passes("lonely", NULL);
}

Test(fork, frees_in_a_child_copy_no_pages) {
    probe_passes("copy_on_write", NULL);
}
