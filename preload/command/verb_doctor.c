// verb_doctor.c: mound doctor [PID|PROG]: why mound is not loaded or does not work.
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "message.h"
#include "verb.h"

enum { LINE_BYTES = 4096, PATH_BYTES = 4096 };

// print_line prints one line; names may contain any bytes.
static void print_line(const char *before, const char *format,
                       va_list arguments) {
    char line[LINE_BYTES];
    vsnprintf(line, sizeof line, format, arguments);
    for (unsigned char *s = (unsigned char *)line; *s != '\0'; s++)
        if (*s < ' ' || *s == 0x7f)
            *s = '?';
    printf("%s%s\n", before, line);
}

void doctor_found(struct doctor *d, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line("", format, arguments);
    va_end(arguments);
    d->nfound++;
}

void doctor_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line("", format, arguments);
    va_end(arguments);
}

void doctor_note(struct doctor *d, const char *format, ...) {
    (void)d;
    va_list arguments;
    va_start(arguments, format);
    print_line("note: ", format, arguments);
    va_end(arguments);
}

const char *doctor_path(const struct doctor *d, const char *path) {
    static char full[PATH_BYTES + 64];
    snprintf(full, sizeof full, "%s%s", d->root, path);
    return full;
}

// find_program searches for a name as a shell does; false: not found.
static bool find_program(const char *name, char *ret, size_t nbytes) {
    if (strchr(name, '/') != NULL) {
        snprintf(ret, nbytes, "%s", name);
        return access(name, F_OK) == 0;
    }
    const char *folders = getenv("PATH");
    char *copy = strdup(folders != NULL ? folders : "/usr/bin:/bin");
    char *rest = copy;
    bool found = false;
    for (char *folder; !found && (folder = strsep(&rest, ":")) != NULL;) {
        snprintf(ret, nbytes, "%s/%s", *folder != '\0' ? folder : ".", name);
        found = access(ret, X_OK) == 0;
    }
    free(copy);
    return found;
}

static bool is_pid(const char *what) {
    return what[0] != '\0' && strspn(what, "0123456789") == strlen(what);
}

static bool look_at_program(struct doctor *d, const char *name) {
    char path[PATH_BYTES];
    if (!find_program(name, path, sizeof path)) {
        if (strchr(name, '/') != NULL)
            message_error("%s: %s", name, strerror(errno));
        else
            message_error("%s: no such program in PATH", name);
        return false;
    }
    const char *preload = getenv("LD_PRELOAD");
    bool can = doctor_program(d, path, path);
    if (can && preload != NULL)
        doctor_preload(d, preload, doctor_program_libc(path));
    doctor_options(d, environ);
    doctor_limits(d, NULL);
    if (d->nfound == 0)
        doctor_say("%s: nothing found: mound run -- %s loads mound", path,
                   name);
    return true;
}

static void look_at_machine(struct doctor *d) {
    const char *preload = getenv("LD_PRELOAD");
    doctor_machine(d);
    if (preload != NULL)
        doctor_preload(d, preload, NULL);
    doctor_options(d, environ);
    doctor_limits(d, NULL);
    if (d->nfound == 0)
        doctor_say("this machine: nothing found");
}

static error_t parse(int key, char *value, struct argp_state *state) {
    const char **what = state->input;
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (*what != NULL)
        argp_error(state, "give one PID or PROG");
    *what = value;
    return 0;
}

int verb_doctor(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "[PID|PROG]",
        .doc =
            "Says why mound is not loaded, or does not serve malloc: one line "
            "for each cause, with what to do. PID is a process; PROG is a "
            "program, which is not started. Without either, the settings of "
            "this machine are checked.\vA number is a PID; write ./7 for a "
            "program of that name. Lines that begin with \"note:\" are not "
            "faults.\n\nExit status: 0 no fault was found, 1 a fault was "
            "found, 2 wrong usage, or the process or program cannot be read.",
    };
    const char *what = NULL;
    argp_parse(&argp, argc, argv, 0, NULL, &what);
    struct doctor d = {.root = "", .uid = geteuid(), .gid = getegid()};
    bool done = true;
    if (what == NULL)
        look_at_machine(&d);
    else if (is_pid(what))
        done = doctor_process(&d, (pid_t)atoi(what));
    else
        done = look_at_program(&d, what);
    return !done ? VERB_UNUSABLE : d.nfound > 0 ? VERB_NO : VERB_DONE;
}
