// statisticsdiff.h: two statistics side by side.
#ifndef MOUND_COMMAND_STATISTICSDIFF_H
#define MOUND_COMMAND_STATISTICSDIFF_H

#include <stdio.h>

#include "statistics.h"

// statisticsdiff_print prints the parts of the RSS, and the nclasses classes that changed
// most. The names are those of the sources.
void statisticsdiff_print(FILE *out, const char *const names[2],
                          const struct statistics s[2], size_t nclasses);

#endif // MOUND_COMMAND_STATISTICSDIFF_H
