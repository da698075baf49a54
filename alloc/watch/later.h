// later.h: defers the work of a signal handler to the end of the slow path that it
// interrupted, some microseconds later.
#ifndef MOUND_LATER_H
#define MOUND_LATER_H

#include "base/compiler.h"

// later_put makes the thread call handle(signal) when it leaves its slow path. Outside of
// one it returns false and does nothing. Several signals may wait, each once and with its
// own handle.
bool later_put(void (*handle)(int signal), int signal);

// later_mark represents them in the list of deferred frees: its free is a call of
// later_run.
extern char later_mark HIDDEN;
void later_run(void);

#endif // MOUND_LATER_H
