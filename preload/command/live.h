// live.h: reads the counters of a process without a page by process_vm_readv, without
// stopping the process.
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

// live_read fills *ret and returns LIVE_READ; or another answer, and in why a reason that
// can follow the process's name in a message. *ret may be a page that was read from its
// file, whose statistics are older. Members that only a page has are 0.
struct live_why {
    char s[192];
};
enum live_answer live_read(const struct process *p, struct mound_page *ret,
                           struct live_why *ret_why);

// live_has says, at a lower cost, whether a process maps libmound.so; it does not find
// programs that are linked with libmoundmalloc.a.
bool live_has(pid_t pid);

// live_process fills in figures from /proc: the RSS, the name by which the program was
// started and, if page is new, the rest of the identity.
void live_process(const struct process *p, struct mound_page *page);

#endif // MOUND_COMMAND_LIVE_H
