// loaded.h: finds the program or library that an address belongs to, without
// the loader's lock.
#ifndef MOUND_OS_LOADED_H
#define MOUND_OS_LOADED_H

#include "base/compiler.h"

// struct loaded is a program or library that the dynamic loader has loaded.
struct loaded {
    uintptr_t start;
    uintptr_t end;          // the first address after it
    uintptr_t eh_frame_hdr; // its index of unwind tables, or 0
    const char *name;       // its path, "" for the program
    bool stays; // never unloaded: the program, the C library or this one
};

// loaded_find returns false for an address outside all such objects, and always
// if the C library has no _dl_find_object (glibc before 2.35). It takes no
// lock, makes no system call and allocates nothing, so it works in any state of
// the process, also in a signal handler. The answer is valid until the object
// is unloaded.
bool loaded_find(uintptr_t pc, struct loaded *ret_object);

// loaded_can_find says whether loaded_find can work with this C library.
bool loaded_can_find(void);

// loaded_headers returns the program headers (ElfW(Phdr)) and the address they
// are relative to; false if they are not in the object's first page. For this
// function and those below the object must stay loaded, as it does while its
// code runs.
bool loaded_headers(const struct loaded *object, const void **ret_headers,
                    unsigned *ret_nheaders, uintptr_t *ret_base);

// loaded_sum returns a checksum that differs for another object loaded at the
// same address. It covers the first 1 KiB: the headers and, where linkers put
// it there, the build ID.
uint64_t loaded_sum(const struct loaded *object);

enum { LOADED_BUILD_ID_MAX = 64 };

// struct loaded_code is a mapping of an object's code: [start, limit) maps its
// file from offset.
struct loaded_code {
    uintptr_t start;
    uintptr_t limit;
    uint64_t offset;
    unsigned nbuild_id; // bytes of build ID, or 0
    uint8_t build_id[LOADED_BUILD_ID_MAX];
};

// loaded_code finds the mapping of pc; false if pc is not in code.
bool loaded_code(const struct loaded *object, uintptr_t pc,
                 struct loaded_code *ret_code);

#endif // MOUND_OS_LOADED_H
