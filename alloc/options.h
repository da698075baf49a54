// options.h: the environment, read once, as one constant struct. See README.md
// for what each variable means.
#ifndef MOUND_OPTIONS_H
#define MOUND_OPTIONS_H

#include "heap/mheap.h"
#include "prof/report.h"

enum stats_mode { STATS_OFF, STATS_STDERR, STATS_FILE };

enum { OPTION_PATH_MAX = 4096 };

struct options {
    enum stats_mode stats;
    char stats_path[OPTION_PATH_MAX]; // absolute, before %-expansion
    bool hardened;
    enum report_action misuse;
    bool off;
    bool keep_deepbind;
    enum thp_mode thp;
};

extern const struct options *const options;

// options_read fills *options from the environment envp, or, if that is NULL,
// from /proc/self/environ. It writes one line about each malformed variable to
// descriptor 2 and uses the default. It does not allocate. Once.
void options_read(char **envp);

#endif // MOUND_OPTIONS_H
