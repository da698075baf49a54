// Signal handlers that allocate, deadly ones too, and errno (traps 33, 34, 36).
#include <criterion/criterion.h>
#include <string.h>

#include "probe.h"

static void survives_storm(const char *threads, const char *env) {
    const char *const args[] = {threads, NULL};
    const char *const envs[] = {env, NULL};
    probe_passes_with(spawn_lib(), args, envs, "signal_storm");
}

Test(signals, handlers_interrupt_slow_paths) {
    survives_storm(NULL, NULL);
}

Test(signals, handlers_interrupt_slow_paths_of_threads) {
    survives_storm("threads", NULL);
}

Test(signals, handlers_interrupt_slow_paths_in_hardened_mode) {
    survives_storm(NULL, "MOUND_HARDENED=1");
}

Test(signals, a_handler_of_segv_allocates) {
    static const char *const args[] = {"segv", NULL};
    probe_passes_with(spawn_lib(), args, NULL, "fatal_signal");
}

Test(signals, a_handler_of_abort_allocates) {
    static const char *const args[] = {"abort", NULL};
    probe_passes_with(spawn_lib(), args, NULL, "fatal_signal");
}

static void handler_survives_misuse(const char *env) {
    const char *const argv[] = {spawn_probe("fatal_signal"), "misuse", NULL};
    const char *const envs[] = {env, NULL};
    struct spawn cmd = {.argv = argv, .env = envs, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    cr_assert(strcmp(r.out, "handled\n") == 0, "%s", spawn_describe(&r));
    cr_assert(r.nerr > 0, "the misuse was not reported");
    spawn_free(&r);
}

Test(signals, a_handler_of_our_own_abort_allocates) {
    handler_survives_misuse(NULL);
}

Test(signals, a_handler_of_our_own_abort_allocates_in_hardened_mode) {
    handler_survives_misuse("MOUND_HARDENED=1");
}

Test(signals, errno_is_kept) {
    probe_passes("errno_kept", NULL);
}

Test(signals, errno_is_kept_in_hardened_mode) {
    probe_passes("errno_kept", "MOUND_HARDENED=1", NULL);
}
