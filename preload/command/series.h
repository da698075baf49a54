// series.h: the memory over time of a program that this command has started.
#ifndef MOUND_COMMAND_SERIES_H
#define MOUND_COMMAND_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "launch.h"
#include "mound_page.h"
#include "prof/parts.h"

// struct series_point is one reading.
struct series_point {
    double seconds; // since the start
    struct parts parts;
    uint64_t mallocs;
    uint64_t frees;
};

struct series {
    struct series_point *points; // at least 20 ms and 1/200 of the time apart
    size_t n;
    size_t capacity;
    struct mound_page page; // of the last reading, or the page left at the end
    bool stopped;           // series_watch has ended it
    // Called after each reading, or NULL; page is what point was made from.
    void (*each)(void *argument, const struct series_point *point,
                 const struct mound_page *page);
    void *argument;
};

// series_watch reads until the program has ended. After for_ns (0: no limit) it ends it
// by SIGTERM, and 10 s later by SIGKILL. There may be no points: the program does not
// have mound, or ended at once.
void series_watch(struct series *s, struct launched *l, uint64_t for_ns);
void series_free(struct series *s);

#endif // MOUND_COMMAND_SERIES_H
