// outfile.h: writes the output files of this process, by raw system calls,
// since stdio may be closed, locked or replaced by then. Nothing here
// allocates.
#ifndef MOUND_OUTFILE_H
#define MOUND_OUTFILE_H

#include "base/compiler.h"
#include "out/outname.h"

enum {
    // How long the end of the process waits for another thread that is writing.
    OUTFILE_WAIT_S = 10,
};
#define OUTFILE_WAIT_NS ((uint64_t)OUTFILE_WAIT_S * 1000000000u)

// struct outfile is the file that one environment variable names.
struct outfile {
    const char *variable; // for error messages; NULL: none are printed
    const char *path;     // see outname.h
    // Writes the contents to fd; 0 or -errno. It may be called a second time, for
    // another file.
    int (*write)(int fd);
    int *said;       // the error that outfile_look has complained of
    const char *tag; // behind the stem of the name, as the number; or NULL
    // For a file that this process writes again and again: the number of the
    // name that it got the first time; 0 before that. NULL: each write makes a
    // new file.
    uint64_t *which;
};

// outfile_look, in the constructor, reports at once if the file cannot be
// written as things are now, since there may be no stderr at the end. It keeps
// a copy of standard error for later errors, unless that is a pipe; if the file
// is standard output or standard error, a copy of that in any case.
void outfile_look(const struct outfile *out);

// outfile_write writes the file without a name, or under one of its own, and then
// gives it its name in one step: a reader sees all or nothing. A file of that name is
// replaced; so is a symbolic link, which is not followed. But a name with %n or with the
// process ID is always new, even if several processes look for one at once: with %n it
// has the first free number; otherwise, if an earlier process of that ID or one of
// another pid namespace has the name, a further number before the ending.
//
// A pipe, a terminal or another device, /dev/stdout, and what links to such a thing
// is not replaced: the contents are written to it. Not to a disk, a socket, a
// folder.
//
// Where it cannot be written one line on the stderr of the start says so. In a child
// of a fork the process number is added to a name without %p. number 0 is the one at
// exit; others replace %n, or before the name's ending (heap.pb.gz:
// heap.2.pb.gz).
//
// One thread at a time: -EBUSY while another is writing; the call at exit waits
// OUTFILE_WAIT_S seconds for it, and takes over from a writer that it
// interrupted. Otherwise 0 or -errno.
int outfile_write(const struct outfile *out, uint64_t number);

// outfile_abandon removes what a writer that was interrupted for good, in this
// thread, has left under a name of its own.
void outfile_abandon(void);

#endif // MOUND_OUTFILE_H
