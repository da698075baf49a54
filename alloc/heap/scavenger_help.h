// scavenger_help.h: who frees sees to it that idle memory goes back when all threads sleep:
// a helper thread is started. What it does is the scavenger's, and handed in (mheap.help):
// that is above all who free.
#ifndef MOUND_HEAP_SCAVENGER_HELP_H
#define MOUND_HEAP_SCAVENGER_HELP_H

#include "heap/mheap.h"

// scavenger_holes_made is called when many slots of a class were freed since holes
// were last looked for: it sees to it that somebody does. Without locks; cheap.
void scavenger_holes_made(struct mheap *h);

// scavenger_help_locked says whether a helper thread should see to it that idle
// pages go back: the program has threads, which may all go to sleep now, and
// there is much to return. scavenger_help starts it, without locks.
bool scavenger_help_locked(struct mheap *h);
void scavenger_help(struct mheap *h);

// scavenger_resume starts it where it should see to that now. Without locks.
void scavenger_resume(struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_HELP_H
