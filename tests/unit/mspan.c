// mspan.c: a span's free slots as bits beside it.
#include "heap/mspan.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "fixture.h"

static const uintptr_t START = 0x7f0000400000;

static struct mspan *span_of_class(unsigned sizeclass) {
    unsigned nwords = MSPAN_WORDS;
    size_t nbytes = (size_t)sizeclass_pages[sizeclass] * PAGE_SIZE;
    if (nbytes / sizeclass_bytes[sizeclass] <= MSPAN_SMALL_WORDS * WORD_BITS)
        nwords = MSPAN_SMALL_WORDS;
    struct mspan *s = calloc(1, mspan_record_bytes(nwords));
    s->nwords = (uint8_t)nwords;
    mspan_init_slots(s, START, sizeclass_pages[sizeclass], sizeclass);
    return s;
}

Test(mspan, a_new_span_has_as_many_free_slots_as_fit) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct mspan *s = span_of_class(c);
        cr_assert(eq(u32, s->nelems,
                     sizeclass_pages[c] * PAGE_SIZE / sizeclass_bytes[c]));
        cr_assert(eq(u32, s->nfree, s->nelems));
        cr_assert(zero(u32, mspan_verify(s)));
    }
}

Test(mspan, slots_are_taken_upwards_and_each_once) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct mspan *s = span_of_class(c);
        void *slots[MAX_SLOTS];
        size_t n = 0;

        for (size_t want = 1; s->nfree > 0; want = want * 2 % 61 + 1) {
            n += mspan_take(s, slots + MAX_SLOTS - n, want);
            cr_assert(zero(u32, mspan_verify(s)));
        }

        cr_assert(eq(sz, n, s->nelems));
        for (size_t i = 0; i < n; i++)
            if ((uintptr_t)slots[MAX_SLOTS - 1 - i] != START + i * s->elemsize)
                cr_fatal("class %u: slot %zu is %p", c, i,
                         slots[MAX_SLOTS - 1 - i]);
        cr_assert(zero(sz, mspan_take(s, slots + 1, 1)));
    }
}

Test(mspan, no_more_than_asked_for_is_taken) {
    struct mspan *s = span_of_class(sizeclass_for(64));
    void *slots[8] = {NULL};

    size_t n = mspan_take(s, slots + 8, 3);

    cr_assert(eq(sz, n, 3));
    cr_assert(eq(u32, s->nfree, s->nelems - 3));
    cr_assert(eq(ptr, slots[4], NULL));
}

Test(mspan, only_the_first_byte_of_a_slot_is_its_address) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        struct mspan *s = span_of_class(c);
        for (uintptr_t offset = 0; offset < s->npages << PAGE_SHIFT; offset++) {
            unsigned want = SLOT_NONE;
            if (offset % s->elemsize == 0 && offset / s->elemsize < s->nelems)
                want = (unsigned)(offset / s->elemsize);
            if (mspan_slot_of(s, START + offset) != want)
                cr_fatal("class %u, offset %lu: slot %u, not %u", c,
                         (unsigned long)offset,
                         mspan_slot_of(s, START + offset), want);
        }
    }
}

Test(mspan, addresses_outside_the_span_are_no_slots) {
    struct mspan *s = span_of_class(sizeclass_for(64));

    cr_assert(eq(u32, mspan_slot_of(s, START - 64), SLOT_NONE));
    cr_assert(eq(u32, mspan_slot_of(s, START + PAGE_SIZE), SLOT_NONE));
    cr_assert(eq(u32, mspan_slot_of(s, 0), SLOT_NONE));
    cr_assert(eq(u32, mspan_slot_of(s, UINTPTR_MAX), SLOT_NONE));
    cr_assert(
        eq(u32, mspan_slot_of(s, START + ((uintptr_t)1 << 32)), SLOT_NONE));
}

Test(mspan, a_slot_that_came_back_is_the_next_to_leave) {
    struct mspan *s = span_of_class(sizeclass_for(64));
    void *slots[MAX_SLOTS];
    mspan_take(s, slots + s->nelems, s->nelems);

    cr_assert(not(mspan_is_free(s, 77)));
    mspan_set_free(s, 77 / WORD_BITS, (uint64_t)1 << 77 % WORD_BITS, 1);

    cr_assert(mspan_is_free(s, 77));
    cr_assert(eq(u32, s->nfree, 1));
    cr_assert(zero(u32, mspan_verify(s)));
    cr_assert(eq(sz, mspan_take(s, slots + 5, 5), 1));
    cr_assert(eq(uptr, (uintptr_t)slots[4], START + 77 * 64));
}

Test(mspan, verify_sees_a_wrong_count_and_bits_beyond_the_last_slot) {
    struct mspan *s = span_of_class(sizeclass_for(48)); // 170 slots in 16 words
    s->nfree--;
    cr_assert(ne(u32, mspan_verify(s), 0));
    s->nfree++;
    cr_assert(zero(u32, mspan_verify(s)));

    s->freebits[0] &= ~(uint64_t)1;
    cr_assert(ne(u32, mspan_verify(s), 0));
    s->freebits[s->nelems / WORD_BITS] |= (uint64_t)1
                                          << (s->nelems % WORD_BITS);

    cr_assert(ne(u32, mspan_verify(s), 0));
}

Test(mspan, random_taking_and_giving_back_agrees_with_a_byte_for_each_slot) {
    struct random r = random_from(11);
    struct mspan *s = span_of_class(sizeclass_for(48));
    bool taken[MAX_SLOTS] = {false};
    for (int step = 0; step < 20000; step++) {
        if (random_below(&r, 2) == 0) {
            void *slots[16];
            size_t n = mspan_take(s, slots + 16, 1 + random_below(&r, 16));
            for (size_t i = 0; i < n; i++) {
                unsigned slot = mspan_slot_of(s, (uintptr_t)slots[15 - i]);
                if (slot == SLOT_NONE || taken[slot])
                    cr_fatal("step %d: slot %u twice", step, slot);
                taken[slot] = true;
            }
        } else {
            unsigned slot = (unsigned)random_below(&r, s->nelems);
            if (mspan_is_free(s, slot) == taken[slot])
                cr_fatal("step %d: slot %u", step, slot);
            if (taken[slot])
                mspan_set_free(s, slot / WORD_BITS,
                               (uint64_t)1 << slot % WORD_BITS, 1);
            taken[slot] = false;
        }
        if (mspan_verify(s) != 0)
            cr_fatal("step %d: the span is unsound", step);
    }
}
