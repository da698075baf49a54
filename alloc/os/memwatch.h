// memwatch.h: lets those hear of it who watch memory going back to the system.
//
// Libraries for fast networks (UCX, Open MPI, libfabric) keep memory registered
// with a device for as long as it is there. They notice its end by functions of
// their own in the place of libc's madvise and munmap: preloaded, entered in the
// loader's tables of each library, or by a jump written over libc's code. Our system
// calls are our own, so where one of these is found they are made by libc's names.
//
// Such a function may take locks, use thread-local memory, call malloc and free. So
// it is called with none of our locks held, out of the slow path (leave and back
// below), never from the helper thread, which is none of libc's, and never from
// within another: what is freed there goes back later.
//
// Where nobody watches, nothing of this is done.
#ifndef MOUND_OS_MEMWATCH_H
#define MOUND_OS_MEMWATCH_H

#include "base/compiler.h"

enum { MEMWATCH_SAVED = 4 };

// memwatch_start notes what libc's functions are like before others come. leave
// takes this thread out of the slow path that it is in and keeps in ret_saved what
// back needs to enter it again; it returns false if it cannot, as in the helper
// thread. Once, before there are threads; until then nobody watches.
void memwatch_start(bool (*leave)(uintptr_t *ret_saved),
                    void (*back)(const uintptr_t *saved));

// memwatch_watched says whether somebody watches now. Any thread, no locks.
bool memwatch_watched(void);

// memwatch_can_tell says whether this thread may call them here: it is in a slow
// path, and in none of theirs.
bool memwatch_can_tell(void);

// memwatch_madvise_away is MADV_DONTNEED by libc's name, memwatch_munmap munmap.
// They return false if the call failed or cannot be made here. errno is kept.
bool memwatch_madvise_away(uintptr_t addr, size_t nbytes);
bool memwatch_munmap(uintptr_t addr, size_t nbytes);

#endif // MOUND_OS_MEMWATCH_H
