// loaded.h: which object of code an address is in, found without the loader's
// lock.
#ifndef MOUND_OS_LOADED_H
#define MOUND_OS_LOADED_H

#include "base/compiler.h"

// struct loaded is a program or library that the dynamic loader has loaded.
struct loaded {
    uintptr_t start;
    uintptr_t end;          // the first address behind it
    uintptr_t eh_frame_hdr; // its index of unwind tables, or 0
    const char *name;       // its path, "" for the program
    bool stays; // the program, the C library or our own: never unloaded
};

// loaded_find returns false for an address in no such object, and always where
// the C library cannot say without waiting (glibc before 2.35). In any state of
// the process, also in a signal handler: no lock, no system call, no memory. What
// it says of an object holds as long as nobody unloads that.
bool loaded_find(uintptr_t pc, struct loaded *ret_object);

// loaded_can_find says whether loaded_find ever finds something.
bool loaded_can_find(void);

// loaded_headers gives the program headers (ElfW(Phdr)) and what their addresses
// are relative to; false if they are not in the object's first page. This and what
// follows is for an object that somebody keeps loaded, as who runs in it does.
bool loaded_headers(const struct loaded *object, const void **ret_headers,
                    unsigned *ret_nheaders, uintptr_t *ret_base);

// loaded_sum sums what tells an object from another one at its place: headers and,
// where linkers put it, build ID.
uint64_t loaded_sum(const struct loaded *object);

enum { LOADED_BUILD_ID_MAX = 64 };

// struct loaded_code is a mapping of an object's code: [start, limit) shows its file
// from offset.
struct loaded_code {
    uintptr_t start;
    uintptr_t limit;
    uint64_t offset;
    unsigned nbuild_id; // bytes of build ID, or 0
    uint8_t build_id[LOADED_BUILD_ID_MAX];
};

// loaded_code finds the one that pc is in; false if that is no code.
bool loaded_code(const struct loaded *object, uintptr_t pc,
                 struct loaded_code *ret_code);

#endif // MOUND_OS_LOADED_H
