// target.h: what a verb is told to look at, as a filled page: a process, the page file
// of one that may have ended, or a core.
#ifndef MOUND_COMMAND_TARGET_H
#define MOUND_COMMAND_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "live.h"
#include "mound_page.h"
#include "pages.h"
#include "process.h"

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
    bool elsewhere;  // it may run where it is not seen from here
    bool torn;       // it died while it wrote a section
    int64_t differs; // by what page.stats was brought up to the last moment
    struct mound_page page;
    struct mound_page *mapped; // target_map, or NULL
};

// target_open finds what: a number is a process; anything else a file, a page or a core,
// or, where there is no such file, the name of the only process on mound that has it.
// False, after one line on stderr that says why: there is nothing to be read.
bool target_open(const char *what, struct target *ret);
bool target_open_pid(pid_t pid, struct target *ret);

// target_of_page is the target of an entry of pages_each, and target_of_process that of a
// process without a page. They complain about nothing; false: it does not have mound, or
// cannot be read, as *ret_why says.
bool target_of_page(const struct pages_entry *entry, struct target *ret);
bool target_of_process(const struct process *p, struct target *ret,
                       enum live_answer *ret_answer, struct live_why *ret_why);
void target_close(struct target *t);

// target_refresh reads page once more; false, and page unchanged, without complaint: it
// cannot be read any more. alive says whether the process still is there.
bool target_refresh(struct target *t);

// target_reread takes the figures of the page as they are, after the process was
// requested to publish them: they then say more than its counters do.
bool target_reread(struct target *t);

// target_state is how the process of a target is, or ended: "running", "killed", "exited 3",
// "signal 11", "elsewhere" (in a pid namespace not seen from here), "core". Where
// mound does not serve its malloc: "off".
struct target_text {
    char s[32];
};
struct target_text target_state(const struct target *t);

// target_settle has the page of a process that is seen to have ended say so, for what
// prints pages: the kernel leaves no note when it kills.
void target_settle(struct target *t);

// target_map maps the page file of a live process for writing, for control, or returns
// NULL after a complaint. A page that its user shortens later ends this command with a
// complaint.
struct mound_page *target_map(struct target *t);

#endif // MOUND_COMMAND_TARGET_H
