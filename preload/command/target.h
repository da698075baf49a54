// target.h: what a verb is told to look at, as a filled page: a process, the page file
// of one that may have ended, or a core.
#ifndef MOUND_COMMAND_TARGET_H
#define MOUND_COMMAND_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mound_page.h"

enum target_source {
    TARGET_PAGE, // a page file
    TARGET_LIVE, // the memory of a process without one
    TARGET_CORE,
};

struct target {
    pid_t pid;  // as seen from here; 0: it has ended, or is not seen
    bool alive; // pid is that program
    enum target_source source;
    char *path; // of the page file or the core; NULL
    bool
        fresh; // page.stats was read from the process now, not when it published
    bool torn; // it died while it wrote a section
    struct mound_page page;
    struct mound_page *mapped; // target_map, or NULL
};

// target_open finds what: a number is a process; anything else a file, a page or a core.
// False, after one line on stderr that says why: there is nothing to be read.
bool target_open(const char *what, struct target *ret);
bool target_open_pid(pid_t pid, struct target *ret);
void target_close(struct target *t);

// target_refresh reads page once more; false, and page unchanged, without complaint: it
// cannot be read any more. alive says whether the process still is there.
bool target_refresh(struct target *t);

// target_map maps the page file of a live process for writing, for control, or returns
// NULL after a complaint. A page that its user shortens later ends this command with a
// complaint.
struct mound_page *target_map(struct target *t);

#endif // MOUND_COMMAND_TARGET_H
