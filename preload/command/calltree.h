// calltree.h: the stacks of profiles as one tree of functions, from the outermost. For a
// difference, a second profile is subtracted.
#ifndef MOUND_COMMAND_CALLTREE_H
#define MOUND_COMMAND_CALLTREE_H

#include "pprof.h"
#include "store.h"

// struct calltree_node is a function called by those above it. Node 0 is the root,
// which calls the outermost functions; a node comes after its parent in the array.
struct calltree_node {
    uint32_t name; // in names
    uint32_t parent;
    uint32_t first; // called by it; 0: none
    uint32_t next;  // next node called by parent; 0: none
    int64_t self[PPROF_VALUES];
    int64_t total[PPROF_VALUES]; // including all that it calls
};

struct calltree {
    bool lines; // calls from different lines of a function are different nodes
    struct intern names;
    struct calltree_node *nodes;
    size_t n;
    size_t nodes_max;
    uint32_t *table; // node by hash of parent and name; 0: none
    size_t table_size;
};

// calltree_init makes an empty tree. With lines, names are "function\tfile:line".
void calltree_init(struct calltree *t, bool lines);

// calltree_add adds a symbolized profile (sign 1) or subtracts it (sign -1). malloc and
// the like, and what they call, are left out.
void calltree_add(struct calltree *t, const struct pprof *p, int sign);

// calltree_finish computes the totals, after the last calltree_add.
void calltree_finish(struct calltree *t);

const char *calltree_name(const struct calltree *t, uint32_t node);
void calltree_free(struct calltree *t);

// struct calltree_function has the values of a function by itself and including all that
// it calls; a function that calls itself counts once.
struct calltree_function {
    uint32_t name;
    int64_t self[PPROF_VALUES];
    int64_t total[PPROF_VALUES];
};

// calltree_functions returns an array by number of name, to be freed by free.
struct calltree_function *calltree_functions(const struct calltree *t);

#endif // MOUND_COMMAND_CALLTREE_H
