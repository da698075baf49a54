// The dump at exit arrives: for every way a program may end, once per process,
// on stderr or in a file, and nothing else comes with it (traps 37, 38, 40).
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "probe.h"

// The first line of every dump holds this, behind the program's name and number.
static const char table_start[] = ", ended";

static int count(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) {
        n++;
    }
    return n;
}

// setting_for returns MOUND_STATS=FOLDER/NAME in a static buffer.
static const char *setting_for(const struct folder *folder, const char *name) {
    static char setting[900];
    snprintf(setting, sizeof setting, "MOUND_STATS=%s",
             folder_join(folder, name));
    return setting;
}

static struct spawn_result run_argv(const char *setting,
                                    const char *const *argv) {
    const char *const env[] = {setting, NULL};
    struct spawn cmd = {.argv = argv, .env = env, .preload = spawn_lib()};
    return spawn_run(&cmd);
}

// run_way runs the probe that ends in that way.
static struct spawn_result run_way(const char *setting, const char *way) {
    const char *const argv[] = {spawn_probe("exit_ways"), way, NULL};
    return run_argv(setting, argv);
}

// has_table asserts that stderr holds the table of that program and pid.
static void has_table(struct spawn_result *r, const char *program,
                      int ntables) {
    char start[200];
    snprintf(start, sizeof start, ": %s, pid ", program);
    cr_assert(count(r->err, start) == ntables, "%d tables of %s, not %d: %s",
              count(r->err, start), program, ntables, spawn_describe(r));
    cr_assert(count(r->err, table_start) == ntables, "other tables: %s",
              spawn_describe(r));
    cr_assert(count(r->err, "  mallocs  ") == ntables, "no figures: %s",
              spawn_describe(r));
    if (ntables == 1) {
        snprintf(start, sizeof start, ": %s, pid %d, ", program, r->pid);
        cr_assert(strstr(r->err, start), "not of pid %d: %s", r->pid,
                  spawn_describe(r));
    }
}

