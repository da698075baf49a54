// canary.c: unit tests of alloc/prof/canary.c.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "prof/canary.h"

enum { ROOM = 96, FRONT = 16, MOST = ROOM - FRONT - CANARY_END_BYTES };

static _Alignas(64) unsigned char room[ROOM];
static struct canary_object found;

static enum canary look(const void *p) {
    return canary_look(room, ROOM, p, &found);
}

static unsigned char *set(size_t size) {
    memset(room, 0, sizeof room);
    unsigned char *p = canary_set(room, ROOM, FRONT, size);
    memset(p, 1, size);
    return p;
}

Test(canary, tells_the_size_that_was_asked_for) {
    canary_init(12345);
    for (size_t size = 0; size <= MOST; size++) {
        unsigned char *p = set(size);

        cr_assert(eq(ptr, p, room + FRONT));
        cr_assert(eq(int, look(p), CANARY_LIVE));
        cr_assert(eq(sz, found.size, size));
    }
}

Test(canary, any_byte_past_the_end_that_changes_is_seen) {
    canary_init(12345);
    for (size_t size = 0; size <= MOST; size++)
        for (size_t at = FRONT + size; at < ROOM; at++) {
            unsigned char *p = set(size);
            room[at] ^= 0x20;

            cr_assert(eq(int, look(p), CANARY_OVER));
            cr_assert(eq(sz, found.size, size));
            cr_assert(eq(sz, found.nbytes, at + 1 - FRONT - size));
        }
}

Test(canary, any_byte_before_the_beginning_that_changes_is_seen) {
    canary_init(12345);
    for (size_t size = 0; size <= MOST; size++)
        for (size_t at = 0; at < FRONT; at++) {
            unsigned char *p = set(size);
            room[at] ^= 0x20;

            cr_assert(eq(int, look(p), CANARY_UNDER));
            cr_assert(eq(sz, found.size, size));
            cr_assert(eq(sz, found.nbytes, FRONT - at));
        }
}

Test(canary, the_nul_of_a_string_that_is_one_too_long_is_seen) {
    for (uint64_t secret = 0; secret < 1000; secret++) {
        canary_init(secret);
        unsigned char *p = set(secret % MOST);
        p[secret % MOST] = 0;
        cr_assert(eq(int, look(p), CANARY_OVER));
    }
}

Test(canary, zeros_over_either_end_are_no_free) {
    canary_init(7);
    unsigned char *p = set(20);
    memset(p + 20, 0, ROOM - FRONT - 20);
    cr_assert(eq(int, look(p), CANARY_OVER));

    p = set(20);
    memset(room, 0, FRONT);
    cr_assert(eq(int, look(p), CANARY_UNDER));
    cr_assert(eq(sz, found.nbytes, FRONT));
}

Test(canary, no_object_begins_anywhere_else) {
    canary_init(7);
    unsigned char *p = set(40);
    for (size_t at = 0; at < ROOM; at++)
        if (room + at != p)
            cr_assert(eq(int, look(room + at), CANARY_NONE), "at %zu", at);
    memset(room, 0, sizeof room);
    cr_assert(eq(int, look(p), CANARY_NONE));
}

Test(canary, an_object_is_freed_once) {
    canary_init(7);
    unsigned char *p = set(40);

    cr_assert(canary_free(room, ROOM, FRONT, 40));

    cr_assert(eq(int, look(p), CANARY_FREED));
    cr_assert(not(canary_free(room, ROOM, FRONT, 40)));
    cr_assert(not(canary_free(room, ROOM, FRONT, 41)));
}

Test(canary, an_object_is_found_whatever_its_alignment) {
    enum { LARGE_ROOM = 16384, SIZE = 3000 };
    static _Alignas(16384) unsigned char large[LARGE_ROOM];
    canary_init(7);
    for (size_t align = 1; align <= LARGE_ROOM; align *= 2) {
        memset(large, 0, sizeof large);
        size_t front = canary_front(align);
        unsigned char *p = canary_set(large, LARGE_ROOM, front, SIZE);

        cr_assert(zero(sz, (uintptr_t)p % align));
        cr_assert(eq(int, canary_find(large, LARGE_ROOM, &found), CANARY_LIVE));
        cr_assert(eq(ptr, found.p, p));
        cr_assert(eq(sz, found.size, SIZE));
        p[SIZE] ^= 1;
        cr_assert(eq(int, canary_find(large, LARGE_ROOM, &found), CANARY_OVER));
        p[SIZE] ^= 1;
        cr_assert(canary_free(large, LARGE_ROOM, front, SIZE));
        cr_assert(
            eq(int, canary_find(large, LARGE_ROOM, &found), CANARY_FREED));
    }
}

Test(canary, what_is_half_made_is_not_found) {
    canary_init(7);
    set(40);
    memset(room, 0, 8); // the head comes last

    cr_assert(eq(int, canary_find(room, ROOM, &found), CANARY_NONE));
}

Test(canary, is_another_at_another_address_and_with_another_secret) {
    static _Alignas(16) unsigned char copy[ROOM];
    canary_init(1);
    unsigned char *p = set(10);
    memcpy(copy, room, ROOM);
    cr_assert(
        eq(int, canary_look(copy, ROOM, copy + FRONT, &found), CANARY_NONE));
    canary_init(2);
    cr_assert(eq(int, look(p), CANARY_NONE));
}
