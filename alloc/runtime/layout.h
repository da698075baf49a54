// layout.h: where what is in the memory of a process, for readers outside of it: of a
// live one (process_vm_readv), of a core, in gdb. libmound.so exports
//
//   mound_layout        struct mound_layout, read-only
//   mound_stats         struct heapstats, whose beginning says the same of itself
//   mound_layout_heap   struct mheap
//   mound_layout_mode   uint8_t, enum runtime_mode
//
// An entry is of one of three kinds:
//
//   "mheap"                 a struct:    value 0, bytes its size
//   "mheap.memlimit.pages"  a member:    value its offset in the struct, bytes its size
//   "PAGE_SHIFT"            a constant:  value, bytes 0
//
// A reader looks up what it needs by name and takes nothing for granted that is not
// there: entries come and go with versions of the library. A member of several bytes may
// be an array, whose length is its bytes by those of its element.
#ifndef MOUND_RUNTIME_LAYOUT_H
#define MOUND_RUNTIME_LAYOUT_H

#include <stdint.h>

#define MOUND_LAYOUT_MAGIC UINT64_C(0x74756f79616c6d6f) // "omlayout"
#define MOUND_LAYOUT_VERSION 1                          // of these two structs
#define MOUND_LAYOUT_NAME_BYTES 32

struct mound_layout_entry {
    char name[MOUND_LAYOUT_NAME_BYTES]; // ends in 0
    uint32_t value;
    uint32_t bytes;
};

struct mound_layout {
    uint64_t magic;
    uint32_t version;
    uint32_t library;                    // mound_version()
    struct mound_layout_entry entries[]; // the last has an empty name
};

extern const struct mound_layout mound_layout;

#endif // MOUND_RUNTIME_LAYOUT_H