Test(exit_dump, arrives_for_common_programs) {
    static const char *const commands[][4] = {
        {"true", "/bin/true"},         {"ls", "/bin/ls", "/"},
        {"sort", "sort", "/dev/null"}, {"sh", "/bin/sh", "-c", ":"},
        {"cat", "cat", "/dev/null"},   {"false", "/bin/false"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *const argv[] = {commands[i][1], commands[i][2],
                                    commands[i][3], NULL};
        struct spawn_result plain = run_argv("MOUND_STATS=0", argv);
        struct spawn_result r = run_argv("MOUND_STATS=1", argv);
        const char *name = commands[i][0];
        if (strcmp(name, "sh") == 0) {
            // Whatever shell stands behind that name.
            has_table(&r, strstr(r.err, ": dash,") ? "dash" : "sh", 1);
        } else {
            has_table(&r, name, 1);
        }
        cr_assert(r.status == plain.status && plain.nerr == 0, "%s: %s", name,
                  spawn_describe(&r));
        cr_assert(r.nout == plain.nout && memcmp(r.out, plain.out, r.nout) == 0,
                  "%s wrote something else", name);
        spawn_free(&plain);
        spawn_free(&r);
    }
}

Test(exit_dump, arrives_for_every_way_to_leave) {
    static const char *const ways[] = {"return",       "exit",   "exit3",
                                       "_exit",        "_Exit",  "quick_exit",
                                       "pthread_exit", "thread", "atexit",
                                       "thread_exits", "vfork"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct spawn_result r = run_way("MOUND_STATS=1", ways[i]);
        cr_assert(spawn_exited(&r, strcmp(ways[i], "exit3") == 0 ? 3 : 0),
                  "%s: %s", ways[i], spawn_describe(&r));
        cr_assert(count(r.err, table_start) == 1, "%s: %d tables: %s", ways[i],
                  count(r.err, table_start), spawn_describe(&r));
        has_table(&r, "exit_ways", 1);
        cr_assert(r.nout == 0, "%s wrote on stdout", ways[i]);
        spawn_free(&r);
    }
}

Test(exit_dump, arrives_though_malloc_came_before_constructors) {
    const char *const argv[] = {spawn_probe("ifunc"), NULL};
    struct spawn_result r = run_argv("MOUND_STATS=1", argv);
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    has_table(&r, "ifunc", 1);
    spawn_free(&r);
}

Test(exit_dump, comes_once_from_each_forked_child) {
    static const char *const ways[] = {"fork", "raw_fork"};
    for (size_t i = 0; i < 2; i++) {
        struct spawn_result r = run_way("MOUND_STATS=1", ways[i]);
        cr_assert(spawn_exited(&r, 0), "%s: %s", ways[i], spawn_describe(&r));
        has_table(&r, "exit_ways", 3);
        spawn_free(&r);
    }
}

Test(exit_dump, comes_from_the_new_program_after_exec) {
    struct spawn_result r = run_way("MOUND_STATS=1", "exec");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    has_table(&r, "true", 1);
    spawn_free(&r);
}

Test(exit_dump, does_not_come_after_a_deadly_signal) {
    static const char *const ways[] = {"kill", "abort"};
    for (size_t i = 0; i < 2; i++) {
        struct spawn_result r = run_way("MOUND_STATS=1", ways[i]);
        cr_assert(!spawn_exited(&r, 0) && !r.timed_out, "%s",
                  spawn_describe(&r));
        cr_assert(r.nerr == 0, "%s: %s", ways[i], spawn_describe(&r));
        spawn_free(&r);
    }
}

Test(exit_dump, is_written_to_a_file_of_that_name) {
    struct folder folder = folder_make();
    struct spawn_result r = run_way(setting_for(&folder, "stats"), "return");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0 && r.nout == 0, "%s",
              spawn_describe(&r));
    char *text = folder_read(&folder, "stats", NULL);
    cr_assert(text && strstr(text, table_start) && strstr(text, "  mallocs  "),
              "not a table: %s", text ? text : "no file");
    cr_assert(folder_count(&folder, "", NULL) == 1, "other files are left");
    free(text);
    spawn_free(&r);
    folder_remove(&folder);
}

Test(exit_dump, is_relative_to_the_directory_at_start) {
    static const char *const names[] = {"./stats", "stats.txt"};
    for (size_t i = 0; i < 2; i++) {
        struct folder folder = folder_make();
        char setting[100];
        snprintf(setting, sizeof setting, "MOUND_STATS=%s", names[i]);
        const char *const argv[] = {spawn_probe("exit_ways"), "chdir", NULL};
        const char *const env[] = {setting, NULL};
        struct spawn cmd = {.argv = argv,
                            .env = env,
                            .preload = spawn_lib(),
                            .dir = folder.path};
        struct spawn_result r = spawn_run(&cmd);
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
        cr_assert(folder_has(&folder, i == 0 ? "stats" : "stats.txt"),
                  "no file");
        spawn_free(&r);
        folder_remove(&folder);
    }
}

Test(exit_dump, puts_pid_program_and_sequence_into_the_name) {
    struct folder folder = folder_make();
    char name[100];

    struct spawn_result r =
        run_way(setting_for(&folder, "%e-%p-%n.json"), "return");
    snprintf(name, sizeof name, "exit_ways-%d-1.json", r.pid);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    cr_assert(folder_has(&folder, name), "no file %s", name);
    spawn_free(&r);

    for (int i = 1; i <= 3; i++) {
        r = run_way(setting_for(&folder, "run%n"), "_exit");
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
        spawn_free(&r);
        snprintf(name, sizeof name, "run%d", i);
        cr_assert(folder_has(&folder, name), "no file %s", name);
    }
    cr_assert(folder_count(&folder, "run", NULL) == 3, "too many files");
    folder_remove(&folder);
}

