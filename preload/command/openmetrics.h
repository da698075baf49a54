// openmetrics.h: pages as OpenMetrics, and as Prometheus' text, for collectors.
#ifndef MOUND_COMMAND_OPENMETRICS_H
#define MOUND_COMMAND_OPENMETRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "target.h"

// The two forms differ in what stands before counters: OpenMetrics gives their type
// under a name without _total, and refuses other lines; Prometheus' text, which promtool
// and node_exporter read, takes the name as it is. What is valid in both has no type for
// counters.
enum openmetrics_form {
    OPENMETRICS_BOTH,
    OPENMETRICS_STRICT,     // application/openmetrics-text; version=1.0.0
    OPENMETRICS_PROMETHEUS, // text/plain; version=0.0.4
};

// openmetrics_write writes the samples of n processes to out, with the labels program
// and pid, and pid_namespace where pid is the number in one that is not seen from here.
// Of one that has ended it writes that alone. An error of out is the caller's to find.
enum {
    OPENMETRICS_CLASSES =
        1,                 // also three families by size class, of those in use
    OPENMETRICS_ENDED = 2, // all of those that have ended, too
};
void openmetrics_write(FILE *out, const struct target *const *targets, size_t n,
                       enum openmetrics_form form, unsigned with);

#endif // MOUND_COMMAND_OPENMETRICS_H
