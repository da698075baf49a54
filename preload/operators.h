// operators.h: C++'s operators new and delete, at the start.
#ifndef MOUND_OPERATORS_H
#define MOUND_OPERATORS_H

#include <stdbool.h>

// operators_start is for the constructor. own: malloc and free of this process are
// ours in name and in effect, so that delete can check sizes. off: another
// library's malloc serves, which stands behind us and whose operators, if it has
// some, are to be called.
void operators_start(bool own, bool off);

#endif // MOUND_OPERATORS_H
