// swiss_write.h: the mark of a write that goes on, by which writers that should have
// waited for each other are found; and what the operations on a whole map share.
#ifndef MAP_SWISS_WRITE_H
#define MAP_SWISS_WRITE_H

#include "mound_swiss.h"

// swiss_writable says whether the map may be written to now. Else that was reported, and
// errno is EBUSY.
static inline bool swiss_writable(const struct mound_map_type *t,
                                  const struct mound_swiss *m) {
    if (!(mound_swiss_flags_(m) & MOUND_SWISS_WRITING))
        return true;
    mound_swiss_misuse_(t, m, "concurrent map writes");
    errno = EBUSY;
    return false;
}

static inline void swiss_write_begin(struct mound_swiss *m) {
    mound_swiss_setflags_(m, mound_swiss_flags_(m) | MOUND_SWISS_WRITING);
}

// swiss_write_end says whether nobody else has ended a write since swiss_write_begin.
static inline bool swiss_write_end(const struct mound_map_type *t,
                                   struct mound_swiss *m) {
    return mound_swiss_write_end_(
        t, m, mound_swiss_flags_(m) & ~(unsigned)MOUND_SWISS_WRITING);
}

// swiss_reserve makes room for n entries in all; false: out of memory, there may be some
// room. swiss_free_tables frees tables and directory; the
// header still has them.
bool swiss_reserve(const struct mound_map_type *t, struct mound_swiss *m,
                   size_t n);
void swiss_free_tables(const struct mound_map_type *t, struct mound_swiss *m);

#endif
