// library.h: finds mound's symbols in the file that defines them: libmound.so, or a
// program that was linked with libmoundmalloc.a.
#ifndef MOUND_COMMAND_LIBRARY_H
#define MOUND_COMMAND_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

struct library {
    uint64_t stats; // link address of mound_stats
    uint64_t heap; // of mound_layout_heap and mound_layout_mode; 0: not defined
    uint64_t mode;
    uint64_t layout; // of mound_layout, and its size
    uint64_t layout_bytes;
    struct layout table; // its contents; without entries: it has none
    uint64_t begin;      // its lowest link address, page-aligned
};

// library_read looks the symbols up in the file fd by libelf, until library_end. False:
// it is no ELF file for this machine, or has no mound_stats.
bool library_read(int fd, struct library *ret);
void library_end(struct library *library);

// library_is_named says whether the path of a mapping is that of libmound.so.
bool library_is_named(const char *path);

// library_version reads the version out of the name of the library, libmound.so.0.1.0, in
// the form of mound_version(); 0: it is not in the name.
uint32_t library_version(const char *path);

#endif // MOUND_COMMAND_LIBRARY_H
