// first.h: whether a name leads to this library's definition in this process.
#ifndef MOUND_FIRST_H
#define MOUND_FIRST_H

#include <stdbool.h>

// first_is says whether calls of a name from this library lead to own, its
// definition here. Names of interposable.map; a name that the library never calls
// counts as own. It calls no function of another library and takes no lock. Cost: the
// library's relocations, some dozens of names.
bool first_is(const char *name, const void *own);

#endif // MOUND_FIRST_H
