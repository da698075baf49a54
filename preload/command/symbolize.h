// symbolize.h: names of functions and lines for the addresses of a profile, by libdw of
// elfutils: debug information, with functions that were inlined, separate files of it
// (by build ID in /usr/lib/debug, by .gnu_debuglink), symbols, and where there is no
// symbol, the start of the function by the table for unwinding.
#ifndef MOUND_COMMAND_SYMBOLIZE_H
#define MOUND_COMMAND_SYMBOLIZE_H

#include <sys/types.h>

#include "pprof.h"

// symbolize_profile gives lines to all locations that have none, as far as the files
// are there that they were mapped from, with the same build ID. A file that cannot be
// used is named on stderr.
//
// pid  the process that the profile is of, whose view of the files is used, or 0.
// Where DEBUGINFOD_URLS is set, debug information that is not here is fetched from
// there, with a limit of time for each file.
void symbolize_profile(struct pprof *p, pid_t pid);

#endif // MOUND_COMMAND_SYMBOLIZE_H
