// interpose.h: the C library's declarations of what the files of preload/ define, and
// the attribute that exports them.
//
// The linker binds calls of these names within the library to the library
// (-Bsymbolic-functions), except for the names in interposable.map: those lead to the
// first definition in the process.
#ifndef MOUND_INTERPOSE_H
#define MOUND_INTERPOSE_H

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

void cfree(void *p);
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);

// jemalloc's.
void *mallocx(size_t size, int flags);
void *rallocx(void *p, size_t size, int flags);
size_t xallocx(void *p, size_t size, size_t extra, int flags);
size_t sallocx(const void *p, int flags);
void dallocx(void *p, int flags);
void sdallocx(void *p, size_t size, int flags);
size_t nallocx(size_t size, int flags);

void *__libc_malloc(size_t size);
void __libc_free(void *p);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
struct mallinfo __libc_mallinfo(void);
int __libc_mallopt(int param, int value);

// struct interpose_next has the functions that only preload/ passes on, name by name,
// while another allocator serves the program (process_passive): the next definition
// after ours, usually the C library's. All NULL until another allocator is known.
struct interpose_next {
    void *(*memalign)(size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **ret_p, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    int (*mallopt)(int param, int value);
    struct mallinfo (*mallinfo)(void);
    struct mallinfo2 (*mallinfo2)(void);
    int (*malloc_info)(int options, FILE *f);
    void (*malloc_stats)(void);
    void (*exit)(int status);
};
extern struct interpose_next interpose_next
    __attribute__((visibility("hidden")));

// interpose_own says whether malloc and free lead to ours in this process; false until
// interpose_front finds out. interpose_front returns the names (enum runtime_name) that
// lead to another library's.
extern bool interpose_own __attribute__((visibility("hidden")));
unsigned interpose_front(void);

#endif // MOUND_INTERPOSE_H
