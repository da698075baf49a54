// maps.h: the mappings of the process, from the kernel's list
// (/proc/self/maps), line by line.
//
// The loader is not called: it changes its lists under a lock that the calling
// thread may hold.
#ifndef MOUND_PROF_MAPS_H
#define MOUND_PROF_MAPS_H

#include "base/compiler.h"

// struct maps is the list being read, through a buffer of the caller's.
struct maps {
    int fd;
    bool
        cut; // the rest of a line is to come, which did not fit into the buffer
    size_t next; // bytes of buf not read yet: [next, end)
    size_t end;
    size_t nbuf;
    char *buf;
};

// struct maps_line is one mapping.
struct maps_line {
    uint64_t start;
    uint64_t limit;  // the first address after it
    uint64_t offset; // in the file
    bool executable;
    bool no_file;
    // A path, followed by " (deleted)" if the file is gone; or a name like
    // [vdso]; or "". Cut to what fits into the buffer, which also holds about
    // 73 bytes of numbers. Valid until the next call.
    char *name;
};

// maps_open opens the list; if it can't, there are no lines to read.
void maps_open(struct maps *list, char *buf, size_t nbuf);

// maps_next gives the next line, in order of addresses, and false after the last.
bool maps_next(struct maps *list, struct maps_line *ret_line);

// maps_next_text gives the next piece of the list as the kernel writes it, and returns
// its length, 0 at the end. Not to be mixed with maps_next.
size_t maps_next_text(struct maps *list, const char **ret_text);

void maps_close(struct maps *list);

#endif // MOUND_PROF_MAPS_H
