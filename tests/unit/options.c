// options.c: the environment, and what is said about a malformed variable.
#include "runtime/options.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/unknown.h"

// said reads options from env and returns what was written to descriptor 2.
static const char *said(char **env) {
    static char text[4096];
    int fds[2];
    int saved = dup(2);
    cr_assert(zero(int, pipe(fds)));
    dup2(fds[1], 2);
    options_read(env);
    dup2(saved, 2);
    close(saved);
    close(fds[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(fds[0], text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    close(fds[0]);
    text[n] = '\0';
    return text;
}

#define SAID(...) said((char *[]){__VA_ARGS__, NULL})

static unsigned lines(const char *text) {
    unsigned n = 0;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

Test(options, an_empty_environment_means_the_defaults) {
    const char *text = said((char *[]){NULL});

    cr_assert(eq(str, (char *)text, ""));
    cr_assert(eq(int, options->stats, STATS_OFF));
    cr_assert(eq(int, options->misuse, REPORT_ABORT));
    cr_assert(eq(int, options->thp, THP_AUTO));
    cr_assert(not(options->hardened || options->off || options->keep_deepbind));
}

Test(options, statistics_to_nowhere_cost_nothing) {
    cr_assert(eq(str, (char *)SAID("MOUND_STATS="), ""));
    cr_assert(eq(int, options->stats, STATS_OFF));
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=/dev/null"), ""));
    cr_assert(eq(int, options->stats, STATS_OFF));
    cr_assert(eq(str, (char *)SAID("MOUND_PROFILE="), ""));
    cr_assert(eq(str, (char *)options->profile_path, ""));
}

Test(options, an_empty_value_is_the_default) {
    const char *text =
        SAID("MOUND_STATS=", "MOUND_PROFILE=", "MOUND_PROFILE_RATE=",
             "MOUND_PROFILE_EVERY=", "MOUND_PROFILE_SIGNAL=", "MOUND_UNWIND=",
             "MOUND_GUARD=", "MOUND_HARDENED=", "MOUND_MISUSE=", "MOUND_OFF=",
             "MOUND_DEEPBIND=", "MOUND_THP=", "MOUND_DECAY=", "MOUND_HELPER=",
             "MOUND_TRACE=", "MOUND_NAMES=", "MOUND_STATS_SIGNAL=",
             "MOUND_STATS_ON=", "MOUND_ONLY=");
    cr_assert(eq(str, (char *)text, ""));
    cr_assert(eq(u64, options->profile_rate, 512 << 10));
    cr_assert(not(options->unwind_asked));
    cr_assert(eq(int, options->misuse, REPORT_ABORT));
}

Test(options, a_half_life_is_read_in_seconds) {
    static const struct {
        char *text;
        uint64_t ms;
    } values[] = {{"MOUND_DECAY=0", 0},
                  {"MOUND_DECAY=10", 10000},
                  {"MOUND_DECAY=0.5", 500},
                  {"MOUND_DECAY=1.25", 1250},
                  {"MOUND_DECAY=0.001", 1}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        cr_assert(eq(str, (char *)SAID(values[i].text), ""));
        cr_assert(eq(u64, options->half_life_ns, values[i].ms * 1000000));
    }
    cr_assert(eq(str, (char *)SAID("MOUND_DECAY=never"), ""));
    cr_assert(eq(u64, options->half_life_ns, SCAVENGE_NEVER));
    cr_assert(
        eq(str, (char *)SAID("MOUND_HELPER=always", "MOUND_TRACE=scav"), ""));
    cr_assert(options->help_always && options->trace_scav);
    cr_assert(eq(str, (char *)SAID("MOUND_MEMLIMIT=3GiB"), ""));
    cr_assert(eq(u64, options->memlimit, (uint64_t)3 << 30));
    cr_assert(eq(str, (char *)SAID("MOUND_MEMLIMIT=cgroup"), ""));
}

Test(options, every_value_is_understood) {
    const char *text =
        SAID("HOME=/", "MOUND_STATS=1", "MOUND_HARDENED=1",
             "MOUND_MISUSE=report", "MOUND_OFF=1", "MOUND_DEEPBIND=keep",
             "MOUND_THP=never", "MOUND_NAMES=1");

    cr_assert(eq(str, (char *)text, ""));
    cr_assert(eq(int, options->stats, STATS_STDERR));
    cr_assert(options->hardened);
    cr_assert(eq(int, options->misuse, REPORT_GO_ON));
    cr_assert(options->off);
    cr_assert(options->keep_deepbind);
    cr_assert(eq(int, options->thp, THP_NEVER));
    cr_assert(options->names);
}

Test(options, the_default_may_be_said_aloud) {
    const char *text =
        SAID("MOUND_STATS=0", "MOUND_HARDENED=0", "MOUND_MISUSE=abort",
             "MOUND_OFF=0", "MOUND_DEEPBIND=clear", "MOUND_THP=auto");

    cr_assert(eq(str, (char *)text, ""));
    cr_assert(eq(int, options->stats, STATS_OFF));
    cr_assert(not(options->hardened || options->off || options->keep_deepbind));
}

Test(options, a_malformed_value_is_named_with_what_is_allowed) {
    static const struct {
        const char *entry, *name, *allowed;
    } cases[] = {
        {"MOUND_HARDENED=yes", "MOUND_HARDENED=yes", "0, 1 or 2"},
        {"MOUND_HARDENED=11", "MOUND_HARDENED=11", "0, 1 or 2"},
        {"MOUND_HARDENED=3", "MOUND_HARDENED=3", "0, 1 or 2"},
        {"MOUND_PROFILE_RATE=-1", "MOUND_PROFILE_RATE=-1", "512KiB"},
        {"MOUND_PROFILE_RATE=1kb", "MOUND_PROFILE_RATE=1kb", "512KiB"},
        {"MOUND_PROFILE_RATE=99999999999999999999",
         "MOUND_PROFILE_RATE=99999999999999999999", "512KiB"},
        {"MOUND_PROFILE_RATE=9999999999GiB", "MOUND_PROFILE_RATE=9999999999GiB",
         "512KiB"},
        {"MOUND_PROFILE_EVERY=much", "MOUND_PROFILE_EVERY=much", "64MiB"},
        {"MOUND_PROFILE_SIGNAL=KILL", "MOUND_PROFILE_SIGNAL=KILL",
         "name of a signal"},
        {"MOUND_PROFILE_SIGNAL=32", "MOUND_PROFILE_SIGNAL=32", "its number"},
        {"MOUND_PROFILE_SIGNAL=65", "MOUND_PROFILE_SIGNAL=65", "its number"},
        {"MOUND_PROFILE_AT=top", "MOUND_PROFILE_AT=top", "peak, or a"},
        {"MOUND_PROFILE_AT=90", "MOUND_PROFILE_AT=90", "peak, or a"},
        {"MOUND_PROFILE_AT=101%", "MOUND_PROFILE_AT=101%", "peak, or a"},
        {"MOUND_PROFILE_AT=0%", "MOUND_PROFILE_AT=0%", "peak, or a"},
        {"MOUND_PROFILE_AT=peak,", "MOUND_PROFILE_AT=peak,", "peak, or a"},
        {"MOUND_PROFILE_AT=peaks", "MOUND_PROFILE_AT=peaks", "peak, or a"},
        {"MOUND_CONTROL=2", "MOUND_CONTROL=2", "0 or 1"},
        {"MOUND_UNWIND=dwarf", "MOUND_UNWIND=dwarf", "tables, libunwind or fp"},
        {"MOUND_GUARD=x", "MOUND_GUARD=x", "0 or a number"},
        {"MOUND_MISUSE=Abort", "MOUND_MISUSE=Abort", "abort, report or ignore"},
        {"MOUND_OFF=-1", "MOUND_OFF=-1", "0 or 1"},
        {"MOUND_DEEPBIND=1", "MOUND_DEEPBIND=1", "clear or keep"},
        {"MOUND_THP=sometimes", "MOUND_THP=sometimes", "auto, never or always"},
        {"MOUND_DECAY=-1", "MOUND_DECAY=-1", "a number of seconds, or never"},
        {"MOUND_DECAY=1.", "MOUND_DECAY=1.", "a number of seconds, or never"},
        {"MOUND_DECAY=0.0001", "MOUND_DECAY=0.0001", "a number of seconds"},
        {"MOUND_DECAY=2s", "MOUND_DECAY=2s", "a number of seconds, or never"},
        {"MOUND_HELPER=1", "MOUND_HELPER=1", "auto or always"},
        {"MOUND_MEMLIMIT=lots", "MOUND_MEMLIMIT=lots", "cgroup, or a number"},
        {"MOUND_TRACE=1", "MOUND_TRACE=1", "0 or scav"},
        {"MOUND_NAMES=yes", "MOUND_NAMES=yes", "0 or 1"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = SAID((char *)cases[i].entry);
        if (lines(text) != 1 || strstr(text, cases[i].name) == NULL ||
            strstr(text, cases[i].allowed) == NULL)
            cr_fatal("%s: said \"%s\"", cases[i].entry, text);
        cr_assert(
            not(options->hardened || options->off || options->keep_deepbind));
        cr_assert(eq(int, options->misuse, REPORT_ABORT));
        cr_assert(eq(int, options->thp, THP_AUTO));
        cr_assert(eq(int, options->stats, STATS_OFF));
        cr_assert(eq(u64, options->profile_rate, 512 << 10));
        cr_assert(eq(u64, options->profile_every, 0));
        cr_assert(eq(int, options->profile_signal, 0));
        cr_assert(eq(u64, options->guard, 0));
    }
}

Test(options, sizes_have_units) {
    static const struct {
        const char *text;
        uint64_t nbytes;
    } sizes[] = {{"0", 0},           {"1", 1},
                 {"4096", 4096},     {"64KiB", 64 << 10},
                 {"3MiB", 3 << 20},  {"2GiB", (uint64_t)2 << 30},
                 {"512K", 512 << 10}};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char entry[100];
        snprintf(entry, sizeof entry, "MOUND_PROFILE_RATE=%s", sizes[i].text);
        cr_assert(eq(str, (char *)SAID(entry), ""));
        cr_assert(eq(u64, options->profile_rate, sizes[i].nbytes));
    }
}

Test(options, signals_have_names_and_numbers) {
    static const struct {
        const char *text;
        int number;
    } signals[] = {{"USR1", SIGUSR1},
                   {"SIGUSR2", SIGUSR2},
                   {"12", SIGUSR2},
                   {"HUP", SIGHUP},
                   {"0", 0}};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        char entry[100];
        snprintf(entry, sizeof entry, "MOUND_PROFILE_SIGNAL=%s",
                 signals[i].text);
        cr_assert(
            eq(str, (char *)SAID("MOUND_PROFILE=/dev/./null", entry), ""));
        cr_assert(eq(int, options->profile_signal, signals[i].number));
    }
    SAID("MOUND_PROFILE=/dev/./null", "MOUND_PROFILE_SIGNAL=RTMIN+3");
    cr_assert(eq(int, options->profile_signal, SIGRTMIN + 3));
}

Test(options, what_needs_a_profile_says_so) {
    cr_assert(strstr(SAID("MOUND_PROFILE_SIGNAL=USR1"),
                     "has no effect without MOUND_PROFILE") != NULL);
    cr_assert(strstr(SAID("MOUND_PROFILE_EVERY=1MiB"),
                     "has no effect without MOUND_PROFILE") != NULL);
    cr_assert(eq(
        str,
        (char *)SAID("MOUND_PROFILE_EVERY=1MiB", "MOUND_PROFILE=/dev/./null"),
        ""));
}

Test(options, moments_of_a_profile) {
    cr_assert(eq(str,
                 (char *)SAID("MOUND_PROFILE_AT=90%,peak", "MOUND_PROFILE=./x",
                              "MOUND_MEMLIMIT=1GiB"),
                 ""));
    cr_assert(options->profile_peak);
    cr_assert(eq(uint, options->profile_percent, 90));
}

Test(options, strange_bytes_in_a_value_stay_on_one_short_line) {
    static char entry[1000] = "MOUND_THP=\n\033[2J\x80";
    memset(entry + 16, 'x', sizeof entry - 17);

    const char *text = SAID(entry);

    cr_assert(eq(u32, lines(text), 1));
    cr_assert(lt(sz, strlen(text), 250));
    for (const char *s = text; *s != '\0'; s++)
        if (*s != '\n' && (*s < ' ' || *s >= 0x7f))
            cr_fatal("byte %#x", (unsigned char)*s);
}

Test(options, a_relative_path_is_one_of_the_directory_at_the_start) {
    cr_assert(zero(int, chdir("/dev"))); // this process writes it at its end

    SAID("MOUND_STATS=./null");

    cr_assert(eq(int, options->stats, STATS_FILE));
    cr_assert(eq(str, (char *)options->stats_path, "/dev/./null"));
}

Test(options, a_relative_path_needs_a_directory_that_is_there) {
    char gone[] = "/tmp/mound-options-XXXXXX";
    bool made = mkdtemp(gone) != NULL && chdir(gone) == 0 && rmdir(gone) == 0;
    cr_assert(made);

    const char *text = SAID("MOUND_STATS=./stats", "MOUND_PROFILE=heap.pb.gz");

    cr_assert(eq(u32, lines(text), 2));
    cr_assert(strstr(text, "MOUND_STATS=./stats: the current directory "
                           "has no path; using the default") != NULL);
    cr_assert(eq(int, options->stats, STATS_OFF));
    cr_assert(eq(str, (char *)options->profile_path, ""));
}

Test(options, an_absolute_path_is_kept_and_one_too_long_is_refused) {
    static char entry[OUTNAME_PATH_MAX + 100] = "MOUND_STATS=/";
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=/dev/./null"), ""));
    cr_assert(eq(str, (char *)options->stats_path, "/dev/./null"));
    memset(entry + strlen(entry), 'x', OUTNAME_PATH_MAX);

    const char *text = SAID("MOUND_STATS=0", entry);

    cr_assert(eq(u32, lines(text), 1));
}

Test(options, names_that_only_begin_alike_are_not_ours) {
    const char *text = SAID("MOUND_", "MOUND_OFF", "XMOUND_OFF=1", "MOUND=1",
                            "", "MOUND_OFFF=", "MOUND_LIB=x", "MOUND_SOURCE=/");

    cr_assert(eq(str, (char *)text, ""));
    cr_assert(not(options->hardened || options->off));
}

Test(options, a_name_that_nobody_knows_is_told_with_the_nearest) {
    static const struct {
        const char *entry, *line;
    } cases[] = {
        {"MOUND_STAT=1",
         "mound: MOUND_STAT: not a variable of mound; the nearest is "
         "MOUND_STATS\n"},
        {"MOUND_OFFF=1",
         "mound: MOUND_OFFF: not a variable of mound; the nearest is "
         "MOUND_OFF\n"},
        {"MOUND_PORFILE=x",
         "mound: MOUND_PORFILE: not a variable of mound; the "
         "nearest is MOUND_PROFILE\n"},
        {"MOUND_DATABASE=x",
         "mound: MOUND_DATABASE: not a variable of mound\n"},
        {"MOUND_FOO=x", "mound: MOUND_FOO: not a variable of mound\n"},
        {"MOUND_a\nb=x", "mound: MOUND_a?b: not a variable of mound\n"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = SAID((char *)cases[i].entry);
        if (strcmp(text, cases[i].line) != 0)
            cr_fatal("%s: said \"%s\"", cases[i].entry, text);
        cr_assert(not(options->off || options->stats != STATS_OFF));
    }
    static char entry[1000] = "MOUND_";
    memset(entry + 6, 'x', sizeof entry - 7);
    entry[900] = '=';
    cr_assert(lt(sz, strlen(SAID(entry)), 100));
}

Test(options, a_distance_is_the_least_number_of_changes) {
    cr_assert(zero(u32, unknown_distance("MOUND", "MOUND")));
    cr_assert(eq(u32, unknown_distance("MOUND", "MONUD"), 1));
    cr_assert(eq(u32, unknown_distance("", "MO"), 2));
    cr_assert(eq(u32, unknown_distance("kitten", "sitting"), 3));
}

Test(options, statistics_go_where_the_words_say) {
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=classes,stdout"), ""));
    cr_assert(eq(int, options->stats, STATS_STDOUT));
    cr_assert(options->stats_classes && !options->stats_json);
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=fd:7,json"), ""));
    cr_assert(eq(int, options->stats, STATS_FD));
    cr_assert(eq(int, options->stats_fd, 7));
    cr_assert(options->stats_json && !options->stats_classes);
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=fd:2"), ""));
    cr_assert(eq(int, options->stats, STATS_STDERR));
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=1,classes"), ""));
    cr_assert(eq(int, options->stats, STATS_STDERR));
    cr_assert(options->stats_classes);
}

Test(options, a_word_that_is_no_path_names_no_file) {
    static char *const entries[] = {
        "MOUND_STATS=yes",   "MOUND_STATS=on",
        "MOUND_STATS=true",  "MOUND_STATS=out",
        "MOUND_STATS=2",     "MOUND_STATS=stdout,",
        "MOUND_STATS=fd:x",  "MOUND_STATS=fd:",
        "MOUND_STATS=fd:-1", "MOUND_STATS=fd:99999999999",
        "MOUND_STATS=,",     "MOUND_PROFILE=1",
        "MOUND_PROFILE=on"};
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const char *text = SAID(entries[i]);
        if (lines(text) != 1 || strstr(text, "not understood") == NULL)
            cr_fatal("%s: said \"%s\"", entries[i], text);
        cr_assert(eq(int, options->stats, STATS_OFF));
        cr_assert(eq(str, (char *)options->profile_path, ""));
    }
}

Test(options, signals_at_which_statistics_are_written_have_names) {
    cr_assert(eq(str, (char *)SAID("MOUND_STATS_ON=TERM,SIGINT,1"), ""));
    cr_assert(eq(u64, options->stats_on,
                 (1u << (SIGTERM - 1)) | (1u << (SIGINT - 1)) |
                     (1u << (SIGHUP - 1))));
    cr_assert(eq(str, (char *)SAID("MOUND_STATS_SIGNAL=USR1"), ""));
    cr_assert(eq(int, options->stats_signal, SIGUSR1));
    // These end no process, or leave nothing to look at.
    static char *const entries[] = {
        "MOUND_STATS_ON=KILL",     "MOUND_STATS_ON=CHLD",
        "MOUND_STATS_ON=SEGV",     "MOUND_STATS_ON=TERM,",
        "MOUND_STATS_ON=TERM,foo", "MOUND_STATS_ON=,"};
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const char *text = SAID(entries[i]);
        if (lines(text) != 1 || strstr(text, "end a process") == NULL)
            cr_fatal("%s: said \"%s\"", entries[i], text);
        cr_assert(zero(u64, options->stats_on));
    }
}

Test(options, without_an_environment_that_of_the_process_is_read) {
    options_read(NULL); // /proc/self/environ, which has none of ours

    cr_assert(not(options->hardened || options->off));
    cr_assert(eq(int, options->stats, STATS_OFF));
}
