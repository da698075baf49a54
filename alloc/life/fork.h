// fork.h: forks of this process.
#ifndef MOUND_FORK_H
#define MOUND_FORK_H

// fork_start, in the constructor, registers the handlers before any others (-z
// initfirst), so that ours run last before a fork and first after it.
void fork_start(void);

// fork_repair_child repairs the heap of a child whose fork ran no handlers (_Fork,
// clone). Called within the child's first slow path.
void fork_repair_child(void);

#endif // MOUND_FORK_H
