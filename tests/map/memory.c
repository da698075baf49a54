// memory.c: a type's own allocator, and maps that are variables.
#include "maps.h"
#include "watched_malloc.h"

static struct pool {
    size_t blocks, bytes, peak; // out now
    size_t calls, fail_at;      // the n-th is refused, 0: none
} pool;

enum { MARK = 64 }; // bytes in front of a block; the size is in them

static void *pool_allocate(size_t size, size_t align, void *user) {
    struct pool *p = (struct pool *)user;
    cr_assert(align >= 16 && align <= 64 && (align & (align - 1)) == 0);
    if (++p->calls == p->fail_at)
        return NULL;
    char *block = (char *)aligned_alloc(MARK, (MARK + size + 63) & ~63ul);
    cr_assert(block != NULL);
    memset(block, 0xa5, MARK + size); // nothing may count on zeros
    memcpy(block, &size, sizeof size);
    p->blocks++;
    p->bytes += size;
    return block + MARK;
}

static void pool_release(void *memory, size_t size, void *user) {
    struct pool *p = (struct pool *)user;
    cr_assert(memory != NULL);
    char *block = (char *)memory - MARK;
    size_t had;
    memcpy(&had, block, sizeof had);
    cr_assert(had == size, "%zu bytes are released as %zu", had, size);
    p->blocks--;
    p->bytes -= size;
    memset(block, 0x5a, MARK + size);
    free(block);
}

static const struct mound_map_memory pool_memory = {pool_allocate, pool_release,
                                                    &pool};

struct large {
    uint64_t w[20];
};

static uint64_t large_hash(struct large k, uint64_t seed) {
    return mound_hash_u64(k.w[0], seed);
}

static bool large_eq(struct large a, struct large b) {
    return a.w[0] == b.w[0];
}

#undef MOUND_MAP_MEMORY
#define MOUND_MAP_MEMORY &pool_memory
MOUND_MAP_U64(pooled, uint64_t)
MOUND_MAP_DECLARE(larges, struct large, struct large, large_hash, large_eq)
#undef MOUND_MAP_MEMORY
#define MOUND_MAP_MEMORY NULL
MOUND_MAP_U64(ints, uint64_t)

Test(memory, all_of_a_map_comes_from_its_types_allocator_and_goes_back) {
    size_t blocks = watched().blocks;
    watch_begin();
    for (uint64_t n = 0; n < 200000; n = 3 * n + 1) {
        pooled *m = pooled_make(0);
        cr_assert(m != NULL);
        for (uint64_t k = 0; k < n; k++)
            cr_assert(pooled_set(m, k, k));
        for (uint64_t k = 0; k < n; k += 2)
            cr_assert(pooled_delete(m, k));
        mound_map_foreach(pooled, it, m) cr_assert(*it.key == *it.elem);
        cr_assert(pooled_reserve(m, 2 * n));
        mound_map_foreach(pooled, it, m) {
            cr_assert(pooled_shrink(m)); // an array that waits
            break;
        }
        pooled *copy = pooled_clone(m);
        cr_assert(copy != NULL);
        sound(pooled, copy, n / 2);
        cr_assert(pool.blocks > 0 && watched().blocks == blocks);
        pooled_free(m);
        pooled_clear(copy);
        pooled_free(copy);
        expect_eq(pool.blocks, 0);
        expect_eq(pool.bytes, 0);
    }
    watch_end();
    cr_assert(pool.calls > 100);
}

Test(memory, keys_and_elements_stored_apart_are_the_allocators_too) {
    size_t blocks = watched().blocks;
    watch_begin();
    larges *m = larges_make(100);
    for (uint64_t k = 0; k < 1000; k++)
        cr_assert(larges_set(m, (struct large){{k}}, (struct large){{k}}));
    cr_assert(watched().blocks == blocks && pool.blocks > 2000);
    for (uint64_t k = 0; k < 500; k++)
        cr_assert(larges_delete(m, (struct large){{k}}));
    sound(larges, m, 500);
    larges_free(m);
    expect_eq(pool.blocks, 0);
}

Test(memory, an_allocator_that_refuses_is_out_of_memory) {
    for (size_t at = 1;; at++) {
        pool = (struct pool){.fail_at = at};
        errno = 0;
        larges *m = larges_make(9);
        uint64_t n = 0;
        bool refused = m == NULL;
        while (m != NULL && n < 300) {
            struct large k = {{n}};
            if (larges_set(m, k, k)) {
                n++;
                continue;
            }
            refused = true;
            expect_eq(errno, ENOMEM);
            sound(larges, m, n);
        }
        larges_free(m);
        expect_eq(pool.blocks, 0);
        if (!refused)
            break;
    }
}

Test(memory, an_allocator_without_its_functions_is_refused) {
    static const struct mound_map_memory half = {pool_allocate, NULL, NULL};
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    t.memory = &half;
    errno = 0;
    cr_assert(mound_map_make(&t, 0) == NULL);
    expect_eq(errno, EINVAL);
}

Test(memory, a_header_kept_for_a_loop_goes_back_to_the_allocator) {
    pooled *m = pooled_make(0);
    pooled_set(m, 1, 1);
    mound_map_foreach(pooled, it, m) {
        pooled_free(m);
        expect_eq(pool.blocks, 1);
        break;
    }
    expect_eq(pool.blocks, 0);
}

Test(memory, a_variable_may_be_made_for_a_number_of_entries) {
    size_t blocks = watched().blocks;
    watch_begin();
    for (uint64_t n = 0; n < 100000; n = 2 * n + 3) {
        ints m;
        cr_assert(ints_init_hint(&m, n));
        size_t slots = n > 8 ? slots_of(ints, &m) : 8;
        for (uint64_t k = 0; k < n; k++)
            cr_assert(ints_set(&m, k, k));
        if (n > 0)
            expect_eq(slots_of(ints, &m), slots);
        sound(ints, &m, n);
        ints_deinit(&m);
    }
    watch_end();
    expect_eq(watched().blocks, blocks);
}

Test(memory, a_variable_for_more_than_memory_holds_is_out_of_memory) {
    ints m;
    errno = 0;
    cr_assert(!ints_init_hint(&m, SIZE_MAX / 2));
    expect_eq(errno, ENOMEM);
    expect_eq(ints_len(&m), 0);
}
