// Threads: keys, TLS, stacks, and how they end (traps 14-22).
#include <criterion/criterion.h>

#include "probe.h"

Test(threads, all_pthread_keys_are_used) {
    probe_passes("keys", NULL);
}

Test(threads, destructors_of_all_rounds_allocate) {
    probe_passes("thread_exit", NULL);
}

Test(threads, destructors_of_all_rounds_allocate_in_hardened_mode) {
    probe_passes("thread_exit", "MOUND_HARDENED=1", NULL);
}

Test(threads, destructors_of_thread_locals_allocate) {
    probe_passes("thread_locals", NULL);
}

Test(threads, blocks_outlive_their_thread) {
    probe_passes("orphans", NULL);
}

Test(threads, ten_thousand_come_and_go) {
    probe_passes("short_threads", NULL);
}

Test(threads, a_thousand_sleep_and_hold_little) {
    probe_passes("sleeping_threads", NULL);
}

static void runs_on_small(const char *which) {
    const char *const args[] = {which, NULL};
    probe_passes_with(spawn_lib(), args, NULL, "small_stack");
}

Test(threads, the_smallest_stack_is_enough) {
    runs_on_small("thread");
}

Test(threads, an_alternate_signal_stack_is_enough) {
    runs_on_small("signal");
}

Test(threads, the_stack_of_a_coroutine_is_enough) {
    runs_on_small("coroutine");
}

Test(threads, no_call_is_a_cancellation_point) {
    probe_passes("cancel", NULL);
}

Test(threads, a_child_may_share_memory_and_tls) {
    probe_passes("raw_clone", NULL);
}

static void helper_is_in_no_way_of(const char *what) {
    const char *const args[] = {what, NULL};
    probe_passes_with(spawn_lib(), args, NULL, "rights");
}

Test(helper, gives_up_its_rights_with_the_program) {
    helper_is_in_no_way_of("users");
}

Test(helper, can_do_nothing_but_return_memory) {
    helper_is_in_no_way_of("confined");
}

Test(helper, is_gone_for_setns_and_unshare) {
    helper_is_in_no_way_of("spaces");
}

Test(helper, is_gone_for_a_fork_of_the_only_thread) {
    helper_is_in_no_way_of("forks");
}

Test(helper, lets_a_filter_be_set_for_all_threads) {
    helper_is_in_no_way_of("filters");
}

Test(helper, is_not_started_where_all_threads_have_ended) {
    helper_is_in_no_way_of("alone");
}
