// sizeclass.c: the generated tables against Go's rule, against Go's numbers,
// and against plain division.
#include "heap/sizeclass.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/bits.h"

// Go 1.19's class_to_size.
static const uint16_t go_sizes[NUM_SIZECLASSES] = {
    0,     8,     16,    24,    32,    48,    64,    80,    96,    112,
    128,   144,   160,   176,   192,   208,   224,   240,   256,   288,
    320,   352,   384,   416,   448,   480,   512,   576,   640,   704,
    768,   896,   1024,  1152,  1280,  1408,  1536,  1792,  2048,  2304,
    2688,  3072,  3200,  3456,  4096,  4864,  5376,  6144,  6528,  6784,
    6912,  8192,  9472,  9728,  10240, 10880, 12288, 13568, 14336, 16384,
    18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
};

struct class {
    size_t size;
    size_t npages;
};

// regenerate follows Go's rule (runtime/mksizeclasses.go): grow in steps that
// follow the size, take pages until at most 1/8 is wasted, melt classes with
// equal pages and slots, and then enlarge each as far as its slots allow.
static unsigned regenerate(struct class classes[NUM_SIZECLASSES + 8]) {
    unsigned n = 1;
    size_t step = 8;
    classes[0] = (struct class){0, 0};
    for (size_t size = step; size <= MAX_SMALL_SIZE; size += step) {
        if (is_pow2(size)) {
            if (size >= 2048)
                step = 256;
            else if (size >= 128)
                step = size / 8;
            else if (size >= 32)
                step = 16;
        }
        size_t nbytes = PAGE_SIZE;
        while (nbytes % size > nbytes / 8)
            nbytes += PAGE_SIZE;
        size_t npages = nbytes / PAGE_SIZE;
        if (n > 1 && npages == classes[n - 1].npages &&
            nbytes / size == nbytes / classes[n - 1].size) {
            classes[n - 1].size = size;
            continue;
        }
        cr_assert(n < NUM_SIZECLASSES + 8, "far too many classes");
        classes[n++] = (struct class){size, npages};
    }
    for (unsigned i = 1; i < n; i++) {
        size_t nbytes = classes[i].npages * PAGE_SIZE;
        size_t most = align_down(nbytes / (nbytes / classes[i].size), 128);
        if (most > classes[i].size)
            classes[i].size = most;
    }
    return n;
}

Test(sizeclass, the_sizes_are_those_of_go) {
    for (unsigned c = 0; c < NUM_SIZECLASSES; c++)
        cr_assert(eq(u32, sizeclass_bytes[c], go_sizes[c]));
}

Test(sizeclass, the_rule_gives_68_classes_and_the_same_tables) {
    struct class classes[NUM_SIZECLASSES + 8];

    unsigned n = regenerate(classes);

    cr_assert(eq(u32, n, NUM_SIZECLASSES));
    for (unsigned c = 0; c < NUM_SIZECLASSES; c++) {
        cr_assert(eq(sz, sizeclass_bytes[c], classes[c].size));
        cr_assert(eq(sz, sizeclass_first_pages[c], classes[c].npages));
    }
}

Test(sizeclass, multiplying_by_the_magic_divides_every_offset_of_a_span) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        size_t nbytes = (size_t)sizeclass_pages[c] * PAGE_SIZE;
        for (size_t offset = 0; offset < nbytes; offset++)
            if ((uint64_t)offset * sizeclass_magic[c] >> 32 !=
                offset / sizeclass_bytes[c])
                cr_fatal("class %u, offset %zu", c, offset);
    }
}

Test(sizeclass, every_size_gets_the_smallest_class_that_is_aligned_to_16) {
    unsigned want = 1;
    for (size_t size = 0; size <= MAX_SMALL_SIZE; size++) {
        while (sizeclass_bytes[want] < size ||
               sizeclass_bytes[want] % MIN_ALIGN != 0)
            want++;
        if (sizeclass_for(size) != want)
            cr_fatal("size %zu has class %u (%u bytes), not %u", size,
                     sizeclass_for(size), sizeclass_bytes[sizeclass_for(size)],
                     want);
    }
}

Test(sizeclass, spans_fit_their_limits_and_waste_at_most_an_eighth) {
    for (unsigned c = 1; c < NUM_SIZECLASSES; c++) {
        size_t nbytes = (size_t)sizeclass_pages[c] * PAGE_SIZE;
        size_t first = (size_t)sizeclass_first_pages[c] * PAGE_SIZE;
        cr_assert(le(sz, nbytes / sizeclass_bytes[c], MAX_SLOTS));
        cr_assert(le(sz, sizeclass_pages[c], MAX_CLASS_PAGES));
        cr_assert(le(sz, sizeclass_first_pages[c], sizeclass_pages[c]));
        cr_assert(le(sz, nbytes % sizeclass_bytes[c], nbytes / 8));
        cr_assert(le(sz, first % sizeclass_bytes[c], first / 8));
        cr_assert(ge(sz, first / sizeclass_bytes[c], 1));
    }
}

Test(sizeclass, an_aligned_request_gets_the_first_class_that_is_aligned) {
    for (size_t align = 16; align <= PAGE_SIZE; align *= 2)
        for (size_t size = 0; size <= MAX_SMALL_SIZE; size += 7) {
            unsigned c = sizeclass_for_aligned(size, align);
            unsigned want = 1;
            while (want < NUM_SIZECLASSES && (sizeclass_bytes[want] < size ||
                                              sizeclass_bytes[want] % align))
                want++;
            if (c != (want == NUM_SIZECLASSES ? 0 : want))
                cr_fatal("%zu bytes aligned to %zu: class %u, not %u", size,
                         align, c, want);
        }
}

Test(sizeclass, no_class_serves_what_is_too_large_or_too_aligned) {
    cr_assert(eq(u32, sizeclass_for_aligned(MAX_SMALL_SIZE + 1, 16), 0));
    cr_assert(eq(u32, sizeclass_for_aligned(SIZE_MAX, 16), 0));
    cr_assert(eq(u32, sizeclass_for_aligned(1, 2 * PAGE_SIZE), 0));
}
