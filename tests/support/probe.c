// probe.c: see probe.h.
#include "probe.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

enum { MAX_LIST = 30, EXIT_SKIPPED = 77 };

void probe_passes_with(const char *preload, const char *const *args,
                       const char *const *env, const char *name) {
    const char *argv[MAX_LIST + 2] = {spawn_probe(name)};
    for (size_t i = 0; args && args[i] && i < MAX_LIST; i++) {
        argv[i + 1] = args[i];
    }
    struct spawn cmd = {.argv = argv, .env = env, .preload = preload};
    struct spawn_result r = spawn_run(&cmd);
    if (spawn_exited(&r, EXIT_SKIPPED)) {
        cr_skip_test("%s", r.err);
    }
    cr_assert(spawn_exited(&r, 0), "%s %s", name, spawn_describe(&r));
    cr_assert(r.nerr == 0, "%s wrote on stderr: %s", name, spawn_describe(&r));
    spawn_free(&r);
}

void probe_passes(const char *name, ...) {
    const char *env[MAX_LIST + 1] = {0};
    va_list list;
    va_start(list, name);
    for (size_t i = 0; i < MAX_LIST; i++) {
        env[i] = va_arg(list, const char *);
        if (!env[i]) {
            break;
        }
    }
    va_end(list);
    probe_passes_with(spawn_lib(), NULL, env, name);
}
