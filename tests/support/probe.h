// probe.h: what nearly every test of tests/preload does with spawn.h.
#ifndef TESTS_SUPPORT_PROBE_H
#define TESTS_SUPPORT_PROBE_H

#include "spawn.h"

// probe_passes runs the probe with libmound.so preloaded and fails the test,
// showing what the probe said, unless it exits with 0 and wrote nothing on
// stderr. A probe that exits with 77 cannot be run on this machine: the test is
// skipped and the reason shown. The variadic list holds "NAME=VALUE" settings
// and ends in NULL.
void probe_passes(const char *name, ...) __attribute__((sentinel));

// probe_passes_with is the same with arguments and other libraries in front:
// preload is the whole value of LD_PRELOAD.
void probe_passes_with(const char *preload, const char *const *args,
                       const char *const *env, const char *name);

#endif // TESTS_SUPPORT_PROBE_H
