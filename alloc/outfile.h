// outfile.h: files in which this process tells of itself: their names, and how
// they are written. All by raw system calls, since stdio may be closed, locked or
// replaced by then; nothing here allocates.
#ifndef MOUND_OUTFILE_H
#define MOUND_OUTFILE_H

#include "base/compiler.h"

enum { OUTFILE_PATH_MAX = 4096 };

// struct outfile is what one environment variable asks for.
struct outfile {
    const char *variable; // for complaints
    const char *path;     // absolute; %p pid, %e program, %n number, %% a %
    // Writes the contents to fd; 0 or -errno.
    int (*write)(int fd);
};

// outfile_set makes value an absolute path in ret_path, which has room for
// OUTFILE_PATH_MAX bytes; false: it is empty or too long.
bool outfile_set(char *ret_path, const char *value);

// outfile_init finds out the program's name, while the process still sees /proc.
void outfile_init(void);
const char *outfile_program(void);

// outfile_write writes the file beside its place and renames it: a reader sees
// all or nothing, and a link of that name is replaced, not followed. Where it
// cannot be written one line on descriptor 2 says so. In a child of a fork the
// process number is added to a name without %p. number 0 is the one at exit; others
// stand in the place of %n, or before the name's ending (heap.pb.gz: heap.2.pb.gz).
// One thread at a time: -EBUSY while another is at it, else 0 or -errno.
int outfile_write(const struct outfile *out, uint64_t number);

bool outfile_ends_in(const char *path, const char *ending);

#endif // MOUND_OUTFILE_H
