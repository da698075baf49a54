// pagefile.h: reads a file that has the page of a process (mound_page.h). The file
// belongs to a user who may have made it himself, and may change while it is read: it
// is copied, never mapped, each section until it is whole, with a bounded number of
// tries.
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
    bool torn; // a section was being written, and stays so: see mound_page.h
    bool
        unfinished; // it does not say yet that it is a page: being made, or its
                    // process died in the midst of that
};

// struct pagefile_why is the reason why a page could not be read, for a message after
// the name of the file.
struct pagefile_why {
    char s[128];
};

// pagefile_read reads the file name in the folder dir (AT_FDCWD: or a path) and returns
// true. In *ret texts end in 0 and have no control characters, enumerations are
// known ones or the first, and ranges are in order; all other numbers are as the file
// has them.
bool pagefile_read(int dir, const char *name, struct mound_page *ret,
                   struct pagefile *ret_about, struct pagefile_why *ret_why);

// pagefile_is says whether a file begins as a page does.
bool pagefile_is(const char *path);

#endif // MOUND_COMMAND_PAGEFILE_H
