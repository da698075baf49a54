// How the library gets into a program and through its first calls (traps 1-7,
// 10, 12, 48).
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "probe.h"

static void first_call_is(const char *name) {
    const char *const args[] = {name, NULL};
    probe_passes_with(spawn_lib(), args, NULL, "first_call");
}

Test(startup, any_function_may_be_called_first) {
    static const char *const names[] = {
        "free",         "malloc",      "calloc",        "realloc",
        "reallocarray", "memalign",    "aligned_alloc", "posix_memalign",
        "large",        "usable_size", "trim",          "mallinfo2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        first_call_is(names[i]);
    }
}

Test(startup, an_ifunc_resolver_may_allocate) {
    probe_passes("ifunc", NULL);
}

Test(startup, an_ifunc_resolver_may_allocate_in_hardened_mode) {
    probe_passes("ifunc", "MOUND_HARDENED=1", NULL);
}

Test(startup, constructors_and_destructors_of_others_allocate) {
    probe_passes("constructors", NULL);
}

Test(startup, another_library_may_want_to_be_first) {
    char preload[5000];
    // spawn_probe has one buffer, so the path is put in place at once.
    snprintf(preload, sizeof preload, "%s:%s", spawn_probe("initfirst.so"),
             spawn_lib());
    probe_passes_with(preload, NULL, NULL, "constructors");
    snprintf(preload, sizeof preload, "%s:%s", spawn_lib(),
             spawn_probe("initfirst.so"));
    probe_passes_with(preload, NULL, NULL, "constructors");
}

Test(startup, calls_that_others_interpose_are_never_made) {
    char preload[5000];
    snprintf(preload, sizeof preload, "%s:%s", spawn_probe("busy_calls.so"),
             spawn_lib());
    probe_passes_with(preload, NULL, NULL, "busy_calls");

    // With a dump at exit too: it must arrive as ever.
    const char *const argv[] = {spawn_probe("busy_calls"), NULL};
    const char *const env[] = {"MOUND_STATS=1", NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = preload};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    cr_assert(strstr(r.err, "busy_calls") && strstr(r.err, "  mallocs  "),
              "no dump: %s", spawn_describe(&r));
    spawn_free(&r);
}

Test(startup, calls_that_others_interpose_may_allocate_while_options_are_read) {
    static const char *const envs[][2] = {
        {"MOUND_HARDENED=1", NULL},
        {"MOUND_MISUSE=report", NULL},
        {"MOUND_PROFILE_SIGNAL=USR1", NULL}, // this does call strcmp
    };
    char preload[5000];
    snprintf(preload, sizeof preload, "%s:%s", spawn_probe("busy_calls.so"),
             spawn_lib());
    for (size_t i = 0; i < sizeof envs / sizeof envs[0]; i++) {
        const char *const argv[] = {spawn_probe("first_call"), "malloc", NULL};
        struct spawn cmd = {
            .argv = argv, .env = envs[i], .preload = preload, .timeout_s = 10};
        struct spawn_result r = spawn_run(&cmd);
        cr_assert(spawn_exited(&r, 0), "%s: %s", envs[i][0],
                  spawn_describe(&r));
        spawn_free(&r);
    }
}

Test(startup, a_program_with_a_malloc_of_its_own_is_left_alone) {
    probe_passes("own_malloc", NULL);
}

Test(startup, a_wrapper_in_front_passes_on_to_us) {
    char preload[5000];
    static const char *const args[] = {"mound", NULL};
    snprintf(preload, sizeof preload, "%s:%s", spawn_probe("wrapper.so"),
             spawn_lib());
    probe_passes_with(preload, args, NULL, "wrapped");
}

Test(startup, switched_off_it_serves_nothing) {
    static const char *const off[] = {"off", NULL};
    static const char *const on[] = {"on", NULL};
    static const char *const env_off[] = {"MOUND_OFF=1", NULL};
    static const char *const env_on[] = {"MOUND_OFF=0", NULL};
    probe_passes_with(spawn_lib(), off, env_off, "off");
    probe_passes_with(spawn_lib(), on, env_on, "off");
    probe_passes_with(spawn_lib(), on, NULL, "off");
}

Test(startup, it_may_be_opened_late_without_preload) {
    const char *const args[] = {spawn_lib(), NULL};
    probe_passes_with(NULL, args, NULL, "loaded_late");
}

Test(startup, glibcs_debugging_library_may_stand_on_either_side) {
    static const char debugging[] = "libc_malloc_debug.so.0";
    for (int in_front = 0; in_front < 2; in_front++) {
        char preload[5000];
        snprintf(preload, sizeof preload, "%s:%s",
                 in_front ? debugging : spawn_lib(),
                 in_front ? spawn_lib() : debugging);
        const char *const argv[] = {spawn_probe("first_call"), "malloc", NULL};
        static const char *const env[] = {"MALLOC_CHECK_=3", NULL};
        struct spawn cmd = {.argv = argv, .env = env, .preload = preload};
        struct spawn_result r = spawn_run(&cmd);
        if (strstr(r.err, debugging)) {
            cr_skip_test("there is no such library here");
        }
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
        spawn_free(&r);
    }
}

