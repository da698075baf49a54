// symbols.h: function names from a file's symbol table: for reports, in any
// state of the process. Nothing here allocates, takes a lock, or calls dladdr
// or the loader.
#ifndef MOUND_PROF_SYMBOLS_H
#define MOUND_PROF_SYMBOLS_H

#include "base/compiler.h"

enum { SYMBOLS_NAME_MAX = 120 }; // longer names are cut

// struct symbol is a function that an address was found in.
struct symbol {
    uint64_t address; // that is looked for, as the linker gave it
    uint64_t start;   // of the function
    uint64_t nbytes;  // of it; 0: none was found
    uint64_t name_at; // in the file
};

// struct symbols is the work on one file. 4 KiB: static.
struct symbols {
    int fd;
    char buf[4096];
};

// symbols_open opens a file and finds the function of each of n addresses, in its
// .symtab or, where it was stripped, in .dynsym. It returns false if it is no such
// file. Cost: reads all its symbols, up to 4 million, once.
bool symbols_open(struct symbols *s, const char *path, struct symbol *found,
                  unsigned n);

// symbols_name reads the name of one that was found, and returns it, or "".
const char *symbols_name(struct symbols *s, const struct symbol *found);

void symbols_close(struct symbols *s);

#endif // MOUND_PROF_SYMBOLS_H
