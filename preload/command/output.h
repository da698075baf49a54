// output.h: files that the command writes.
#ifndef MOUND_COMMAND_OUTPUT_H
#define MOUND_COMMAND_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

// output_write writes a file completely or not at all: a regular file is written under
// another name and then renamed to path. "-" is stdout. False after a complaint.
bool output_write(const char *path, const void *data, size_t n);

#endif // MOUND_COMMAND_OUTPUT_H
