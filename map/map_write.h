// map_write.h: the mark of a write that goes on, by which writers that should have
// waited for each other are found.
#ifndef MAP_WRITE_H
#define MAP_WRITE_H

#include "mound_map.h"

// map_writable says whether the map may be written to now, and map_write_end whether
// nobody else has since map_write_begin. Else that was reported, and errno is EBUSY.
static inline bool map_writable(const struct mound_map_type *t,
                                const struct mound_map *m) {
    if (!(mound_map_flags_(m) & MOUND_MAP_WRITING))
        return true;
    mound_map_misuse_(t, m, "concurrent map writes");
    errno = EBUSY;
    return false;
}

static inline void map_write_begin(struct mound_map *m) {
    mound_map_setflags_(m, mound_map_flags_(m) | MOUND_MAP_WRITING);
}

static inline bool map_write_end(const struct mound_map_type *t,
                                 struct mound_map *m) {
    unsigned flags = mound_map_flags_(m);
    mound_map_setflags_(m, flags & ~(unsigned)MOUND_MAP_WRITING);
    if (flags & MOUND_MAP_WRITING)
        return true;
    mound_map_misuse_(t, m, "concurrent map writes");
    errno = EBUSY;
    return false;
}

#endif
