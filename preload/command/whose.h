// whose.h: which process a page belongs to, by the number that the process has in its own
// pid namespace and the time of its start.
#ifndef MOUND_COMMAND_WHOSE_H
#define MOUND_COMMAND_WHOSE_H

#include "mound_page.h"
#include "pagefile.h"
#include "process.h"

// struct whose is what was seen of all processes, for questions about many pages. It is
// zero at first, and filled when a page of another pid namespace is looked up.
struct whose {
    struct whose_process {
        uint64_t start_ticks;
        pid_t pid;
    } * processes; // by start_ticks
    size_t nprocesses;
    bool filled;
};
void whose_end(struct whose *seen);

// whose_process returns the number, as seen from here, of the process that keeps a page,
// or 0: it has ended, or its program is another one now (exec). Where the kernel does
// not show this process the mappings of that one, it is taken for the same program.
pid_t whose_process(struct whose *seen, const struct mound_page_identity *who,
                    const struct pagefile *file);

// whose_is_seen says whether the process of a page would be seen from here if it lived:
// not so one of another pid namespace, unless this one is the first of the machine,
// which sees all.
bool whose_is_seen(const struct mound_page_identity *who);

#endif // MOUND_COMMAND_WHOSE_H
