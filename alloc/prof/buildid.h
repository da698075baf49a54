// buildid.h: the GNU build ID of a file, by which readers recognise the same
// file.
#ifndef MOUND_PROF_BUILDID_H
#define MOUND_PROF_BUILDID_H

#include "base/compiler.h"

enum {
    BUILDID_BYTES = 64, // longer ones are not taken
    BUILDID_TEXT = 2 * BUILDID_BYTES + 1,
};

// buildid_write writes n bytes, at most BUILDID_BYTES, in hexadecimal and returns the
// length of that.
size_t buildid_write(const uint8_t *bytes, size_t n,
                     char ret_text[BUILDID_TEXT]);

// buildid_of_file writes the build ID of a file in hexadecimal and returns its
// length; 0 if it has none or cannot be read.
size_t buildid_of_file(const char *path, char ret_text[BUILDID_TEXT]);

#endif // MOUND_PROF_BUILDID_H
