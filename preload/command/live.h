// live.h: reads the counters out of a process that has no page, by process_vm_readv. The
// process does not notice.
#ifndef MOUND_COMMAND_LIVE_H
#define MOUND_COMMAND_LIVE_H

#include "mound_page.h"
#include "process.h"

enum live_answer {
    LIVE_READ,
    LIVE_ABSENT,    // its program does not have mound
    LIVE_FORBIDDEN, // EACCES or EPERM
    LIVE_UNREADABLE,
};

// live_read fills also what another has begun: a page that was read from its file, whose
// statistics are older. It
// fills *ret and returns LIVE_READ; or what else, and in why a reason that can
// follow the process's name in a message. Members that only a page has are 0.
struct live_why {
    char s[192];
};
enum live_answer live_read(const struct process *p, struct mound_page *ret,
                           struct live_why *ret_why);

// live_has says, at a lower cost, whether a process maps libmound.so; a program that
// has mound linked into it is not found.
bool live_has(pid_t pid);

// live_process fills in what /proc says: the RSS, the name that the program was started
// by and, if page is new, the rest of the identity.
void live_process(const struct process *p, struct mound_page *page);

#endif // MOUND_COMMAND_LIVE_H
