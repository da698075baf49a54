// memwatch.h: reports memory that goes back to the system to libraries that
// watch for it.
//
// Libraries for fast networks (UCX, Open MPI, libfabric) keep memory registered
// with a device while it is mapped. They learn of its end by replacing libc's
// madvise and munmap: by preloading, by changing the loader's tables of each
// library, or by writing a jump over libc's code. Our system calls bypass these
// functions, so where such a replacement is found we call libc's names instead.
//
// The replacement may take locks, use thread-local memory, and call malloc and
// free. So it is called with none of our locks held and outside the slow path
// (leave and back below), never from the helper thread, which libc does not
// know, and never from within another such call: what is freed there is
// released later.
//
// Without a replacement, all this is skipped.
#ifndef MOUND_OS_MEMWATCH_H
#define MOUND_OS_MEMWATCH_H

#include "base/compiler.h"

enum { MEMWATCH_SAVED = 4 };

// memwatch_start notes what libc's functions look like before anything replaces
// them. leave takes the calling thread out of its slow path and stores in
// ret_saved what back needs to enter it again; it returns false if it cannot,
// as in the helper thread. Call it once, before there are threads; until then
// nothing counts as watched.
void memwatch_start(bool (*leave)(uintptr_t *ret_saved),
                    void (*back)(const uintptr_t *saved));

// memwatch_watched says whether one of the functions is replaced now. Any
// thread, no locks.
bool memwatch_watched(void);

// memwatch_can_tell says whether the calling thread may call them here: it is
// in a slow path, and not inside one of these calls.
bool memwatch_can_tell(void);

// memwatch_madvise_away calls libc's madvise(MADV_DONTNEED), memwatch_munmap
// its munmap. They return false if the call failed or cannot be made here.
// errno is kept.
bool memwatch_madvise_away(uintptr_t addr, size_t nbytes);
bool memwatch_munmap(uintptr_t addr, size_t nbytes);

#endif // MOUND_OS_MEMWATCH_H
