// stdfd.c: see stdfd.h.
#include "base/stdfd.h"

#include "os/filter.h"
#include "os/sys.h"

enum { FIRST = 1, LAST = 2, NFDS = LAST - FIRST + 1 };

static AT_START bool started;
static AT_START struct {
    bool noted;
    bool known;           // it was open
    int copy;             // 0: none
    struct sys_file file; // what it was
} standard[NFDS];

static void note(int fd) {
    if (!standard[fd - FIRST].noted)
        standard[fd - FIRST].known =
            sys_file_of(fd, &standard[fd - FIRST].file);
    standard[fd - FIRST].noted = true;
}

void stdfd_start(void) {
    note(2);
    started = true;
}

// still says whether fd is the file that number was at the start.
static bool still(int fd, int number) {
    struct sys_file now;
    return standard[number - FIRST].known && sys_file_of(fd, &now) &&
           sys_file_same(&now, &standard[number - FIRST].file);
}

void stdfd_keep(int fd, bool waiters) {
    note(fd);
    if (!waiters && sys_file_is_read(&standard[fd - FIRST].file))
        return;
    if (standard[fd - FIRST].copy == 0 && still(fd, fd)) {
        int copy = sys_dup_high(fd);
        standard[fd - FIRST].copy = copy > 0 ? copy : 0;
    }
}

void stdfd_forked(void) {
    if (filter_noted())
        return;
    for (int fd = FIRST; fd <= LAST; fd++) {
        int copy = standard[fd - FIRST].copy;
        // The program may have closed the duplicate and opened another file
        // there.
        if (copy != 0 && still(copy, fd))
            sys_close(copy);
        standard[fd - FIRST].copy = 0;
    }
}

int stdfd_of(int fd) {
    if (still(fd, fd))
        return fd;
    int copy = standard[fd - FIRST].copy;
    return copy != 0 && still(copy, fd) ? copy : -1;
}

static bool redirected(void) {
    struct sys_file out, err;
    if (!sys_file_of(2, &err))
        return false;
    return sys_is_log(2) || (sys_file_of(1, &out) && sys_file_same(&out, &err));
}

int stdfd_err(void) {
    if (!started || filter_noted())
        return 2;
    int fd = stdfd_of(2);
    if (fd < 0 && standard[2 - FIRST].known)
        fd = sys_open_terminal(&standard[2 - FIRST].file);
    return fd >= 0 || !redirected() ? fd : 2;
}
