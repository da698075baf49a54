// statistics.h: the statistics of a process from any source that mound diff takes: a
// running process, a page file, a dump in JSON.
#ifndef MOUND_COMMAND_STATISTICS_H
#define MOUND_COMMAND_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mound_page.h"

// The figures that are compared, in the order in which they are printed.
enum statistics_figure {
    STATISTICS_RSS,
    STATISTICS_LIVE,
    STATISTICS_ROUNDING,
    STATISTICS_FREE_SLOTS,
    STATISTICS_CACHES,
    STATISTICS_IDLE,
    STATISTICS_RECORDS,
    STATISTICS_OTHER,
    STATISTICS_RSS_PEAK,
    STATISTICS_BYTES, // the number of figures that are bytes
    STATISTICS_OBJECTS = STATISTICS_BYTES,
    STATISTICS_MALLOCS,
    STATISTICS_FREES,
    STATISTICS_FIGURES,
};

struct statistics_class {
    uint64_t size;
    uint64_t live; // objects
    uint64_t live_bytes;
    uint64_t waste; // free slots, caches, and rounding if known
    uint64_t mallocs;
};

struct statistics {
    char program[MOUND_PAGE_NAME_BYTES];
    uint64_t pid;
    double seconds; // of run time
    bool known[STATISTICS_FIGURES];
    uint64_t figures[STATISTICS_FIGURES];
    struct statistics_class classes[MOUND_PAGE_CLASSES];
    size_t nclasses;
};

// statistics_read reads what: a number is a process, anything else a file, which may
// contain any bytes. False after a complaint.
bool statistics_read(const char *what, struct statistics *ret);

// statistics_is_json says whether a file begins as a dump in JSON does.
bool statistics_is_json(const char *path);

#endif // MOUND_COMMAND_STATISTICS_H
