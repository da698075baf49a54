// watched_malloc.c: see watched_malloc.h.
#include "watched_malloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
int __real_posix_memalign(void **ret, size_t align, size_t size);
void __real_free(void *p);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
int __wrap_posix_memalign(void **ret, size_t align, size_t size);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static bool watching;
static size_t until_failure; // 0: none
static bool failing_on;
static struct watched seen;

// The live blocks, by address: a table with open addresses.
enum { NBLOCKS = 1 << 17 };
static struct {
    void *p;
    size_t size;
} blocks[NBLOCKS];

static size_t home(const void *p) {
    return (uintptr_t)p * 0x9e3779b97f4a7c15u >> (64 - 17);
}

static void remember(void *p, size_t size) {
    if (seen.blocks >= NBLOCKS / 2) {
        fputs("watched_malloc: too many live blocks\n", stderr);
        abort();
    }
    size_t i = home(p);
    while (blocks[i].p != NULL)
        i = (i + 1) % NBLOCKS;
    blocks[i].p = p;
    blocks[i].size = size;
    seen.blocks++;
    seen.bytes += size;
}

static bool forget(void *p) {
    size_t i = home(p);
    while (blocks[i].p != p) {
        if (blocks[i].p == NULL)
            return false;
        i = (i + 1) % NBLOCKS;
    }
    seen.blocks--;
    seen.bytes -= blocks[i].size;
    // Those behind it move up, so that no search meets a hole.
    for (size_t j = (i + 1) % NBLOCKS; blocks[j].p != NULL;
         j = (j + 1) % NBLOCKS) {
        if ((j - home(blocks[j].p)) % NBLOCKS >= (j - i) % NBLOCKS) {
            blocks[i] = blocks[j];
            i = j;
        }
    }
    blocks[i].p = NULL;
    return true;
}

// fails counts a call and tells whether it is to fail.
static bool fails(void) {
    if (!watching)
        return false;
    seen.calls++;
    if (until_failure == 0 || --until_failure > 0)
        return false;
    until_failure = failing_on;
    seen.failures++;
    errno = ENOMEM;
    return true;
}

static void *watch(void *p, size_t size) {
    if (watching && p != NULL)
        remember(p, size);
    return p;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : watch(__real_malloc(size), size);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails() ? NULL : watch(__real_calloc(n, size), n * size);
}

void *__wrap_realloc(void *p, size_t size) {
    if (fails())
        return NULL;
    bool ours = p != NULL && forget(p);
    void *q = __real_realloc(p, size);
    if (q != NULL && (ours || watching))
        remember(q, size);
    return q;
}

int __wrap_posix_memalign(void **ret, size_t align, size_t size) {
    if (fails())
        return ENOMEM;
    int error = __real_posix_memalign(ret, align, size);
    if (error == 0)
        watch(*ret, size);
    return error;
}

char *__wrap_strdup(const char *s) {
    size_t size = strlen(s) + 1;
    char *copy = __wrap_malloc(size);
    return copy == NULL ? NULL : memcpy(copy, s, size);
}

void __wrap_free(void *p) {
    if (p != NULL && forget(p))
        seen.frees++;
    __real_free(p);
}

void watch_begin(void) {
    watching = true;
}

void watch_end(void) {
    watching = false;
}

void watch_fail(size_t n, bool on) {
    until_failure = n;
    failing_on = on;
}

struct watched watched(void) {
    return seen;
}
