// outtarget.h: determines what exists under a name that the user gave: a place
// for a file, or something to print to. By its type, not by its spelling.
#ifndef MOUND_OUTTARGET_H
#define MOUND_OUTTARGET_H

#include "base/compiler.h"

enum outtarget_kind {
    OUTTARGET_FILE,       // a file, a link to one, or nothing: to be replaced
    OUTTARGET_STREAM,     // a pipe or device, or a link to one: to be opened
    OUTTARGET_DESCRIPTOR, // a descriptor of this process, as /dev/stdout is
};

struct outtarget {
    enum outtarget_kind kind;
    int fd; // of OUTTARGET_DESCRIPTOR
};

// outtarget_find fills *ret_target for name in the directory dir and returns 0,
// or -errno: it is of another type, or cannot be examined. It opens only
// directories. One thread at a time.
int outtarget_find(int dir, const char *name, struct outtarget *ret_target);

#endif // MOUND_OUTTARGET_H
