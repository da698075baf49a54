// pprof_read.h: reads files with a profile, which may hold any bytes.
#ifndef MOUND_COMMAND_PPROF_READ_H
#define MOUND_COMMAND_PPROF_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "pprof.h"

// pprof_read reads a profile, to be freed by pprof_free. False after a complaint: path
// cannot be read or is no profile. The file may contain any bytes.
bool pprof_read(const char *path, struct pprof *ret);

// pprof_parse does so for the n bytes of a file. It returns NULL, or what is wrong.
const char *pprof_parse(const void *data, size_t n, struct pprof *ret);

#endif // MOUND_COMMAND_PPROF_READ_H
