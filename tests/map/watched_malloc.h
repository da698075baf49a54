// watched_malloc.h: malloc and its family as the map calls them, counted, and made
// to fail when asked. A program that links watched_malloc.c is linked with
// watched_link_args (meson.build), which puts these in the way of its own objects
// and of the static libmoundmap, and of nobody else: not of Criterion.
#ifndef TESTS_MAP_WATCHED_MALLOC_H
#define TESTS_MAP_WATCHED_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

// From watch_begin to watch_end calls are counted and may fail. Between them the
// program should call nothing but the map.
void watch_begin(void);
void watch_end(void);

// watch_fail makes the n-th allocation from now on fail (counted while watching),
// and all that follow it if on; 0: none fails.
void watch_fail(size_t n, bool on);

// struct watched is what was seen so far.
struct watched {
    size_t calls;    // that allocated, or tried to
    size_t failures; // of them, those made to fail
    size_t frees;    // of blocks that had been allocated while watching
    size_t blocks;   // allocated while watching, and live
    size_t bytes;    // in those, as asked for
};
struct watched watched(void);

#endif
