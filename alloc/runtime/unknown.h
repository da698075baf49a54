// unknown.h: names in the environment that begin with MOUND_ and are none of ours: most
// are typing errors.
#ifndef MOUND_UNKNOWN_H
#define MOUND_UNKNOWN_H

#include "base/compiler.h"

// unknown_note keeps the name of an entry NAME=VALUE for unknown_complain. An empty
// value, and names that programs of mound's own use, are nothing to complain of.
void unknown_note(const char *entry);

// unknown_complain writes one line to descriptor 2 about each name that was kept, up to
// four, with the most similar of the known ones: name_of(0) to name_of(n - 1). Nothing
// if the parent process was started with that name and on mound too, and so has
// written the line. It reads a file of /proc then.
void unknown_complain(const char *(*name_of)(unsigned i), unsigned n);

// unknown_distance returns how many letters have to be left out, put in, exchanged or
// changed to make b of a: at most UNKNOWN_FAR.
enum { UNKNOWN_FAR = 100 };
unsigned unknown_distance(const char *a, const char *b);

#endif // MOUND_UNKNOWN_H
