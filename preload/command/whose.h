// whose.h: finds the process of a page, by the ID that the process has in its own pid
// namespace and its start time.
#ifndef MOUND_COMMAND_WHOSE_H
#define MOUND_COMMAND_WHOSE_H

#include "mound_page.h"
#include "pagefile.h"
#include "process.h"

// struct whose caches what was found out about all processes, for many pages. It is zero
// at first, and filled when a page of another pid namespace is looked up.
struct whose {
    struct whose_process {
        uint64_t start_ticks;
        pid_t pid;
    } * processes; // by start_ticks
    size_t nprocesses;
    bool filled;
};
void whose_end(struct whose *seen);

// whose_process returns the ID, in this pid namespace, of the process that keeps a page,
// or 0: it has ended, or runs another program now (exec). If the kernel does not permit
// reading the mappings of that process, it is taken for the same program.
pid_t whose_process(struct whose *seen, const struct mound_page_identity *who,
                    const struct pagefile *file);

// whose_is_seen says whether the process of a page would be visible here if it lived.
// Processes of another pid namespace are not, unless this one is the machine's first,
// which sees all.
bool whose_is_seen(const struct mound_page_identity *who);

#endif // MOUND_COMMAND_WHOSE_H
