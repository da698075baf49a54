// shown.h: how the verbs about profiles show one, or the difference of two: as text, as
// a page, as a file.
#ifndef MOUND_COMMAND_SHOWN_H
#define MOUND_COMMAND_SHOWN_H

#include <argp.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pprof.h"

// struct shown is what the options say.
struct shown {
    size_t top;
    size_t depth;
    bool allocated; // instead of what is in use
    bool flame;
    const char *output; // a profile is written there, or NULL
};

// shown_argp are these options, a child of a verb's; its input is a struct shown that
// shown_init has filled.
extern const struct argp shown_argp;
void shown_init(struct shown *s);

// shown_profile shows a profile that has been symbolized, less base if that is not
// NULL, and returns a status for the verb.
//
// title   what it is: "python3 (1234)"
// facts   more lines that say how it was made, nfacts
int shown_profile(const struct shown *s, const char *title,
                  const char *const *facts, size_t nfacts, struct pprof *p,
                  const struct pprof *base);

#endif // MOUND_COMMAND_SHOWN_H
