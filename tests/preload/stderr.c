// The dump on stderr when descriptor 2 is not what it was (trap 39): closed,
// or the number of a file, a socket, another program's. Nothing may ever be
// written to the wrong place.
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "probe.h"

static const char table_start[] = ", ended";

// run_fd2 runs the probe; its own file is in the folder under the name "own".
static struct spawn_result run_fd2(const struct folder *folder, const char *way,
                                   const char *setting) {
    const char *const argv[] = {spawn_probe("fd2"), way,
                                folder_join(folder, "own"), NULL};
    const char *const env[] = {setting, NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    return spawn_run(&cmd);
}

static void own_file_is(const struct folder *folder, const char *expected) {
    char *text = folder_read(folder, "own", NULL);
    cr_assert(text && strcmp(text, expected) == 0,
              "the program's own file holds: %s", text ? text : "(no file)");
    free(text);
}

static void dumped_on_stderr(const char *way) {
    struct folder folder = folder_make();
    struct spawn_result r = run_fd2(&folder, way, "MOUND_STATS=1");
    cr_assert(spawn_exited(&r, 0), "%s: %s", way, spawn_describe(&r));
    cr_assert(strstr(r.err, table_start) && strstr(r.err, "  mallocs  "),
              "%s: no dump: %s", way, spawn_describe(&r));
    cr_assert(r.nout == 0, "%s: wrote on stdout", way);
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, arrives_though_the_program_closed_it) {
    dumped_on_stderr("closed");
    dumped_on_stderr("stdio_closed");
}

Test(stderr_dump, arrives_though_all_above_it_was_closed) {
    dumped_on_stderr("closefrom3");
}

Test(stderr_dump, never_reaches_a_file_that_took_its_number) {
    struct folder folder = folder_make();
    struct spawn_result r = run_fd2(&folder, "file", "MOUND_STATS=1");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    own_file_is(&folder, "data\n");
    cr_assert(strstr(r.err, table_start), "no dump on the old stderr: %s",
              spawn_describe(&r));
    spawn_free(&r);
    folder_remove(&folder);
}

// own_file_lacks asserts that no report is in the program's own file.
static void own_file_lacks(const struct folder *folder, const char *word) {
    char *text = folder_read(folder, "own", NULL);
    cr_assert(text && !strstr(text, word), "the program's own file holds: %s",
              text ? text : "(no file)");
    free(text);
}

Test(stderr_dump, of_misuse_reaches_the_stderr_of_the_start) {
    static const char *const settings[] = {
        "MOUND_MISUSE=report", "MOUND_HARDENED=1", "MOUND_HARDENED=2"};
    for (size_t i = 0; i < 3; i++) {
        struct folder folder = folder_make();
        struct spawn_result r = run_fd2(&folder, "misuse_file", settings[i]);
        cr_assert(i == 0 ? spawn_exited(&r, 0) : spawn_signalled(&r, SIGABRT),
                  "%s: %s", settings[i], spawn_describe(&r));
        cr_assert(strstr(r.err, "mound: free(): "), "%s: no report: %s",
                  settings[i], spawn_describe(&r));
        own_file_is(&folder, "data\n");
        spawn_free(&r);
        folder_remove(&folder);
    }
}

Test(stderr_dump, of_misuse_is_in_no_data_without_options_either) {
    struct folder folder = folder_make();
    struct spawn_result r =
        run_fd2(&folder, "misuse_file", "MOUND_MISUSE=abort");
    own_file_lacks(&folder, "mound");
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, of_misuse_reaches_the_terminal_of_the_start) {
    struct folder folder = folder_make();
    char command[3000];
    snprintf(command, sizeof command, "LD_PRELOAD='%s' '%s' misuse_file '%s'",
             spawn_lib(), spawn_probe("fd2"), folder_join(&folder, "own"));
    const char *const argv[] = {"script", "-qc", command, "/dev/null", NULL};
    struct spawn cmd = {.argv = argv};
    struct spawn_result r = spawn_run(&cmd);
    if (spawn_exited(&r, 127)) {
        cr_skip_test("there is no script(1)");
    }
    cr_assert(strstr(r.out, "mound: free(): "), "%s", spawn_describe(&r));
    own_file_is(&folder, "data\n");
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, of_misuse_is_in_the_log_of_the_program) {
    struct folder folder = folder_make();
    struct spawn_result r =
        run_fd2(&folder, "misuse_log", "MOUND_MISUSE=abort");
    cr_assert(spawn_signalled(&r, SIGABRT), "%s", spawn_describe(&r));
    char *text = folder_read(&folder, "own", NULL);
    cr_assert(text && strstr(text, "mound: free(): "), "the log holds: %s",
              text ? text : "(no file)");
    free(text);
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, lets_nobody_wait_for_a_daemon) {
    static const char *const ways[] = {"daemon", "daemon_exec"};
    for (size_t i = 0; i < 8; i++) {
        struct folder folder = folder_make();
        char stats[900], profile[900];
        snprintf(stats, sizeof stats, "MOUND_STATS=%s",
                 folder_join(&folder, "stats"));
        snprintf(profile, sizeof profile, "MOUND_PROFILE=%s",
                 folder_join(&folder, "profile"));
        const char *const settings[] = {"MOUND_STATS=1", "MOUND_MISUSE=report",
                                        stats, profile};
        const char *const argv[] = {spawn_probe("fd2"), ways[i % 2], NULL};
        const char *const env[] = {settings[i / 2], NULL};
        struct spawn cmd = {
            .argv = argv, .env = env, .preload = spawn_lib(), .timeout_s = 10};
        struct spawn_result r = spawn_run(&cmd);
        cr_assert(!r.timed_out && spawn_exited(&r, 0), "%s %s: %s", ways[i % 2],
                  settings[i / 2], spawn_describe(&r));
        spawn_free(&r);
        folder_remove(&folder);
    }
}

Test(stderr_dump, of_a_program_that_closed_it_complains_at_the_start) {
    struct folder folder = folder_make();
    struct spawn_result r =
        run_fd2(&folder, "stdio_closed", "MOUND_STATS=/nowhere/at/all");
    cr_assert(spawn_exited(&r, 0) &&
                  strstr(r.err, "cannot write /nowhere/at/all: No such file"),
              "%s", spawn_describe(&r));
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, never_reaches_a_socket_that_took_its_number) {
    struct folder folder = folder_make();
    struct spawn_result r = run_fd2(&folder, "socket", "MOUND_STATS=1");
    cr_assert(spawn_exited(&r, 0), "the socket got more than its program sent");
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, never_reaches_files_that_took_every_number) {
    static const char *const ways[] = {"all_reused", "closefrom3_reused"};
    for (size_t i = 0; i < 2; i++) {
        struct folder folder = folder_make();
        struct spawn_result r = run_fd2(&folder, ways[i], "MOUND_STATS=1");
        cr_assert(spawn_exited(&r, 0), "%s: %s", ways[i], spawn_describe(&r));
        own_file_is(&folder, "");
        spawn_free(&r);
        folder_remove(&folder);
    }
}

Test(stderr_dump, of_a_program_started_without_it_reaches_no_file) {
    struct folder folder = folder_make();
    char script[6000];
    snprintf(script, sizeof script,
             "MOUND_STATS=1 LD_PRELOAD='%s' exec '%s' file '%s' 2>&-",
             spawn_lib(), spawn_probe("fd2"), folder_join(&folder, "own"));
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct spawn cmd = {.argv = argv};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nout == 0, "%s", spawn_describe(&r));
    own_file_is(&folder, "data\n");
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, ends_no_program_whose_reader_is_gone) {
    struct folder folder = folder_make();
    struct spawn_result r = run_fd2(&folder, "broken_pipe", "MOUND_STATS=1");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, ends_no_program_with_a_limit_on_files) {
    struct folder folder = folder_make();
    char setting[900];
    snprintf(setting, sizeof setting, "MOUND_STATS=%s",
             folder_join(&folder, "stats"));
    struct spawn_result r = run_fd2(&folder, "file_limit", setting);
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    cr_assert(folder_count(&folder, "", NULL) <= 1, "pieces are left");
    spawn_free(&r);
    folder_remove(&folder);
}

Test(stderr_dump, leaves_no_descriptor_to_other_programs) {
    struct folder folder = folder_make();
    struct spawn_result without = run_fd2(&folder, "leak", "MOUND_STATS=0");
    struct spawn_result with = run_fd2(&folder, "leak", "MOUND_STATS=1");
    cr_assert(spawn_exited(&without, 0) && spawn_exited(&with, 0), "%s",
              spawn_describe(&with));
    // The shell dumps too, and has a duplicate of its own, which the next exec
    // closes.
    cr_assert(atoi(without.out) > 0, "%s", spawn_describe(&without));
    cr_assert(atoi(with.out) <= atoi(without.out) + 1,
              "%d descriptors became %d", atoi(without.out), atoi(with.out));
    spawn_free(&without);
    spawn_free(&with);
    folder_remove(&folder);
}
