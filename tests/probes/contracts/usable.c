// usable.c: malloc_usable_size is at least what was asked for, stays the same
// for an object's life, and all of it may be written.
//
// Trap 65: programs such as systemd use the figure for real.
#include <malloc.h>

#include "contract.h"

enum { NLIVE = 2000, ROUNDS = 20, SEED = 65, TOP = 3 * MIB };

struct object {
    unsigned char *p;
    size_t size, usable;
    uint64_t tag;
};

static struct object objects[NLIVE];

static void check_object(const struct object *o) {
    size_t usable = malloc_usable_size(o->p);
    expect(usable == o->usable,
           "usable size of a %zu byte object changed from %zu to %zu", o->size,
           o->usable, usable);
    expect(pattern_holds(o->p, usable, o->tag),
           "an object of %zu (%zu usable) bytes was overwritten", o->size,
           usable);
}

static void make_object(struct object *o, uint64_t *rng) {
    o->size = mixed_size(rng, TOP);
    unsigned way = rng_next(rng) % 4;
    size_t alignment = (size_t)16 << rng_next(rng) % 9;
    o->p = way == 0   ? calloc(1, o->size)
           : way == 1 ? memalign(alignment, o->size)
           : way == 2 ? realloc(must_malloc(1 + o->size / 2), o->size)
                      : malloc(o->size);
    expect(o->p, "no memory for %zu bytes", o->size);
    o->usable = malloc_usable_size(o->p);
    o->tag = rng_next(rng);
    expect(o->usable >= o->size, "usable size of %zu bytes is %zu", o->size,
           o->usable);
    pattern_fill(o->p, o->usable, o->tag);
}

int main(void) {
    uint64_t rng = SEED;
    for (int i = 0; i < NLIVE; i++) {
        make_object(&objects[i], &rng);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int n = 0; n < NLIVE / 4; n++) {
            struct object *o = &objects[rng_next(&rng) % NLIVE];
            check_object(o);
            free(o->p);
            make_object(o, &rng);
        }
    }
    for (int i = 0; i < NLIVE; i++) {
        check_object(&objects[i]);
        free(objects[i].p);
    }
    return 0;
}
