// images.c: see images.h.
#include "prof/images.h"

#include <string.h>

#include "base/bits.h"
#include "base/str.h"
#include "os/sys.h"

// For images beyond the last number.
static const struct image one_too_many = {
    .code = {.limit = UINTPTR_MAX}, .number = IMAGES_MAX, .name = ""};

static struct image *_Atomic *chain_of(struct images *is, uint64_t sum) {
    return &is->chains[sum % IMAGES_CHAINS];
}

// look_up finds the image of an object by the memory at its address.
static const struct image *look_up(struct images *is,
                                   const struct loaded *object, uint64_t sum) {
    // acquire: sees it filled in; partner: release in images_add_locked
    const struct image *i =
        atomic_load_explicit(chain_of(is, sum), memory_order_acquire);
    while (i != NULL && (i->sum != sum || i->object_start != object->start))
        i = atomic_load_explicit(&i->next, memory_order_relaxed);
    // relaxed: it only rises
    if (i == NULL &&
        atomic_load_explicit(&is->n, memory_order_relaxed) + 1 == IMAGES_MAX)
        return &one_too_many;
    return i;
}

enum image_found images_find(struct images *is, struct image_finder *f,
                             uintptr_t pc) {
    pc--; // into the call
    if (pc < f->object.start || pc >= f->object.end) {
        f->image = NULL;
        if (!loaded_find(pc, &f->object))
            f->object = (struct loaded){.stays = true};
        else if (!f->object.stays)
            f->image = look_up(is, &f->object, loaded_sum(&f->object));
    }
    // Code that is not in a file, such as the vDSO, has no path.
    if (f->object.stays || str_find(f->object.name, '/') == NULL)
        return IMAGE_NONE;
    if (f->image == NULL)
        return IMAGE_NEW;
    // Frame pointers may lead to an address that is no code.
    return pc >= f->image->code.start && pc < f->image->code.limit ? IMAGE_KNOWN
                                                                   : IMAGE_NONE;
}

// begin_path writes the directory that a path is relative to, which is the current one
// unless the program has changed it since it loaded the library. It returns its length:
// 0 for a path that begins at the root, and where there is none.
static size_t begin_path(char *ret_text, size_t n, const char *path) {
    long used = path[0] == '/' ? 0 : sys_getcwd(ret_text, n);
    if (used <= 0 || ret_text[0] != '/' || (size_t)used + 1 >= n)
        return 0;
    if (ret_text[used - 1] != '/')
        ret_text[used++] = '/';
    return (size_t)used;
}

void images_add_locked(struct images *is, struct image_finder *f, uintptr_t pc,
                       struct persistent *persistent,
                       _Atomic uint64_t *sys_bytes) {
    uint64_t sum = loaded_sum(&f->object);
    struct loaded_code code;
    f->image = look_up(is, &f->object, sum);
    const char *name = f->object.name;
    if (f->image != NULL || !loaded_code(&f->object, pc - 1, &code))
        return;
    size_t nname = min_size(str_len(name), IMAGES_NAME_MAX - 1);
    size_t nbytes = name[0] == '/' ? nname + 1 : IMAGES_NAME_MAX;
    struct image *i = persistentalloc(persistent, sizeof *i + nbytes,
                                      _Alignof(struct image), sys_bytes);
    if (i == NULL)
        return;
    size_t before = begin_path(i->name, nbytes, name);
    if (before + nname >= nbytes)
        before = 0;
    memcpy(i->name + before, name, nname);
    i->name[before + nname] = '\0';
    struct image *_Atomic *chain = chain_of(is, sum);
    i->object_start = f->object.start;
    i->sum = sum;
    i->code = code;
    uint16_t n = atomic_load_explicit(&is->n, memory_order_relaxed);
    i->number = ++n;
    atomic_store_explicit(&is->n, n, memory_order_relaxed);
    // relaxed: written under this lock only
    i->older = atomic_load_explicit(&is->newest, memory_order_relaxed);
    atomic_store_explicit(&i->next,
                          atomic_load_explicit(chain, memory_order_relaxed),
                          memory_order_relaxed);
    // release: partners are the acquires in look_up and images_newest
    atomic_store_explicit(chain, i, memory_order_release);
    atomic_store_explicit(&is->newest, i, memory_order_release);
    f->image = i;
}

_Static_assert((int)LOADED_BUILD_ID_MAX <= (int)BUILDID_BYTES, "fits");

size_t image_build_id(const struct image *i, char ret_text[BUILDID_TEXT]) {
    return buildid_write(i->code.build_id, i->code.nbuild_id, ret_text);
}

bool image_is_at(const struct image *i, const struct mapping *m) {
    char ours[BUILDID_TEXT];
    char theirs[BUILDID_TEXT];
    return i->code.nbuild_id > 0 && i->code.start == m->start &&
           i->code.limit == m->limit && i->code.offset == m->offset &&
           mappings_build_id(m, theirs) == image_build_id(i, ours) &&
           str_same(ours, theirs);
}
