// pages.h: all pages of a user, or, for root, of all users.
#ifndef MOUND_COMMAND_PAGES_H
#define MOUND_COMMAND_PAGES_H

#include "mound_page.h"
#include "pagefile.h"
#include "process.h"

#define PAGES_ROOT "/dev/shm"

struct pages_entry {
    int folder;       // descriptor of the folder of a user
    const char *name; // in it
    const char *path; // of both
    uid_t uid;        // of the folder
    pid_t pid;        // of the process, as seen from here; 0: it has ended
    bool
        elsewhere; // pid is 0, but it may be in a pid namespace not seen from here
    struct mound_page *page;
    struct pagefile *file;
};

// pages_each calls f for each page, in no order, until f returns false. It complains
// about files that are no pages and folders that belong to others, a line each. A page
// that goes meanwhile is left out, and one that is not there yet.
void pages_each(bool (*f)(const struct pages_entry *entry, void *argument),
                void *argument);

// pages_each_unfinished calls f for those that a process began to make and did not
// finish within some seconds, as one that was killed meanwhile: pages_each leaves them
// out. There is nothing in entry->page.
void pages_each_unfinished(bool (*f)(const struct pages_entry *entry,
                                     void *argument),
                           void *argument);

// pages_of calls f for the pages that a process may have, in the container of the
// process, and complains about nothing. There is one, or none.
void pages_of(const struct process *p,
              bool (*f)(const struct pages_entry *entry, void *argument),
              void *argument);

// pages_remove removes a page and the profiles beside it, adds up what went, and returns
// 0 or the first error, but for ENOENT.
struct pages_removed {
    uint64_t npages, nprofiles, nbytes;
};
int pages_remove(const struct pages_entry *entry, struct pages_removed *sum);

#endif // MOUND_COMMAND_PAGES_H
