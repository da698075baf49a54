// free_inside.h: to free within a slow path.
#ifndef MOUND_FREE_INSIDE_H
#define MOUND_FREE_INSIDE_H

// free_inside frees one block, or reports in the name of call that p is none. The
// caller has found that its class byte is 0 or its magazine is full.
void free_inside(void *p, const char *call);

#endif // MOUND_FREE_INSIDE_H
