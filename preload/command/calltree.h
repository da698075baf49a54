// calltree.h: the stacks of profiles as one tree of functions, from the outermost. Two
// profiles make a difference: of the second, all counts less.
#ifndef MOUND_COMMAND_CALLTREE_H
#define MOUND_COMMAND_CALLTREE_H

#include "pprof.h"
#include "store.h"

// struct calltree_node is a function called by those above it. Node 0 is the root,
// which calls the outermost; a node comes behind its parent.
struct calltree_node {
    uint32_t name; // in names
    uint32_t parent;
    uint32_t first; // called by it; 0: none
    uint32_t next;  // called by parent too; 0: none
    int64_t self[PPROF_VALUES];
    int64_t total[PPROF_VALUES]; // with all that it calls
};

struct calltree {
    bool lines; // calls from different lines of a function are different
    struct intern names;
    struct calltree_node *nodes;
    size_t n;
    size_t nodes_max;
    uint32_t *table; // node by hash of parent and name; 0: none
    size_t table_size;
};

// calltree_init makes an empty tree. With lines, names are "function\tfile:line".
void calltree_init(struct calltree *t, bool lines);

// calltree_add adds a profile that has been symbolized, sign 1, or takes it off, -1.
// malloc and the like, and what they call, are left out.
void calltree_add(struct calltree *t, const struct pprof *p, int sign);

// calltree_finish computes the totals: all has been added.
void calltree_finish(struct calltree *t);

const char *calltree_name(const struct calltree *t, uint32_t node);
void calltree_free(struct calltree *t);

// struct calltree_function is what a function has by itself and with all that it
// calls; a function that calls itself counts once.
struct calltree_function {
    uint32_t name;
    int64_t self[PPROF_VALUES];
    int64_t total[PPROF_VALUES];
};

// calltree_functions returns an array by number of name, to be freed by free.
struct calltree_function *calltree_functions(const struct calltree *t);

#endif // MOUND_COMMAND_CALLTREE_H
