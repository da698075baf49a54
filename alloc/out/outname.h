// outname.h: makes the names of output files from what the user wrote,
// replacing the % sequences.
#ifndef MOUND_OUTNAME_H
#define MOUND_OUTNAME_H

#include "base/compiler.h"

enum { OUTNAME_PATH_MAX = 4096, OUTNAME_MAX = 512 };

// outname_set makes value, not empty, an absolute path in ret_path, which has room
// for OUTNAME_PATH_MAX bytes, and returns NULL; or why it cannot.
const char *outname_set(char *ret_path, const char *value);

// outname_init determines the program's name, while the process can still read
// /proc.
void outname_init(void);
const char *outname_program(void);

// outname_forked, in a child of a fork: from now on the process number is in every
// name, where no %p says where.
void outname_forked(void);

bool outname_ends_in(const char *path, const char *ending);

// struct outname is one name that is being made.
struct outname {
    const char *template; // absolute; %p pid, %e program, %n number, %% a %
    const char *tag; // behind the name's stem, in front of a number; or NULL
    uint64_t number; // of this file: 0, or behind the name's stem
    bool counts;     // %n is in the last part
    bool own;        // the number of the process is in it
    bool too_long;
    size_t nfolder;
    size_t ntext;
    char folder[OUTNAME_PATH_MAX];
    char text[OUTNAME_MAX]; // the last part
};

// outname_start begins with a path as outname_set makes it, without a tag. outname_bare makes the
// name as it was written, without what makes it another file's; outname_try the
// i-th (from 1) of the names that this file may have: with %n the i-th number,
// else from the second on with that number in front of its ending.
void outname_start(struct outname *name, const char *template, uint64_t number);
void outname_bare(struct outname *name);
void outname_try(struct outname *name, uint64_t i);

#endif // MOUND_OUTNAME_H
