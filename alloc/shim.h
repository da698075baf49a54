// shim.h: what preload/ needs beside mound.h: the life of the process around
// the allocator. Not installed.
#ifndef MOUND_SHIM_H
#define MOUND_SHIM_H

#include "runtime.h"

// shim_start is our constructor's work: options from envp, the call at thread
// exit, the dump's needs. May allocate.
void shim_start(char **envp);

// shim_finish is our destructor's: the dump, then what this thread and the
// shared stores hold goes back to its spans, where a double free is seen.
void shim_finish(void);

// shim_exiting writes the dump for a process that leaves without destructors.
void shim_exiting(void);

// shim_off says whether MOUND_OFF=1; shim_keep_deepbind MOUND_DEEPBIND=keep.
bool shim_off(void);
bool shim_keep_deepbind(void);

// shim_go_passive makes every call pass on to *next from now on.
void shim_go_passive(const struct runtime_next *next);

// shim_owns says whether p is an object of this heap. Any value of p.
bool shim_owns(const void *p);

#endif // MOUND_SHIM_H
