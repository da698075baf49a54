// pprof_parse.h: converts the fields of profile.proto into a struct pprof.
#ifndef MOUND_COMMAND_PPROF_PARSE_H
#define MOUND_COMMAND_PPROF_PARSE_H

#include "pprof.h"

// pprof_parse_unpacked fills p, whose strings are ready, from any bytes. It returns NULL
// or what is wrong with them.
const char *pprof_parse_unpacked(const struct bytes *b, struct pprof *p);

#endif // MOUND_COMMAND_PPROF_PARSE_H
