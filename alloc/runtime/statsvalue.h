// statsvalue.h: the values of MOUND_STATS and MOUND_STATS_ON.
#ifndef MOUND_STATSVALUE_H
#define MOUND_STATSVALUE_H

#include "base/compiler.h"

// Where the statistics go. STATS_FD: a descriptor other than 1 and 2.
enum stats_mode { STATS_OFF, STATS_STDERR, STATS_STDOUT, STATS_FD, STATS_FILE };

struct statsvalue {
    enum stats_mode mode;
    int fd;
    bool classes; // with the table of classes
    bool json;
};

// statsvalue_read says where the statistics go and in which form; a wrong value is
// reported and means nowhere. STATS_FILE: value is a path, which the caller makes
// absolute.
struct statsvalue statsvalue_read(const char *value);

// statsvalue_signals returns the set of options.stats_on.
uint64_t statsvalue_signals(const char *value);

#endif // MOUND_STATSVALUE_H
