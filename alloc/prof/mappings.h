// mappings.h: what code is mapped where, so that addresses can be read later: the
// executable mappings of the kernel's list, and the build ids of their files.
#ifndef MOUND_PROF_MAPPINGS_H
#define MOUND_PROF_MAPPINGS_H

#include "prof/buildid.h"
#include "prof/maps.h"

enum { MAPPINGS_BUFFER = 8 << 10 }; // at least a line: a path and 80 characters

// struct mapping is one of them.
struct mapping {
    uint64_t start;
    uint64_t limit; // the first address after it
    uint64_t offset;
    // A path; or [vdso] and the like; or "". " (deleted)" is cut.
    const char *name;
    bool deleted; // the file was removed or replaced
};

// struct mappings is the list being read. 8 KiB: static, not on a stack.
struct mappings {
    struct maps maps;
    char buf[MAPPINGS_BUFFER];
};

// mappings_open opens the list; if it can't, there are none to read.
void mappings_open(struct mappings *list);

// mappings_next returns the next executable mapping, by ascending address, and
// false after the last. The name is valid until the next call. Mappings without
// file and name are skipped: no reader could look anything up in them.
bool mappings_next(struct mappings *list, struct mapping *ret_mapping);

// mappings_next_text gives the next piece of the list as the kernel writes it,
// and returns its length, 0 at the end. Not to be mixed with mappings_next.
size_t mappings_next_text(struct mappings *list, const char **ret_text);
void mappings_close(struct mappings *list);

// mappings_build_id writes the GNU build id of a mapping's file in hexadecimal,
// and returns its length; 0 if it has none or can't be read.
size_t mappings_build_id(const struct mapping *m, char ret_text[BUILDID_TEXT]);

#endif // MOUND_PROF_MAPPINGS_H
