// layout.h: where the data of the heap is, for readers outside the process: of a live
// process (process_vm_readv), of a core, in gdb. libmound.so exports
//
//   mound_layout        struct mound_layout, read-only
//   mound_stats         struct heapstats, which begins with a layout of its own
//   mound_layout_heap   struct mheap
//   mound_layout_mode   uint8_t, enum runtime_mode
//
// An entry is of one of three kinds:
//
//   "mheap"                 a struct:    value 0, bytes its size
//   "mheap.memlimit.pages"  a member:    value its offset in the struct, bytes its size
//   "PAGE_SHIFT"            a constant:  value, bytes 0
//
// A reader looks entries up by name and copes with missing ones: entries come and go
// with versions of the library. A member of several bytes may be an array; its length is
// its bytes divided by those of its element.
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