Test(startup, operators_of_cxx_throw_and_call_their_handler) {
    static const char *const settings[] = {"MOUND_OFF=0", "MOUND_HARDENED=1",
                                           "MOUND_HARDENED=2", "MOUND_OFF=1",
                                           "MOUND_PROFILE_RATE=1"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        probe_passes("operators", settings[i], NULL);
        probe_passes("linked_operators", settings[i], NULL);
    }
    char preload[5000];
    snprintf(preload, sizeof preload, "%s:%s", spawn_probe("wrapper.so"),
             spawn_lib());
    probe_passes_with(preload, NULL, NULL, "operators");
}

Test(startup, what_is_passed_on_leads_to_who_is_behind) {
    char preload[5000];
    snprintf(preload, sizeof preload, "%s:%s", spawn_lib(),
             spawn_probe("behind.so"));
    probe_passes_with(preload, NULL, NULL, "passed_on");
}

Test(startup, operators_need_no_cxx_library_before_memory_runs_out) {
    static const char *const late[] = {"late", NULL};
    probe_passes_with(spawn_lib(), late, NULL, "operators_bare");

    const char *const argv[] = {spawn_probe("operators_bare"), "none", NULL};
    struct spawn cmd = {.argv = argv, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_signalled(&r, SIGABRT), "%s", spawn_describe(&r));
    cr_assert(strcmp(r.err, "mound: fatal: operator new: out of memory, and no "
                            "C++ library to throw std::bad_alloc\n") == 0,
              "%s", r.err);
    spawn_free(&r);
}

// A size that is too small does no harm, and programs live with it: by default mound
// does not end them.
static bool lives_with(const char *what, size_t setting) {
    return setting == 0 &&
           (strcmp(what, "array") == 0 || strcmp(what, "class") == 0 ||
            strcmp(what, "base") == 0 || strcmp(what, "unaligned") == 0);
}

static unsigned count(const char *text, const char *part) {
    unsigned n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

Test(startup, delete_of_another_size_is_reported_in_all_modes) {
    static const char *const settings[] = {"MOUND_OFF=0", "MOUND_HARDENED=1",
                                           "MOUND_HARDENED=2"};
    static const char *const wrong[] = {"one",   "array", "aligned",  "large",
                                        "class", "base",  "unaligned"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        probe_passes("sized_delete", settings[i], NULL);
        for (size_t j = 0; j < sizeof wrong / sizeof wrong[0]; j++) {
            const char *const argv[] = {spawn_probe("sized_delete"), wrong[j],
                                        NULL};
            const char *const env[] = {settings[i], NULL};
            struct spawn cmd = {
                .argv = argv, .env = env, .preload = spawn_lib()};
            struct spawn_result r = spawn_run(&cmd);
            bool ended = lives_with(wrong[j], i) ? spawn_exited(&r, 0)
                                                 : spawn_signalled(&r, SIGABRT);
            cr_assert(ended && count(r.err, "operator delete()") == 1,
                      "%s %s: %s", settings[i], wrong[j], spawn_describe(&r));
            spawn_free(&r);
        }
    }
    // Who passes on knows no sizes.
    probe_passes("sized_delete", "MOUND_OFF=1", NULL);
}

Test(startup, a_replaced_operator_delete_is_not_passed_by) {
    probe_passes("replaced_delete", NULL);
    probe_passes("replaced_new", NULL);
}

Test(startup, nothing_is_said_unasked) {
    static const char *const argv[] = {"/bin/true", NULL};
    struct spawn cmd = {.argv = argv, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nout == 0 && r.nerr == 0, "%s",
              spawn_describe(&r));
    spawn_free(&r);
}

Test(startup, an_empty_environment_will_do) {
    static const char *const argv[] = {"/bin/true", NULL};
    struct spawn cmd = {.argv = argv, .preload = spawn_lib(), .bare_env = true};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nout == 0 && r.nerr == 0, "%s",
              spawn_describe(&r));
    spawn_free(&r);
}

// run_copy runs the copy of the probe, asks it for a dump by path, and expects
// it to find itself "secure" or "plain".
static void run_copy(const struct folder *folder, const char *expected) {
    char setting[700];
    snprintf(setting, sizeof setting, "MOUND_STATS=%s",
             folder_join(folder, "stats"));
    const char *const argv[] = {folder_join(folder, "secure"), NULL};
    const char *const env[] = {setting, "MOUND_HARDENED=1", NULL};
    struct spawn cmd = {.argv = argv, .env = env};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    if (strncmp(r.out, expected, strlen(expected)) != 0) {
        folder_remove(folder);
        cr_skip_test("set-user-ID has no effect in this place");
    }
    spawn_free(&r);
}

Test(startup, a_set_user_id_program_writes_no_file_that_its_user_names) {
    if (geteuid() != 0) {
        cr_skip_test("only root can give a file to another user");
    }
    struct folder folder = folder_make();
    char copy[5000];
    snprintf(copy, sizeof copy, "cp '%s' '%s'", spawn_probe("secure"),
             folder_join(&folder, "secure"));
    cr_assert(system(copy) == 0 && chmod(folder.path, 0777) == 0, "copy");

    run_copy(&folder, "plain");
    cr_assert(folder_has(&folder, "stats"), "no dump of the plain program");
    unlink(folder_join(&folder, "stats"));

    enum { NOBODY = 65534 };
    const char *path = folder_join(&folder, "secure");
    cr_assert(chown(path, NOBODY, NOBODY) == 0 && chmod(path, 04755) == 0,
              "chown");
    run_copy(&folder, "secure");
    cr_assert(!folder_has(&folder, "stats"),
              "a set-user-ID program wrote the file that its user named");
    folder_remove(&folder);
}
