// layout.h: the table mound_layout of a library (alloc/runtime/layout.h): where the
// heap's data is in memory. It is read from the file, because a core does not contain it.
#ifndef MOUND_COMMAND_LAYOUT_H
#define MOUND_COMMAND_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "runtime/layout.h"

struct layout {
    struct mound_layout_entry *entries;
    size_t n;
    uint32_t library; // mound_version()
};

// layout_take copies and checks a table of nbytes; false: this command does not know its
// version, or there is no memory.
bool layout_take(const void *table, size_t nbytes, struct layout *ret);
void layout_end(struct layout *l);

// layout_constant looks up a constant, or the offset of a member; ret_bytes may be NULL.
bool layout_find(const struct layout *l, const char *name, uint64_t *ret_value,
                 uint64_t *ret_bytes);

// layout_read reads a member, of at most 8 bytes, of the struct at an address.
bool layout_read(const struct layout *l, const struct memory *m,
                 uint64_t address, const char *member, uint64_t *ret);

#endif // MOUND_COMMAND_LAYOUT_H
