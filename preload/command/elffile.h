// elffile.h: what the loader will find in a program or a library, by libelf.
#ifndef MOUND_COMMAND_ELFFILE_H
#define MOUND_COMMAND_ELFFILE_H

#include <stdbool.h>
#include <stdint.h>

enum { ELFFILE_VERSIONS = 64 };

struct elffile {
    bool is64;              // else 32 bits
    unsigned machine;       // EM_…
    bool dynamic;           // has a table for the loader
    char interpreter[1024]; // the loader's path, or ""
    bool defines_malloc;    // for all libraries
    bool hidden_malloc;     // only for itself, by the symbol table
    char other_malloc
        [32]; // a function of an allocator under its own name, or ""
    bool sanitizer;
    bool go, python;      // has a heap of its own, of Go's or python's
    bool opens_libraries; // calls dlopen
    // Versions GLIBC_… of libc.so.6 that it needs or, a C library, has.
    char versions[ELFFILE_VERSIONS][24];
    unsigned nversions;
};

// elffile_read returns false if path cannot be read (errno) or is no ELF file
// (errno 0).
bool elffile_read(const char *path, struct elffile *ret);

// elffile_for_us says whether a file is for the processor that this command was built
// for.
bool elffile_for_us(const struct elffile *e);

// elffile_lacks returns a version that need has and libc has not, or NULL.
const char *elffile_lacks(const struct elffile *need,
                          const struct elffile *libc);

#endif // MOUND_COMMAND_ELFFILE_H
