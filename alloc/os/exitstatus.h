// exitstatus.h: the status that the program passes to exit or returns from
// main.
#ifndef MOUND_OS_EXITSTATUS_H
#define MOUND_OS_EXITSTATUS_H

#include "base/compiler.h"

// exitstatus_tell registers a function that exit calls with the status. exit
// calls it after all handlers and destructors that were registered later, so
// call this once, from the first constructor. It returns false if the C library
// has no on_exit.
bool exitstatus_tell(void (*told)(int status));

#endif // MOUND_OS_EXITSTATUS_H
