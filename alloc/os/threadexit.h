// threadexit.h: a call when a thread ends.
#ifndef MOUND_OS_THREADEXIT_H
#define MOUND_OS_THREADEXIT_H

#include "base/compiler.h"

// threadexit_init sets the function that is called at the end of each thread
// that called threadexit_arm. It returns false if it cannot. May allocate.
bool threadexit_init(void (*at_exit)(void));

// threadexit_arm requests the call for this thread; called in at_exit, it
// requests another round (the C library makes up to 4). May allocate. It
// returns false before threadexit_init and when there is no memory.
bool threadexit_arm(void);

#endif // MOUND_OS_THREADEXIT_H
