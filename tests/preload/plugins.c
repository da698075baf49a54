// Plugins: dlopen, RTLD_DEEPBIND, RUNPATH, namespaces (traps 8, 9, 42).
#include <criterion/criterion.h>

#include "probe.h"

Test(plugins, come_and_go_beside_threads) {
    probe_passes("plugin_loop", NULL);
}

Test(plugins, bound_deeply_they_free_what_libc_took_from_us) {
    probe_passes("deepbind", NULL);
}

Test(plugins, are_bound_deeply_when_asked_to) {
    static const char *const args[] = {"keep", NULL};
    static const char *const env[] = {"MOUND_DEEPBIND=keep", NULL};
    probe_passes_with(spawn_lib(), args, env, "deepbind");
}

Test(plugins, are_bound_deeply_when_it_is_switched_off) {
    static const char *const args[] = {"keep", NULL};
    static const char *const env[] = {"MOUND_OFF=1", NULL};
    probe_passes_with(spawn_lib(), args, env, "deepbind");
}

Test(plugins, are_found_by_the_runpath_of_their_caller) {
    probe_passes("runpath", NULL);
}

Test(plugins, live_in_namespaces_of_their_own) {
    probe_passes("namespaces", NULL);
}
