// free_inside.h: to free within a slow path.
#ifndef MOUND_FREE_INSIDE_H
#define MOUND_FREE_INSIDE_H

// free_inside gives one block back, or reports in the name of call that p is none. The
// class byte said that no magazine takes it, or the magazine is full.
void free_inside(void *p, const char *call);

#endif // MOUND_FREE_INSIDE_H
