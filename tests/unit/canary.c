// canary.c: unit tests of alloc/prof/canary.c.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "prof/canary.h"

enum { ROOM = 64 };

static _Alignas(16) unsigned char object[ROOM];

Test(canary, tells_the_size_that_was_asked_for) {
    canary_init(12345);
    for (size_t size = 0; size <= ROOM - CANARY_BYTES; size++) {
        size_t got = SIZE_MAX;
        memset(object, 1, sizeof object);
        canary_set(object, size, ROOM);
        cr_assert(eq(int, canary_look(object, ROOM, &got), CANARY_GOOD));
        cr_assert(eq(sz, got, size));
        cr_assert(size == 0 || object[size - 1] == 1);
    }
}

Test(canary, any_byte_past_the_end_that_changes_is_seen) {
    canary_init(12345);
    for (size_t size = 0; size <= ROOM - CANARY_BYTES; size++)
        for (size_t at = size; at < ROOM; at++) {
            size_t got;
            canary_set(object, size, ROOM);
            object[at] ^= 0x20;
            cr_assert(ne(int, canary_look(object, ROOM, &got), CANARY_GOOD));
        }
}

Test(canary, the_nul_of_a_string_that_is_one_too_long_is_seen) {
    canary_init(99);
    for (size_t size = 0; size < ROOM - CANARY_BYTES; size++) {
        size_t got;
        canary_set(object, size, ROOM);
        object[size] = 0;
        cr_assert(eq(int, canary_look(object, ROOM, &got), CANARY_BROKEN));
    }
}

Test(canary, zeros_are_told_from_a_broken_one) {
    size_t got;
    memset(object, 0, sizeof object);
    cr_assert(eq(int, canary_look(object, ROOM, &got), CANARY_ZERO));
}

Test(canary, is_another_at_another_address_and_with_another_secret) {
    static _Alignas(16) unsigned char two[2][ROOM];
    size_t got;
    canary_init(1);
    canary_set(two[0], 10, ROOM);
    memcpy(two[1], two[0], ROOM);
    cr_assert(eq(int, canary_look(two[1], ROOM, &got), CANARY_BROKEN));
    canary_init(2);
    cr_assert(eq(int, canary_look(two[0], ROOM, &got), CANARY_BROKEN));
}
