// shown.h: how the verbs for profiles show a profile, or the difference of two: as text,
// as a page, as a file.
#ifndef MOUND_COMMAND_SHOWN_H
#define MOUND_COMMAND_SHOWN_H

#include <argp.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pprof.h"

// struct shown has the values of the options.
struct shown {
    size_t top;
    size_t depth;
    bool allocated; // show what was allocated instead of what is in use
    bool flame;
    const char *output; // the file to write a profile to, or NULL
};

// shown_argp parses these options, as a child of a verb's parser; its input is a struct
// shown that shown_init has filled.
extern const struct argp shown_argp;
void shown_init(struct shown *s);

// shown_profile shows a symbolized profile, minus base if that is not NULL, and returns
// an exit status for the verb.
//
// title   such as "python3 (1234)"
// facts   nfacts more lines that say how it was made
int shown_profile(const struct shown *s, const char *title,
                  const char *const *facts, size_t nfacts, struct pprof *p,
                  const struct pprof *base);

#endif // MOUND_COMMAND_SHOWN_H
