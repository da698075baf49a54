// images.h: which library an address in a profile was in when the sample was
// taken. Libraries are unloaded and others loaded at the same address: the
// mapping there may be another one when the profile is written.
//
// Images are numbered from 1 in the order of their first samples, and never
// removed. Number 0 is for code that is never unloaded (the program, the C
// library, mound), and for code that the loader does not know.
#ifndef MOUND_PROF_IMAGES_H
#define MOUND_PROF_IMAGES_H

#include <stdatomic.h>

#include "base/persistentalloc.h"
#include "os/loaded.h"
#include "prof/mappings.h"

enum {
    IMAGES_MAX =
        4096, // the last number: all later ones, of which nothing is known
    IMAGES_CHAINS = 256,
    IMAGES_NAME_MAX = 4096,
};

// struct image is one of them: constant once it is in a chain.
struct image {
    struct image *_Atomic next; // in its chain
    struct image *older;        // of all, the one before
    uintptr_t object_start;
    uint64_t sum; // see loaded_sum
    struct loaded_code code;
    uint16_t number;
    char name[]; // its path
};

// struct images: all zero is an empty one.
//   (l) the owner's lock   (a) atomic
struct images {
    struct image *_Atomic chains[IMAGES_CHAINS]; // (a)
    struct image *_Atomic newest;                // (a)
    _Atomic uint16_t n;                          // (a) written under (l)
};

// struct image_finder remembers the object of the last address, for a walk along a
// stack. All zero at the beginning.
struct image_finder {
    struct loaded object;
    const struct image *image;
};

enum image_found {
    IMAGE_NONE,  // number 0
    IMAGE_KNOWN, // f->image
    IMAGE_NEW,   // f->object is to be added
};

// images_find says which image the code before a return address is in, which must
// be on the caller's stack. No lock.
enum image_found images_find(struct images *is, struct image_finder *f,
                             uintptr_t pc);

// images_add_locked adds the object that images_find found new, unless it has been
// added meanwhile: images_find may be called again. Nothing is added without memory,
// or if pc is in no code of it.
void images_add_locked(struct images *is, struct image_finder *f, uintptr_t pc,
                       struct persistent *persistent,
                       _Atomic uint64_t *sys_bytes);

// image_build_id writes an image's build ID in hexadecimal and returns its length.
size_t image_build_id(const struct image *i, char ret_text[BUILDID_TEXT]);

// image_is_at says whether a mapping is that of an image's code: the same
// address and the same build ID. Without a build ID it returns false.
bool image_is_at(const struct image *i, const struct mapping *m);

static inline const struct image *images_newest(const struct images *is) {
    // acquire: sees it filled in; partner: release in images_add_locked
    return atomic_load_explicit(&((struct images *)is)->newest,
                                memory_order_acquire);
}

#endif // MOUND_PROF_IMAGES_H
