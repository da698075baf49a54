// misuse.h: what the programs of this folder share. Each misuses the heap once:
// it tells which pointer it is about to misuse, does it, says "after", and ends
// normally unless it is stopped.
#ifndef TESTS_MISUSE_H
#define TESTS_MISUSE_H

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 512, LARGE = 100000 };

// say writes to stdout at once, without the heap.
static inline void say(const char *text) {
    ssize_t ignored = write(STDOUT_FILENO, text, strlen(text));
    (void)ignored;
}

// about_to announces the pointer and returns it, so that the compiler does not
// know it any more.
static inline void *about_to(void *p) {
    char line[64];
    snprintf(line, sizeof line, "pointer %#lx\n", (unsigned long)(uintptr_t)p);
    say(line);
    __asm__ volatile("" : "+r"(p));
    return p;
}

// after says that the program got past the misuse.
static inline void after(void) {
    say("after\n");
}

// alive returns a new object that was written to.
static inline char *alive(size_t size) {
    char *p = malloc(size);
    if (!p) {
        say("out of memory\n");
        _exit(1);
    }
    memset(p, 1, size);
    return p;
}

#endif // TESTS_MISUSE_H
