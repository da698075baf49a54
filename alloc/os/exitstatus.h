// exitstatus.h: the status that the program passes to exit, or returns from main.
#ifndef MOUND_OS_EXITSTATUS_H
#define MOUND_OS_EXITSTATUS_H

#include "base/compiler.h"

// exitstatus_tell has told called with it by exit: after the handlers and destructors of
// others, if this is called in a constructor that precedes theirs. It returns false
// where the C library cannot. Once, at the start.
bool exitstatus_tell(void (*told)(int status));

#endif // MOUND_OS_EXITSTATUS_H
