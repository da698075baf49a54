// Environment variables: a malformed one gives one line, then the default.
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "probe.h"

static int count_lines(const char *text) {
    int n = 0;
    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

// run_with runs a probe with one argument (or none) and one setting.
static struct spawn_result run_with(const char *setting, const char *probe,
                                    const char *arg) {
    const char *const argv[] = {probe[0] == '/' ? probe : spawn_probe(probe),
                                arg, NULL};
    const char *const env[] = {setting, NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    return spawn_run(&cmd);
}

// one_line_names asserts that stderr holds one line with that name in it.
static void one_line_names(struct spawn_result *r, const char *name) {
    cr_assert(count_lines(r->err) == 1 && r->nerr > 0 &&
                  r->err[r->nerr - 1] == '\n',
              "not one line: %s", spawn_describe(r));
    cr_assert(strstr(r->err, name), "the line does not name %s: %s", name,
              spawn_describe(r));
    cr_assert(r->nerr < 400, "a very long line: %s", spawn_describe(r));
    for (size_t i = 0; i + 1 < r->nerr; i++) {
        cr_assert(r->err[i] >= ' ' && r->err[i] < 0x7f,
                  "control characters reached stderr");
    }
}

Test(options, a_malformed_variable_gives_one_line) {
    static char long_value[9000];
    memcpy(long_value, "MOUND_MISUSE=", strlen("MOUND_MISUSE="));
    memset(long_value + strlen(long_value), 'x', 8000);
    static char long_path[9000];
    memcpy(long_path, "MOUND_STATS=", strlen("MOUND_STATS="));
    memset(long_path + strlen(long_path), 'x', 8000);
    const char *const settings[] = {
        "MOUND_HARDENED=x", "MOUND_HARDENED=11",    "MOUND_HARDENED= 1",
        "MOUND_MISUSE=foo", "MOUND_MISUSE=ABORT",   "MOUND_OFF=perhaps",
        "MOUND_DEEPBIND=x", "MOUND_THP=sometimes",  long_value,
        long_path,          "MOUND_MISUSE=a\nb\nc", "MOUND_OFF=\033[31m",
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char name[40];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(settings[i], "="),
                 settings[i]);
        struct spawn_result r = run_with(settings[i], "/bin/true", NULL);
        cr_assert(spawn_exited(&r, 0) && r.nout == 0, "%s: %s", name,
                  spawn_describe(&r));
        one_line_names(&r, name);
        spawn_free(&r);
    }
}

Test(options, a_good_variable_gives_none) {
    static const char *const settings[] = {
        "MOUND_STATS=0",      "MOUND_STATS=",        "MOUND_STATS=/dev/null",
        "MOUND_PROFILE=",     "MOUND_HARDENED=0",    "MOUND_HARDENED=1",
        "MOUND_MISUSE=abort", "MOUND_MISUSE=report", "MOUND_MISUSE=ignore",
        "MOUND_OFF=0",        "MOUND_OFF=1",         "MOUND_DEEPBIND=keep",
        "MOUND_THP=auto",     "MOUND_THP=never",     "MOUND_THP=always",
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct spawn_result r = run_with(settings[i], "/bin/true", NULL);
        cr_assert(spawn_exited(&r, 0) && r.nout == 0 && r.nerr == 0, "%s: %s",
                  settings[i], spawn_describe(&r));
        spawn_free(&r);
    }
}

Test(options, every_malformed_variable_gives_its_own_line) {
    static const char *const argv[] = {"/bin/true", NULL};
    static const char *const env[] = {"MOUND_OFF=x", "MOUND_HARDENED=x",
                                      "MOUND_MISUSE=x", NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && count_lines(r.err) == 3, "%s",
              spawn_describe(&r));
    spawn_free(&r);
}

Test(options, children_do_not_repeat_the_line) {
    struct spawn_result r = run_with("MOUND_MISUSE=foo", "exit_ways", "fork");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    one_line_names(&r, "MOUND_MISUSE");
    spawn_free(&r);
}

Test(options, the_line_comes_though_malloc_came_before_constructors) {
    struct spawn_result r = run_with("MOUND_MISUSE=foo", "ifunc", NULL);
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    one_line_names(&r, "MOUND_MISUSE");
    spawn_free(&r);
}

Test(options, after_the_line_the_default_holds) {
    // On is the default, and so is clearing RTLD_DEEPBIND.
    struct spawn_result r = run_with("MOUND_OFF=perhaps", "off", "on");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    one_line_names(&r, "MOUND_OFF");
    spawn_free(&r);

    r = run_with("MOUND_DEEPBIND=x", "deepbind", NULL);
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    one_line_names(&r, "MOUND_DEEPBIND");
    spawn_free(&r);

    // Misuse aborts by default: the handler of SIGABRT runs.
    r = run_with("MOUND_MISUSE=foo", "fatal_signal", "misuse");
    cr_assert(spawn_exited(&r, 0) && strcmp(r.out, "handled\n") == 0, "%s",
              spawn_describe(&r));
    spawn_free(&r);
}

Test(options, those_of_glibc_are_ignored) {
    static const char *const settings[] = {
        "MALLOC_ARENA_MAX=1", "MALLOC_PERTURB_=85", "MALLOC_CHECK_=3",
        "GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=85"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct spawn_result r = run_with(settings[i], "first_call", "malloc");
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s: %s", settings[i],
                  spawn_describe(&r));
        spawn_free(&r);
    }
}
