// openmetrics.h: pages as OpenMetrics, and as Prometheus' text, for collectors.
#ifndef MOUND_COMMAND_OPENMETRICS_H
#define MOUND_COMMAND_OPENMETRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "target.h"

// The two forms differ in the lines before counters: OpenMetrics gives the type under the
// name without _total, and forbids other lines; Prometheus' text, which promtool and
// node_exporter read, uses the name as it is. A text that is valid in both has no type
// for counters.
enum openmetrics_form {
    OPENMETRICS_BOTH,
    OPENMETRICS_STRICT,     // application/openmetrics-text; version=1.0.0
    OPENMETRICS_PROMETHEUS, // text/plain; version=0.0.4
};

// openmetrics_write writes the samples of n processes to out, with the labels program
// and pid, and pid_namespace if pid is of a namespace that is not visible from here. For
// a process that has ended it writes that fact only. The caller checks out for errors.
enum {
    OPENMETRICS_CLASSES =
        1, // also three families by size class, for used classes
    OPENMETRICS_ENDED = 2, // also all figures of ended processes
};
void openmetrics_write(FILE *out, const struct target *const *targets, size_t n,
                       enum openmetrics_form form, unsigned with);

#endif // MOUND_COMMAND_OPENMETRICS_H
