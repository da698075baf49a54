// threadend.h: the end of a thread.
#ifndef MOUND_THREADEND_H
#define MOUND_THREADEND_H

// threadend_start, in the constructor, registers the free of caches when threads end.
// It may allocate.
void threadend_start(void);

#endif // MOUND_THREADEND_H
