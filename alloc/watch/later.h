// later.h: what a signal handler has to leave to the end of the slow path that it
// interrupted, some microseconds later.
#ifndef MOUND_LATER_H
#define MOUND_LATER_H

#include "base/compiler.h"

// later_put makes the thread do handle(signal) when it leaves the slow path that it is
// in. It returns false, and does nothing, outside of one. Several signals may wait, each
// once and with its own handle.
bool later_put(void (*handle)(int signal), int signal);

// later_mark stands for them in the list of frees that are put off: who comes to free
// it calls later_run.
extern char later_mark HIDDEN;
void later_run(void);

#endif // MOUND_LATER_H
