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

#endif // MOUND_OS_LOADED_H
