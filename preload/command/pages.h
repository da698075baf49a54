// pages.h: all pages of a user, or, for root, of all users.
#ifndef MOUND_COMMAND_PAGES_H
#define MOUND_COMMAND_PAGES_H

#include "mound_page.h"
#include "pagefile.h"
#include "process.h"

#define PAGES_ROOT "/dev/shm"

struct pages_entry {
    int folder;       // descriptor of the folder of a user
    const char *name; // of the file in that folder
    const char *path; // of both
    uid_t uid;        // of the folder
    pid_t pid;        // of the process, in this pid namespace; 0: it has ended
    bool
        elsewhere; // pid is 0, but it may be in a pid namespace not visible here
    struct mound_page *page;
    struct pagefile *file;
};

// pages_each calls f for each page, in no order, until f returns false. It complains
// about files that are no pages and folders of other owners, one line each. Pages that
// disappear meanwhile or are still unfinished are left out.
void pages_each(bool (*f)(const struct pages_entry *entry, void *argument),
                void *argument);

// pages_each_unfinished calls f for those that a process did not finish within some
// seconds, for example because it was killed: pages_each leaves them out. entry->page is
// empty.
void pages_each_unfinished(bool (*f)(const struct pages_entry *entry,
                                     void *argument),
                           void *argument);

// pages_of calls f for the pages of a process (at most one is), looked for in the
// container of the process, without complaints.
void pages_of(const struct process *p,
              bool (*f)(const struct pages_entry *entry, void *argument),
              void *argument);

// pages_remove removes a page and the profiles beside it, adds what was removed to *sum,
// and returns 0 or the first error other than ENOENT.
struct pages_removed {
    uint64_t npages, nprofiles, nbytes;
};
int pages_remove(const struct pages_entry *entry, struct pages_removed *sum);

#endif // MOUND_COMMAND_PAGES_H
