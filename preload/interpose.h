// interpose.h: the C library's declarations of what interpose.c and
// malloc_info.c define, and the mark that shows them to the world.
#ifndef MOUND_INTERPOSE_H
#define MOUND_INTERPOSE_H

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

void cfree(void *p);
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);

void *__libc_malloc(size_t size);
void __libc_free(void *p);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
struct mallinfo __libc_mallinfo(void);
int __libc_mallopt(int param, int value);

// struct interpose_next is what only preload/ passes on to, in passive mode: the
// rest of the next allocator, and _exit; all NULL otherwise.
struct interpose_next {
    int (*mallopt)(int param, int value);
    struct mallinfo (*mallinfo)(void);
    struct mallinfo2 (*mallinfo2)(void);
    int (*malloc_info)(int options, FILE *f);
    void (*malloc_stats)(void);
    void (*exit)(int status);
};
extern struct interpose_next interpose_next
    __attribute__((visibility("hidden")));

// interpose_malloc returns our own malloc, whatever the name leads to in this
// process.
void *(*interpose_malloc(void))(size_t);

#endif // MOUND_INTERPOSE_H
