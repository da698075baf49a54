// newdelete.h: what C++'s operators in preload/ call instead of the functions of
// mound.h. Not installed.
#ifndef MOUND_NEWDELETE_H
#define MOUND_NEWDELETE_H

#include <stddef.h>

// newdelete_new is mound_malloc for operator new: without memory it returns
// failed(size), which may throw an exception.
void *newdelete_new(size_t size, void *(*failed)(size_t));

// newdelete_delete and newdelete_delete_aligned are mound_free_sized and
// mound_free_aligned_sized, except that reports call them "operator delete".
void newdelete_delete(void *p, size_t size);
void newdelete_delete_aligned(void *p, size_t size, size_t alignment);

#endif // MOUND_NEWDELETE_H
