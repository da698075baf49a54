// program.h: finds a program file before it is started, and whether mound can be
// preloaded into it.
#ifndef MOUND_COMMAND_PROGRAM_H
#define MOUND_COMMAND_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

struct program {
    char path[PATH_MAX]; // as exec takes it
    // The ELF file that is executed: path, or the interpreter of a script.
    char file[PATH_MAX];
    bool linked; // mound is linked into it; it needs no preloading
};

// program_find looks for a program as execvp does. False after a complaint.
bool program_find(const char *name, struct program *ret);

// program_takes says whether mound can be preloaded into it; false after a complaint that
// says why not: static, set-user-ID, another C library, 32 bits, another processor.
bool program_takes(struct program *p);

#endif // MOUND_COMMAND_PROGRAM_H
