// threadexit.h: a call when a thread ends.
#ifndef MOUND_OS_THREADEXIT_H
#define MOUND_OS_THREADEXIT_H

#include "base/compiler.h"

// threadexit_init makes at_exit be called on each thread that armed, when it
// ends. It returns false if it cannot. May allocate.
bool threadexit_init(void (*at_exit)(void));

// threadexit_arm arranges for the call at the end of this thread; within at_exit it
// arranges for another round (the C library makes up to 4). May allocate. It returns
// false before threadexit_init and when there is no memory.
bool threadexit_arm(void);

#endif // MOUND_OS_THREADEXIT_H