Test(exit_dump, of_a_forked_child_goes_to_a_file_of_its_own) {
    struct folder folder = folder_make();
    char name[256];
    // Without %p a child adds its pid.
    struct spawn_result r = run_way(setting_for(&folder, "plain"), "fork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    cr_assert(folder_has(&folder, "plain"), "no file of the parent");
    cr_assert(folder_count(&folder, "plain.", name) == 2,
              "%d files of children", folder_count(&folder, "plain.", NULL));
    cr_assert(atoi(name + strlen("plain.")) > 1, "%s has no pid", name);
    spawn_free(&r);

    // With it, the name tells already.
    r = run_way(setting_for(&folder, "pid%p"), "fork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    char own[100];
    snprintf(own, sizeof own, "pid%d", r.pid);
    cr_assert(folder_has(&folder, own), "no file %s", own);
    cr_assert(folder_count(&folder, "pid", NULL) == 3, "%d files",
              folder_count(&folder, "pid", NULL));
    spawn_free(&r);

    r = run_way(setting_for(&folder, "raw"), "raw_fork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    cr_assert(folder_count(&folder, "raw", NULL) == 3, "%d files",
              folder_count(&folder, "raw", NULL));
    spawn_free(&r);

    // A vfork child's _exit is not the end of the process.
    r = run_way(setting_for(&folder, "vfork"), "vfork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    cr_assert(folder_count(&folder, "vfork", NULL) == 1, "%d files",
              folder_count(&folder, "vfork", NULL));
    spawn_free(&r);
    folder_remove(&folder);
}

Test(exit_dump, arrives_whole_when_another_thread_leaves_meanwhile) {
    struct spawn_result r = run_way("MOUND_STATS=1", "overlap");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    // That of the process that was started again, and of its parent, which left by
    // _exit; each to its last line.
    cr_assert(count(r.err, table_start) == 2 &&
                  count(r.err, "  most waste  ") == 2,
              "%s", spawn_describe(&r));
    spawn_free(&r);
}

Test(exit_dump, ends_at_once_when_a_handler_leaves_out_of_it) {
    struct spawn_result r = run_way("MOUND_STATS=1", "overlap_handler");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    spawn_free(&r);
}

// run_many starts n copies of /bin/true at once, each with that setting.
static void run_many(int n, const char *setting, const char *before) {
    char script[2000];
    snprintf(script, sizeof script,
             "i=0; while [ $i -lt %d ]; do env '%s' LD_PRELOAD='%s' %s "
             "/bin/true & i=$((i + 1)); done; wait",
             n, setting, spawn_lib(), before);
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct spawn cmd = {.argv = argv};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    spawn_free(&r);
}

// nothing_else asserts that no file of another name is left, hidden ones included.
static void nothing_else(const struct folder *folder, int nfiles) {
    int hidden = folder_count(folder, ".", NULL) - 2; // . and ..
    int all = folder_count(folder, "", NULL);
    cr_assert(hidden == 0 && all == nfiles, "%d files, %d hidden ones", all,
              hidden);
}

Test(exit_dump, of_many_processes_at_once_takes_as_many_numbers) {
    enum { NPROCESSES = 300 };
    struct folder folder = folder_make();
    run_many(NPROCESSES, setting_for(&folder, "%e-%n"), "");
    cr_assert(folder_count(&folder, "true-", NULL) == NPROCESSES, "%d files",
              folder_count(&folder, "true-", NULL));
    char name[40];
    snprintf(name, sizeof name, "true-%d", NPROCESSES);
    cr_assert(folder_has(&folder, name), "a number was left out");
    nothing_else(&folder, folder_count(&folder, "", NULL));
    folder_remove(&folder);
}

Test(exit_dump, of_processes_with_one_number_takes_as_many_names) {
    enum { NPROCESSES = 40 };
    static const char *const probe[] = {"unshare", "--pid", "--fork", "true",
                                        NULL};
    struct spawn cmd = {.argv = probe};
    struct spawn_result r = spawn_run(&cmd);
    if (!spawn_exited(&r, 0)) {
        cr_skip_test("no pid namespaces here");
    }
    spawn_free(&r);
    struct folder folder = folder_make();
    // Each is process 1, of a namespace of its own.
    run_many(NPROCESSES, setting_for(&folder, "%e-%p"), "unshare --pid --fork");
    cr_assert(folder_count(&folder, "true-1", NULL) == NPROCESSES, "%d files",
              folder_count(&folder, "true-1", NULL));
    folder_remove(&folder);

    folder = folder_make();
    run_many(NPROCESSES, setting_for(&folder, "one"), "unshare --pid --fork");
    nothing_else(&folder, folder_count(&folder, "one", NULL));
    folder_remove(&folder);
}

Test(exit_dump, has_names_as_long_as_the_filesystem_has) {
    char name[256];
    struct folder folder = folder_make();
    for (size_t n = 249; n <= 255; n++) {
        memset(name, 'n', n);
        name[n] = '\0';
        struct spawn_result r = run_way(setting_for(&folder, name), "return");
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%zu: %s", n,
                  spawn_describe(&r));
        cr_assert(folder_has(&folder, name), "no file of %zu bytes", n);
        spawn_free(&r);
    }
    folder_remove(&folder);
}

// is_still asserts that what stands at path is what it was, and removes it.
static void is_still(const char *path, mode_t type) {
    struct stat st;
    cr_assert(lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == type,
              "%s was replaced", path);
    unlink(path);
}

Test(exit_dump, is_written_to_what_is_no_file) {
    // A link of links to standard output, by several spellings; also in a forked
    // child, whose number is not added then.
    struct folder folder = folder_make();
    char first[600], out[600], null[600]; // folder_join has few buffers
    strcpy(first, folder_join(&folder, "first"));
    strcpy(out, folder_join(&folder, "out"));
    strcpy(null, folder_join(&folder, "null"));
    static const char *const spellings[] = {"out", "/out", "./out", "first",
                                            "../../dev/stdout"};
    for (size_t i = 0; i < 5; i++) {
        cr_assert(symlink("/proc/self/fd/1", out) == 0 &&
                      symlink("out", first) == 0,
                  "symlink");
        const char *const argv[] = {spawn_probe("exit_ways"), "fork", NULL};
        struct spawn_result r =
            run_argv(setting_for(&folder, spellings[i]), argv);
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s: %s", spellings[i],
                  spawn_describe(&r));
        cr_assert(count(r.out, table_start) == 3, "%s: %s", spellings[i],
                  spawn_describe(&r));
        spawn_free(&r);
        is_still(out, S_IFLNK);
        is_still(first, S_IFLNK);
    }
    nothing_else(&folder, 0);

    // A link to a device.
    cr_assert(symlink("/dev/null", null) == 0, "symlink");
    struct spawn_result r = run_way(setting_for(&folder, "null"), "fork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    spawn_free(&r);
    is_still(null, S_IFLNK);
    nothing_else(&folder, 0);
    folder_remove(&folder);
}

Test(exit_dump, of_a_closed_descriptor_replaces_no_link) {
    struct folder folder = folder_make();
    char out[600];
    strcpy(out, folder_join(&folder, "out"));
    cr_assert(symlink("/proc/self/fd/77", out) == 0, "symlink");
    struct spawn_result r = run_way(setting_for(&folder, "out"), "return");
    cr_assert(spawn_exited(&r, 0) && strstr(r.err, "Bad file descriptor\n"),
              "%s", spawn_describe(&r));
    spawn_free(&r);
    is_still(out, S_IFLNK);
    nothing_else(&folder, 0);
    folder_remove(&folder);
}

Test(exit_dump, to_a_pipe_reaches_its_reader_and_waits_for_none) {
    struct folder folder = folder_make();
    char path[600];
    strcpy(path, folder_join(&folder, "pipe"));
    cr_assert(mkfifo(path, 0600) == 0, "mkfifo");

    // Nobody reads it.
    struct spawn_result r = run_way(setting_for(&folder, "pipe"), "return");
    cr_assert(spawn_exited(&r, 0) && count(r.err, "\n") == 1, "%s",
              spawn_describe(&r));
    spawn_free(&r);

    // Its reader has opened it, and reads later: the dump is in the pipe.
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    r = run_way(setting_for(&folder, "pipe"), "return");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    spawn_free(&r);
    static char text[65536];
    cr_assert(read(fd, text, sizeof text - 1) > 0, "nothing in the pipe");
    cr_assert(strstr(text, table_start) && strstr(text, "  mallocs  "), "%s",
              text);

    // Its reader never reads, and it is full.
    int filler = open(path, O_WRONLY | O_NONBLOCK);
    while (write(filler, text, sizeof text) > 0) {
    }
    r = run_way(setting_for(&folder, "pipe"), "return");
    cr_assert(spawn_exited(&r, 0) && count(r.err, "\n") == 1, "%s",
              spawn_describe(&r));
    spawn_free(&r);
    close(filler);
    close(fd);
    is_still(path, S_IFIFO);
    nothing_else(&folder, 0);
    folder_remove(&folder);
}

// check_expvar asserts that the file is sound JSON of the right shape, with
// that command line (NULL: any).
static void check_expvar(const char *path, const char *const *cmdline) {
    char script[5000];
    const char *argv[20] = {"python3", script, path};
    snprintf(script, sizeof script, "%s/tests/support/check_expvar.py",
             getenv("MOUND_SOURCE"));
    for (size_t i = 0; cmdline && cmdline[i]; i++) {
        argv[3 + i] = cmdline[i];
    }
    struct spawn cmd = {.argv = argv};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0), "%s: %s", path, spawn_describe(&r));
    spawn_free(&r);
}

