// fork.h: forks of this process.
#ifndef MOUND_FORK_H
#define MOUND_FORK_H

// fork_start, in the constructor, has the handlers called. Before any other handlers
// are registered (-z initfirst): so ours run last before a fork and first after it.
void fork_start(void);

// fork_repair_child makes the heap of a child whole that was made without handlers
// (_Fork, clone). Within the first slow path of the child.
void fork_repair_child(void);

#endif // MOUND_FORK_H
