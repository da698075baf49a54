// persistentalloc.c: memory for records that is never given back.
#include "base/persistentalloc.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "mem_fake.h"

enum { DIRECT = 64 << 10 };

static struct persistent source;

Test(persistentalloc, blocks_are_zero_aligned_and_apart) {
    enum { MANY = 2000 };
    static struct {
        unsigned char *p;
        size_t nbytes;
    } blocks[MANY];
    struct random r = random_from(7);
    persistent_init(&source);

    for (int i = 0; i < MANY; i++) {
        size_t align = (size_t)1 << random_below(&r, 8);
        size_t nbytes = 1 + random_below(&r, 3000);
        blocks[i].p = persistentalloc(&source, nbytes, align, NULL);
        blocks[i].nbytes = nbytes;
        if ((uintptr_t)blocks[i].p % align != 0)
            cr_fatal("block %d is not aligned to %zu", i, align);
        for (size_t j = 0; j < nbytes; j++)
            if (blocks[i].p[j] != 0)
                cr_fatal("block %d is not zero", i);
        memset(blocks[i].p, i % 255 + 1, nbytes);
    }

    for (int i = 0; i < MANY; i++)
        for (size_t j = 0; j < blocks[i].nbytes; j++)
            if (blocks[i].p[j] != i % 255 + 1)
                cr_fatal("block %d was overwritten", i);
}

Test(persistentalloc,
     small_blocks_share_a_mapping_and_large_ones_have_their_own) {
    _Atomic uint64_t sys_bytes = 0;
    persistent_init(&source);
    persistentalloc(&source, 100, 8, &sys_bytes);
    uint64_t ncalls = mem_fake_calls(MEM_MAP);

    persistentalloc(&source, 100, 8, &sys_bytes);
    cr_assert(eq(u64, mem_fake_calls(MEM_MAP), ncalls));
    persistentalloc(&source, DIRECT, 8, &sys_bytes);

    cr_assert(eq(u64, mem_fake_calls(MEM_MAP), ncalls + 1));
    cr_assert(eq(u64, sys_bytes, 200 + DIRECT));
    cr_assert(ge(u64, source.sys_bytes, sys_bytes));
}

Test(persistentalloc, a_large_block_does_not_waste_the_rest_of_a_small_one) {
    persistent_init(&source);
    char *a = persistentalloc(&source, 16, 16, NULL);
    persistentalloc(&source, DIRECT, 8, NULL);

    char *b = persistentalloc(&source, 16, 16, NULL);

    cr_assert(eq(ptr, b, a + 16));
}

Test(persistentalloc, without_memory_it_says_null_and_counts_nothing) {
    _Atomic uint64_t sys_bytes = 0;
    persistent_init(&source);
    mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);

    cr_assert(eq(ptr, persistentalloc(&source, 100, 8, &sys_bytes), NULL));
    cr_assert(eq(ptr, persistentalloc(&source, DIRECT, 8, &sys_bytes), NULL));

    cr_assert(eq(u64, sys_bytes, 0));
    cr_assert(eq(u64, source.sys_bytes, 0));
    mem_fake_fail_at(MEM_MAP, 0, 0);
    cr_assert(ne(ptr, persistentalloc(&source, 100, 8, &sys_bytes), NULL));
    cr_assert(eq(u64, sys_bytes, 100));
}
