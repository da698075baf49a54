// quarantine.c: unit tests of alloc/prof/quarantine.c.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "prof/quarantine.h"

static struct quarantine *new_quarantine(void) {
    static struct quarantine q;
    memset(&q, 0, sizeof q);
    quarantine_init(&q, QUARANTINE_SLOTS, QUARANTINE_BYTES);
    return &q;
}

Test(quarantine, objects_leave_in_the_order_they_came) {
    struct quarantine *q = new_quarantine();
    static char objects[3000][16];
    struct quarantined o;
    size_t out = 0;

    for (size_t i = 0; i < 3000; i++) {
        cr_assert(
            quarantine_put(q, &(struct quarantined){objects[i], 16, NULL}));
        while (quarantine_take(q, false, &o))
            cr_assert(eq(ptr, o.p, objects[out++]));
        cr_assert(le(u32, q->n, QUARANTINE_SLOTS));
    }
    cr_assert(gt(sz, out, 1000));
    while (quarantine_take(q, true, &o))
        cr_assert(eq(ptr, o.p, objects[out++]));
    cr_assert(eq(sz, out, 3000));
    cr_assert(eq(sz, q->nbytes, 0));
}

Test(quarantine, holds_no_more_bytes_than_it_says) {
    struct quarantine *q = new_quarantine();
    static char object[QUARANTINE_OBJECT_MAX];
    struct quarantined o;

    for (int i = 0; i < 100; i++) {
        cr_assert(quarantine_put(
            q, &(struct quarantined){object, sizeof object, NULL}));
        while (quarantine_take(q, false, &o))
            cr_assert(eq(sz, o.room, sizeof object));
        cr_assert(le(sz, q->nbytes, QUARANTINE_BYTES));
    }
    cr_assert(not(quarantine_put(
        q, &(struct quarantined){object, QUARANTINE_BYTES + 1, NULL})));
}

Test(quarantine, says_which_byte_was_written) {
    static _Alignas(8) unsigned char object[4096];
    struct quarantined o = {object, sizeof object, NULL};
    size_t offset = 0;
    quarantine_set_secret(12345);
    quarantine_fill(&o);

    cr_assert(quarantine_intact(&o, &offset));
    for (size_t at = 0; at < sizeof object; at++) {
        unsigned char was = object[at];
        cr_assert(ne(int, was, 0)); // who writes zeros is seen
        object[at] = 0;
        cr_assert(not(quarantine_intact(&o, &offset)));
        cr_assert(eq(sz, offset, at));
        object[at] = was;
    }
}

Test(quarantine, leaves_one_word_alone) {
    static _Alignas(8) uint64_t object[8];
    struct quarantined o = {object, sizeof object, &object[1]};
    size_t offset = 0;
    object[1] = 77;

    quarantine_fill(&o);

    cr_assert(eq(u64, object[1], 77));
    object[1] = 78;
    cr_assert(quarantine_intact(&o, &offset));
}
