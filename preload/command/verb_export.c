// verb_export.c: mound export: the pages of this user for collectors: as text, as a file
// for node_exporter, or by HTTP.
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "export.h"
#include "fleet.h"
#include "message.h"
#include "units.h"
#include "verb.h"

void export_write(FILE *out, enum openmetrics_form form, bool classes) {
    struct fleet fleet = {0};
    fleet_read(&fleet, false);
    const struct target **targets = calloc(fleet.nships + 1, sizeof targets[0]);
    if (targets != NULL) {
        for (size_t i = 0; i < fleet.nships; i++)
            targets[i] = &fleet.ships[i].target;
        openmetrics_write(out, targets, fleet.nships, form,
                          classes ? OPENMETRICS_CLASSES : 0);
    }
    free(targets);
    fleet_end(&fleet);
}

struct options {
    const char *textfile;
    const char *listen;
    struct export_address address;
    uint64_t interval_ns; // 0: once
    bool classes;
};

// write_file replaces the file in one step. It returns 0, or an errno, and then the file
// is unchanged.
static int write_file(const struct options *o) {
    char temporary[4096];
    const char *name = strrchr(o->textfile, '/');
    name = name != NULL ? name + 1 : o->textfile;
    // A name that begins with a dot and ends otherwise: collectors ignore it.
    int n = snprintf(temporary, sizeof temporary, "%.*s.%s.XXXXXX",
                     (int)(name - o->textfile), o->textfile, name);
    if (n >= (int)sizeof temporary)
        return ENAMETOOLONG;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return errno;
    FILE *out = fdopen(fd, "w");
    mode_t mask = umask(0);
    umask(mask);
    int e = 0;
    if (out == NULL) {
        e = errno;
        close(fd);
    } else {
        export_write(out, OPENMETRICS_PROMETHEUS, o->classes);
        if (fchmod(fd, 0666 & ~mask) != 0 || fflush(out) != 0)
            e = errno;
        if (fclose(out) != 0 && e == 0)
            e = errno;
    }
    if (e == 0 && rename(temporary, o->textfile) != 0)
        e = errno;
    if (e != 0)
        unlink(temporary);
    return e;
}

static int write_once(const struct options *o) {
    int e = write_file(o);
    if (e != 0)
        message_error("%s: %s", o->textfile, strerror(e));
    return e == 0 ? VERB_DONE : VERB_UNUSABLE;
}

// write_for_ever writes the file until SIGINT, SIGTERM or SIGHUP. A failure may be
// temporary; it is reported when it begins, not each time.
static int write_for_ever(const struct options *o) {
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGINT);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGHUP);
    sigprocmask(SIG_BLOCK, &end, NULL);
    const struct timespec interval = {
        .tv_sec = (time_t)(o->interval_ns / 1000000000),
        .tv_nsec = (long)(o->interval_ns % 1000000000)};
    if (write_once(o) != VERB_DONE)
        return VERB_UNUSABLE; // a failure at the start must be noticed
    for (int before = 0; sigtimedwait(&end, NULL, &interval) < 0;) {
        int e = write_file(o);
        if (e != 0 && e != before)
            message_error("%s: %s", o->textfile, strerror(e));
        before = e;
    }
    return VERB_DONE;
}

enum {
    KEY_TEXTFILE = 't',
    KEY_LISTEN = 'l',
    KEY_INTERVAL = 'i',
    KEY_CLASSES = 'c'
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case KEY_TEXTFILE:
        o->textfile = value;
        return 0;
    case KEY_LISTEN:
        o->listen = value;
        if (!export_address_read(value, &o->address))
            argp_error(state,
                       "--listen %s: not PORT or ADDRESS:PORT, as in "
                       "127.0.0.1:9101",
                       value);
        return 0;
    case KEY_INTERVAL:
        if (!units_read_duration(value, &o->interval_ns) ||
            o->interval_ns < 100000000)
            argp_error(state, "--interval %s: not a time such as 15s", value);
        return 0;
    case KEY_CLASSES:
        o->classes = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "this verb takes no arguments");
        return 0;
    case ARGP_KEY_END:
        if (o->textfile != NULL && o->listen != NULL)
            argp_error(state, "give either --textfile or --listen");
        if (o->interval_ns != 0 && o->textfile == NULL)
            argp_error(state, "--interval needs --textfile");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int verb_export(int argc, char **argv) {
    static const struct argp_option rows[] = {
        {"textfile", KEY_TEXTFILE, "FILE", 0,
         "Write FILE atomically, for node_exporter's textfile collector", 0},
        {"interval", KEY_INTERVAL, "TIME", 0,
         "With --textfile: write it again every TIME, such as 15s, until a "
         "signal ends it",
         0},
        {"listen", KEY_LISTEN, "ADDRESS:PORT", 0,
         "Serve HTTP until a signal ends it. Default ADDRESS: 127.0.0.1", 0},
        {"classes", KEY_CLASSES, NULL, 0, "Include the figures of size classes",
         0},
        {NULL, 0, NULL, 0, NULL, 0}};
    static const struct argp argp = {
        .options = rows,
        .parser = parse,
        .doc = "Gives a collector the figures of all programs of this user "
               "that have a page (MOUND_WATCH=1, which mound run sets); for "
               "root, of all users. By default it prints them as "
               "OpenMetrics.\vHTTP serves\n"
               "  /metrics           OpenMetrics or Prometheus' text, as the "
               "reader accepts\n"
               "  /debug/vars        Go's expvar of one process; ?pid=PID if "
               "there are several\n"
               "  /debug/pprof/heap  its heap profile, likewise, if it takes "
               "samples\n\n"
               "Anyone who can connect can read them; on 127.0.0.1, each user "
               "of the machine.\n\n"
               "Exit status: 0 done, 2 wrong usage, or failed.",
    };
    struct options o = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.listen != NULL)
        return export_listen(&o.address, o.listen, o.classes);
    if (o.textfile != NULL)
        return o.interval_ns != 0 ? write_for_ever(&o) : write_once(&o);
    export_write(stdout, OPENMETRICS_BOTH, o.classes);
    return VERB_DONE;
}
