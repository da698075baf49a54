// pprof_read.h: reads files with a profile, which may hold any bytes.
#ifndef MOUND_COMMAND_PPROF_READ_H
#define MOUND_COMMAND_PPROF_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "pprof.h"

// pprof_read reads a profile, to be freed by pprof_free. When path cannot be read or
// is none, it says so in one line and returns false: the file may hold any bytes.
bool pprof_read(const char *path, struct pprof *ret);

// pprof_parse is pprof_read of the n bytes of a file. It returns NULL, or what is wrong.
const char *pprof_parse(const void *data, size_t n, struct pprof *ret);

#endif // MOUND_COMMAND_PPROF_READ_H
