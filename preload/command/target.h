// target.h: the object that a verb reads, as a filled page: a process, the page file of a
// process that may have ended, or a core.
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
    TARGET_LIVE, // the memory of a process without a page file
    TARGET_CORE,
};

struct target {
    pid_t pid;  // in this pid namespace; 0: ended, or not visible here
    bool alive; // pid still is that program
    enum target_source source;
    char *path; // of the page file or the core; NULL
    bool fresh; // page.stats was read from the process now, not published by it
    bool elsewhere;  // it may run in a namespace that is not visible here
    bool torn;       // it died while it wrote a section
    int64_t differs; // the change by which page.stats was brought up to date
    struct mound_page page;
    struct mound_page *mapped; // target_map, or NULL
};

// target_open finds what: a number is a process; anything else a file (a page or a core)
// or, if there is no such file, the name of the only process on mound of that name.
// False, after one line on stderr that says why: there is nothing to read. A process
// that has no page and began less than half a second ago gets the rest of that time: it
// may still load its libraries.
bool target_open(const char *what, struct target *ret);
bool target_open_pid(pid_t pid, struct target *ret);

// target_of_page makes the target of an entry of pages_each, target_of_process that of a
// process without a page. They print nothing; false: it does not have mound, or cannot be
// read, as *ret_why says.
bool target_of_page(const struct pages_entry *entry, struct target *ret);
bool target_of_process(const struct process *p, struct target *ret,
                       enum live_answer *ret_answer, struct live_why *ret_why);
void target_close(struct target *t);

// target_refresh reads page once more. False, with page unchanged and nothing printed: it
// cannot be read any more; alive says whether the process still exists.
bool target_refresh(struct target *t);

// target_reread takes the figures of the page, after the process was requested to publish
// them: the page then has more than the counters.
bool target_reread(struct target *t);

// target_state is the state of the process of a target: "running", "killed", "exited 3",
// "signal 11", "elsewhere" (in a pid namespace not visible here), "core", or "off" if
// mound does not serve its malloc.
struct target_text {
    char s[32];
};
struct target_text target_state(const struct target *t);

// target_settle sets the state of a page whose process was found to have ended, for verbs
// that print pages: after a kill the page does not say so.
void target_settle(struct target *t);

// target_map maps the page file of a live process for writing, for requests, or returns
// NULL after a complaint. If its user truncates the file later, this command ends with a
// complaint.
struct mound_page *target_map(struct target *t);

#endif // MOUND_COMMAND_TARGET_H
