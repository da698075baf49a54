// unknown.h: environment variables that begin with MOUND_ and are not known: most are
// typing errors.
#ifndef MOUND_UNKNOWN_H
#define MOUND_UNKNOWN_H

#include "base/compiler.h"

// unknown_note keeps the name of an entry NAME=VALUE for unknown_complain, unless the
// value is empty or the name belongs to mound's own tools and tests.
void unknown_note(const char *entry);

// unknown_complain writes one line to descriptor 2 about each name that was kept, up to
// four, with the most similar known name: name_of(0) to name_of(n - 1). It writes
// nothing if the parent process was started with that name and with LD_PRELOAD, since
// that has written the line. To find out, it reads the parent's environ in /proc.
void unknown_complain(const char *(*name_of)(unsigned i), unsigned n);

// unknown_distance returns how many letters must be removed, inserted, exchanged with
// their neighbour or changed to turn a into b, at most UNKNOWN_FAR.
enum { UNKNOWN_FAR = 100 };
unsigned unknown_distance(const char *a, const char *b);

#endif // MOUND_UNKNOWN_H
