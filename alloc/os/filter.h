// filter.h: whether this process came under a filter of system calls (seccomp)
// after its start.
//
// A filter may end the process at a system call that it does not know. Once one
// is installed, mound therefore makes only the system calls of the C library's
// malloc: no helper thread, no output files, no stacks. A filter that was
// installed before the program started is different: it allowed the dynamic
// loader to open and read files, and allows threads, so such a process (any in
// a container) gets no special treatment.
//
// Looking for a filter is unsafe once there is one: it may kill for prctl
// itself. preload/prctl.c therefore watches the C library's calls that install
// one, and filter_came queries the kernel only if no such call was seen.
// filter_came queries the kernel only if no such call was seen.
#ifndef MOUND_OS_FILTER_H
#define MOUND_OS_FILTER_H

#include "base/compiler.h"

// filter_start notes whether there is a filter now, for filter_came and
// filter_none. Call it once, at the start, while the process has one thread: it
// opens a file, and the program's next file must get the same number.
void filter_start(void);

// filter_none says that there was no filter at the start and none was noted
// since, so any system call may be made. Cheap.
bool filter_none(void);

// filter_note notes that a filter is being installed.
void filter_note(void);

// filter_noted says whether filter_note was called. Cheap.
bool filter_noted(void);

// filter_came says whether a filter was installed since the start: noted, or
// else reported by the kernel. It may make a system call.
bool filter_came(void);

#endif // MOUND_OS_FILTER_H
