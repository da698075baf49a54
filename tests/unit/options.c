// options.c: the environment, and what is said about a malformed variable.
#include "options.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

Test(options, every_value_is_understood) {
    const char *text = SAID("HOME=/", "MOUND_STATS=1", "MOUND_HARDENED=1",
                            "MOUND_MISUSE=report", "MOUND_OFF=1",
                            "MOUND_DEEPBIND=keep", "MOUND_THP=never");

    cr_assert(eq(str, (char *)text, ""));
    cr_assert(eq(int, options->stats, STATS_STDERR));
    cr_assert(options->hardened);
    cr_assert(eq(int, options->misuse, REPORT_GO_ON));
    cr_assert(options->off);
    cr_assert(options->keep_deepbind);
    cr_assert(eq(int, options->thp, THP_NEVER));
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
        {"MOUND_HARDENED=yes", "MOUND_HARDENED=yes", "0 or 1"},
        {"MOUND_HARDENED=", "MOUND_HARDENED=", "0 or 1"},
        {"MOUND_HARDENED=11", "MOUND_HARDENED=11", "0 or 1"},
        {"MOUND_MISUSE=Abort", "MOUND_MISUSE=Abort", "abort, report or ignore"},
        {"MOUND_OFF=-1", "MOUND_OFF=-1", "0 or 1"},
        {"MOUND_DEEPBIND=1", "MOUND_DEEPBIND=1", "clear or keep"},
        {"MOUND_THP=sometimes", "MOUND_THP=sometimes", "auto, never or always"},
        {"MOUND_STATS=", "MOUND_STATS=", "0, 1 or the path of a file"},
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
    }
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
    static char cwd[OPTION_PATH_MAX], want[2 * OPTION_PATH_MAX];
    cr_assert(ne(ptr, getcwd(cwd, sizeof cwd), NULL));
    snprintf(want, sizeof want, "%s/stats.txt", cwd);

    SAID("MOUND_STATS=stats.txt");

    cr_assert(eq(int, options->stats, STATS_FILE));
    cr_assert(eq(str, (char *)options->stats_path, want));
}

Test(options, an_absolute_path_is_kept_and_one_too_long_is_refused) {
    static char entry[OPTION_PATH_MAX + 100] = "MOUND_STATS=/";
    cr_assert(eq(str, (char *)SAID("MOUND_STATS=/tmp/%p.json"), ""));
    cr_assert(eq(str, (char *)options->stats_path, "/tmp/%p.json"));
    memset(entry + strlen(entry), 'x', OPTION_PATH_MAX);

    const char *text = SAID("MOUND_STATS=0", entry);

    cr_assert(eq(u32, lines(text), 1));
}

Test(options, names_that_only_begin_alike_are_not_ours) {
    const char *text = SAID("MOUND_HARDENED_X=1", "MOUND_OFFF=1", "MOUND_",
                            "MOUND_OFF", "XMOUND_OFF=1", "MOUND=1", "");

    cr_assert(eq(str, (char *)text, ""));
    cr_assert(not(options->hardened || options->off));
}

Test(options, without_an_environment_that_of_the_process_is_read) {
    options_read(NULL); // /proc/self/environ, which has none of ours

    cr_assert(not(options->hardened || options->off));
    cr_assert(eq(int, options->stats, STATS_OFF));
}
