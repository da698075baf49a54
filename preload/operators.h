// operators.h: what C++'s operators new and delete do at the start.
#ifndef MOUND_OPERATORS_H
#define MOUND_OPERATORS_H

#include <stdbool.h>

// operators_start is called by the constructor. own: malloc and free of this process are
// ours in name and in effect, so that delete can check sizes. off: another library's
// malloc serves, which comes after ours in the search order; its operators, if it has
// any, are called.
void operators_start(bool own, bool off);

#endif // MOUND_OPERATORS_H
