// fork in all its forms (traps 23-32).
#include <criterion/criterion.h>

#include "probe.h"

static void forks_while_busy(const char *how, const char *env) {
    const char *const args[] = {how, NULL};
    const char *const envs[] = {env, NULL};
    probe_passes_with(spawn_lib(), args, envs, "fork_busy");
}

Test(fork, others_are_inside_malloc) {
    forks_while_busy("fork", NULL);
}

Test(fork, others_are_inside_malloc_in_hardened_mode) {
    forks_while_busy("fork", "MOUND_HARDENED=1");
}

Test(fork, no_handlers_run_with_underscore_fork) {
    forks_while_busy("_Fork", NULL);
}

Test(fork, no_handlers_run_with_the_fork_system_call) {
#ifdef __x86_64__
    forks_while_busy("SYS_fork", NULL);
#else
    cr_skip_test("this machine has no such system call");
#endif
}

Test(fork, no_handlers_run_with_the_clone_system_call) {
    forks_while_busy("SYS_clone", NULL);
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

Test(fork, vfork_and_posix_spawn_leave_the_parent_whole) {
    probe_passes("spawning", NULL);
}

Test(fork, a_child_goes_on_counting) {
    probe_passes("fork_stats", NULL);
}

Test(fork, a_single_threaded_program_stays_one) {
    probe_passes("lonely", NULL);
}

Test(fork, frees_in_a_child_copy_no_pages) {
    probe_passes("copy_on_write", NULL);
}
