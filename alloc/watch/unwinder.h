// unwinder.h: which way stacks are taken in this process.
#ifndef MOUND_UNWINDER_H
#define MOUND_UNWINDER_H

// unwinder_load chooses the way that MOUND_UNWIND names, or the next best one, and
// then says so if the user named it. It may load libunwind and allocate. Not within a
// slow path.
void unwinder_load(void);

#endif // MOUND_UNWINDER_H
