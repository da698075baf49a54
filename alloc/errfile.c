// errfile.c: see errfile.h.
#include "errfile.h"

#include "os/sys.h"

static bool kept;
static bool known;           // descriptor 2 was open
static int copy = -1;        // our own descriptor of it
static struct sys_file file; // what it was

void errfile_keep(void) {
    if (kept)
        return;
    kept = true;
    known = sys_file_of(2, &file);
    if (known)
        copy = sys_dup_high(2);
}

static bool still(int fd) {
    struct sys_file now;
    return fd >= 0 && sys_file_of(fd, &now) && sys_file_same(&now, &file);
}

int errfile_fd(void) {
    if (!kept)
        return 2;
    if (!known)
        return -1;
    if (still(copy))
        return copy;
    return still(2) ? 2 : -1;
}
