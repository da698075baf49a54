// symbolize.h: names of functions and lines for the addresses of a profile, by libdw of
// elfutils, from debug information with inlined functions, separate debug files
// (by build ID in /usr/lib/debug, by .gnu_debuglink), or symbols. Without a symbol, the
// unwind table gives the start of the function.
#ifndef MOUND_COMMAND_SYMBOLIZE_H
#define MOUND_COMMAND_SYMBOLIZE_H

#include <sys/types.h>

#include "pprof.h"

// symbolize_profile adds lines to all locations without lines, from the files that they
// were mapped from if those exist with the same build ID. A file that cannot be used is
// named on stderr.
//
// pid  the process of the profile, whose view of the files is used, or 0.
// If DEBUGINFOD_URLS is set, missing debug information is fetched from there, with a time
// limit for each file.
void symbolize_profile(struct pprof *p, pid_t pid);

#endif // MOUND_COMMAND_SYMBOLIZE_H
