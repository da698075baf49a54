// unwinder.h: which unwinder takes stacks in this process.
#ifndef MOUND_UNWINDER_H
#define MOUND_UNWINDER_H

// unwinder_load chooses the unwinder that MOUND_UNWIND names or, if it does not work,
// the next best one, and then prints a line if the user named it. It may load libunwind
// and allocate. Not within a slow path.
void unwinder_load(void);

#endif // MOUND_UNWINDER_H
