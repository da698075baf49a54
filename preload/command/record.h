// record.h: the lines of a file that mound record writes and mound report reads. They are
// also the objects of the HTML page: see flame.h.
#ifndef MOUND_COMMAND_RECORD_H
#define MOUND_COMMAND_RECORD_H

#include "mound_page.h"
#include "series.h"
#include "store.h"

#define RECORD_FILE "mound-record.jsonl"

void record_sample(struct bytes *out, const struct series_point *point);

// record_classes adds the size classes that were used, the one with the most waste first.
void record_classes(struct bytes *out, const struct mound_page *page);

void record_end(struct bytes *out, const char *text);

// record_read reads a file and keeps the lines that are objects of such a file; it may
// contain any bytes. False after a complaint: it cannot be read, or has no such line.
bool record_read(const char *path, struct bytes *ret);

#endif // MOUND_COMMAND_RECORD_H