Test(exit_dump, is_expvar_when_the_name_ends_in_json) {
    struct folder folder = folder_make();
    const char *const argv[] = {spawn_probe("exit_ways"),
                                "return",
                                "100",
                                "a \"quoted\" \\ backslash",
                                "a\nb\tc\001d",
                                "\303\251t\303\251 \342\202\254",
                                "",
                                NULL};
    struct spawn_result r = run_argv(setting_for(&folder, "stats.json"), argv);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    check_expvar(folder_join(&folder, "stats.json"), argv);
    spawn_free(&r);

    // Bytes that are no UTF-8 must not make the whole unreadable.
    const char *const odd[] = {argv[0], "return", "1", "\377\376 \300\257",
                               NULL};
    r = run_argv(setting_for(&folder, "odd.json"), odd);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    check_expvar(folder_join(&folder, "odd.json"), NULL);
    spawn_free(&r);

    // Forked children too.
    r = run_way(setting_for(&folder, "fork-%p.json"), "fork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    char name[256];
    cr_assert(folder_count(&folder, "fork-", name) == 3, "files of children");
    check_expvar(folder_join(&folder, name), NULL);
    spawn_free(&r);
    folder_remove(&folder);
}

Test(exit_dump, of_a_command_line_of_megabytes_takes_no_longer) {
    // Its first arguments are there, each by its beginning.
    enum { NARGS = 20, ARG = 90000, KEPT = 512 };
    static char args[NARGS][ARG];
    const char *argv[NARGS + 4] = {spawn_probe("exit_ways"), "return", "1"};
    for (int i = 0; i < NARGS; i++) {
        memset(args[i], 'a' + i, ARG - 1);
        argv[3 + i] = args[i];
    }
    struct folder folder = folder_make();
    const char *const env[] = {setting_for(&folder, "stats.json"), NULL};
    struct spawn cmd = {
        .argv = argv, .env = env, .preload = spawn_lib(), .timeout_s = 10};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    spawn_free(&r);
    args[0][KEPT] = '\0';
    argv[4] = NULL;
    check_expvar(folder_join(&folder, "stats.json"), argv);
    folder_remove(&folder);
}

Test(exit_dump, replaces_a_file_and_follows_no_link) {
    struct folder folder = folder_make();
    folder_write(&folder, "stats", "old text\n");
    folder_write(&folder, "victim", "precious\n");
    cr_assert(symlink(folder_join(&folder, "victim"),
                      folder_join(&folder, "link")) == 0,
              "symlink");

    struct spawn_result r = run_way(setting_for(&folder, "stats"), "return");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    spawn_free(&r);
    r = run_way(setting_for(&folder, "link"), "return");
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    spawn_free(&r);

    char *text = folder_read(&folder, "stats", NULL);
    cr_assert(text && strstr(text, table_start) && !strstr(text, "old text"),
              "the old file was not replaced");
    free(text);
    text = folder_read(&folder, "victim", NULL);
    cr_assert(text && strcmp(text, "precious\n") == 0, "a link was followed");
    free(text);
    folder_remove(&folder);
}

Test(exit_dump, that_cannot_be_written_changes_nothing_else) {
    static const char *const settings[] = {
        "MOUND_STATS=/nowhere/at/all", "MOUND_STATS=/", "MOUND_STATS=/proc/x",
        "MOUND_STATS=/dev/full"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct spawn_result r = run_way(settings[i], "exit3");
        cr_assert(spawn_exited(&r, 3) && r.nout == 0, "%s: %s", settings[i],
                  spawn_describe(&r));
        cr_assert(count(r.err, "\n") <= 1, "%s: %s", settings[i],
                  spawn_describe(&r));
        spawn_free(&r);
    }
}

// A script that makes a filesystem of its own at $1 with options $2, and runs the
// rest there with a dump to it.
static const char on_filesystem[] =
    "mount -t tmpfs -o \"$2\" none \"$1\" || exit 77; "
    "d=$1; shift 2; cd /; head -c 4096 /dev/zero 2>/dev/null >\"$d/fill\"; "
    "env MOUND_STATS=\"$d/stats\" LD_PRELOAD=\"$LIBRARY\" \"$@\"; s=$?; "
    "ls -A \"$d\"; exit $s";

Test(exit_dump, that_finds_no_room_leaves_nothing_and_says_so) {
    static const struct {
        const char *options, *why, *files;
    } cases[] = {{"size=4k", ": No space left on device\n", "fill\n"},
                 {"nr_inodes=2", ": No space left on device\n", "fill\n"},
                 {"ro", ": Read-only file system", ""}};
    char library[600];
    snprintf(library, sizeof library, "LIBRARY=%s", spawn_lib());
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct folder folder = folder_make();
        const char *const argv[] = {"unshare",
                                    "-m",
                                    "sh",
                                    "-c",
                                    on_filesystem,
                                    "sh",
                                    folder.path,
                                    cases[i].options,
                                    spawn_probe("exit_ways"),
                                    "exit3",
                                    NULL};
        const char *const env[] = {library, NULL};
        struct spawn cmd = {.argv = argv, .env = env};
        struct spawn_result r = spawn_run(&cmd);
        folder_remove(&folder);
        if (spawn_exited(&r, 77) || spawn_exited(&r, 1) ||
            spawn_exited(&r, 127)) {
            cr_skip_test("no filesystems can be mounted here");
        }
        cr_assert(spawn_exited(&r, 3) && count(r.err, "\n") == 1 &&
                      strstr(r.err, cases[i].why),
                  "%s: %s", cases[i].options, spawn_describe(&r));
        cr_assert(strcmp(r.out, cases[i].files) == 0, "%s left %s",
                  cases[i].options, r.out);
        spawn_free(&r);
    }
}

Test(exit_dump, is_inherited_by_the_programs_one_starts) {
    struct folder folder = folder_make();
    const char *const argv[] = {"/bin/sh", "-c", "/bin/true; /bin/true", NULL};
    struct spawn_result r = run_argv(setting_for(&folder, "%e.%p"), argv);
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "%s", spawn_describe(&r));
    // The shell itself and each program; a shell that execs the last one is
    // two of them in one process.
    cr_assert(folder_count(&folder, "true.", NULL) == 2, "%d files of true",
              folder_count(&folder, "true.", NULL));
    spawn_free(&r);
    folder_remove(&folder);
}

Test(exit_dump, does_not_come_unasked) {
    struct spawn_result r = run_way("MOUND_STATS=0", "fork");
    cr_assert(spawn_exited(&r, 0) && r.nerr == 0 && r.nout == 0, "%s",
              spawn_describe(&r));
    spawn_free(&r);
}
