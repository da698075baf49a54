// toptext.h: the functions and stacks of profiles with the most memory, as text.
#ifndef MOUND_COMMAND_TOPTEXT_H
#define MOUND_COMMAND_TOPTEXT_H

#include <stdio.h>

#include "calltree.h"
#include "pprof.h"

struct toptext {
    enum pprof_value by; // PPROF_INUSE_SPACE or PPROF_ALLOC_SPACE
    size_t n;            // how many functions, and how many stacks
    size_t depth;        // functions printed of a stack
    bool is_diff;        // the tree is a difference: signs instead of shares
};

// toptext_functions prints a table of a tree made without lines, toptext_stacks the
// stacks of one made with lines. If there is none, they print a line that says so.
void toptext_functions(FILE *out, const struct calltree *t,
                       const struct toptext *options);
void toptext_stacks(FILE *out, const struct calltree *t,
                    const struct toptext *options);

#endif // MOUND_COMMAND_TOPTEXT_H
