// pagefile.h: reads a file with the page of a process (mound_page.h). The file belongs to
// a user, may be forged, and may change while it is read: it is copied, never mapped,
// and each section is read again until it is consistent, with a bounded number of tries.
#ifndef MOUND_COMMAND_PAGEFILE_H
#define MOUND_COMMAND_PAGEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mound_page.h"

struct pagefile {
    uid_t owner;
    dev_t dev;
    ino_t ino;
    uint64_t nbytes;
    bool torn;       // a section stays half written: see mound_page.h
    bool unfinished; // magic is not set yet: it is being made, or its process
                     // died meanwhile
};

// struct pagefile_why is the reason why a page could not be read, to follow the file's
// name in a message.
struct pagefile_why {
    char s[128];
};

// pagefile_read reads the file name in the folder dir (AT_FDCWD: or a path) and returns
// true. In *ret texts end in 0 and have no control characters, unknown values of
// enumerations are replaced by the first one, and ranges are in order; all other numbers
// are unchecked.
bool pagefile_read(int dir, const char *name, struct mound_page *ret,
                   struct pagefile *ret_about, struct pagefile_why *ret_why);

// pagefile_is says whether a file begins as a page does.
bool pagefile_is(const char *path);

#endif // MOUND_COMMAND_PAGEFILE_H
