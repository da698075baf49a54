// scavenger_help.h: a free starts a helper thread if memory is idle, so that
// the memory is returned when all threads sleep. The helper's function is
// mheap.help, because the scavenger is above this file.
#ifndef MOUND_HEAP_SCAVENGER_HELP_H
#define MOUND_HEAP_SCAVENGER_HELP_H

#include "heap/mheap.h"

// scavenger_holes_made is called when many slots of a class were freed since holes
// were last looked for: it makes slow paths or a helper do so. Without locks; cheap.
void scavenger_holes_made(struct mheap *h);

// scavenger_help_locked says whether a helper thread should return idle
// pages: the program has threads, which may all go to sleep now, and
// there is much to return. scavenger_help starts it, without locks.
bool scavenger_help_locked(struct mheap *h);
void scavenger_help(struct mheap *h);

// scavenger_resume starts it if it should do so now. Without locks.
void scavenger_resume(struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_HELP_H
