// loaded.h: whether the code at an address is still what it was.
#ifndef MOUND_OS_LOADED_H
#define MOUND_OS_LOADED_H

#include "base/compiler.h"

// loaded_replacements returns how many times a library was found in the place of
// another one that an earlier call had found there. As long as that number stays,
// what is known about code that was running at a call holds for any code that is
// running: a library that comes again to its old place is no other. Code that
// does not come by the dynamic loader is not seen.
//
// Takes the loader's lock for a moment. When no library was loaded since the last
// call it costs little more than that.
uint32_t loaded_replacements(void);

#endif // MOUND_OS_LOADED_H
