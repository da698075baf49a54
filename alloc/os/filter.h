// filter.h: whether this process came under a filter of system calls (seccomp)
// after its start.
//
// A filter may end the process for a call that it does not know, so what malloc
// does must be what the C library's malloc does. More than that is not done once
// a filter came: no helper thread, no file written, no stack taken. A filter that
// was there when the program was started let the dynamic loader open and read
// files, and let threads be made: such a process goes on as any other (in a
// container all have one).
//
// Once there is a filter, looking for it is not safe: it may kill for prctl itself.
// So preload/prctl.c watches the calls of the C library that install one, and
// filter_came queries the kernel only if no such call was seen.
#ifndef MOUND_OS_FILTER_H
#define MOUND_OS_FILTER_H

#include "base/compiler.h"

// filter_start notes whether one is there now, for filter_came and filter_none.
// Once, at the start, in a process of one thread: it opens a file, whose number
// the next file of the program is to have.
void filter_start(void);

// filter_none says whether there was none at the start, and none was told of since:
// what no filter can know may be called. Cheap.
bool filter_none(void);

// filter_note tells that one comes now.
void filter_note(void);

// filter_noted says whether that was told. Cheap.
bool filter_noted(void);

// filter_came says whether a filter came since the start, by what was told or
// else by the kernel. For what is done rarely.
bool filter_came(void);

#endif // MOUND_OS_FILTER_H
