// fixalloc.c: records of one size that stay records for ever.
#include "base/fixalloc.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "mem_fake.h"

struct record {
    void *first; // fixalloc's while the record is free
    uint64_t kept;
    char rest[80];
};

enum { RECORD = sizeof(struct record) };

static struct persistent source;

static struct fixalloc start(void) {
    struct fixalloc f = {0};
    persistent_init(&source);
    fixalloc_init(&f, &source, RECORD);
    return f;
}

Test(fixalloc, fresh_records_are_zero_and_do_not_overlap) {
    enum { MANY = 1000 }; // several chunks
    static const char zero[RECORD];
    static char *records[MANY];
    struct fixalloc f = start();

    for (int i = 0; i < MANY; i++) {
        records[i] = fixalloc_alloc(&f);
        if (memcmp(records[i], zero, RECORD) != 0)
            cr_fatal("record %d is not zero", i);
        memset(records[i], 1 + i % 200, RECORD);
    }

    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < RECORD; j++)
            if (records[i][j] != (char)(1 + i % 200))
                cr_fatal("record %d was overwritten at %d", i, j);
    cr_assert(eq(sz, f.ninuse, MANY));
}

Test(fixalloc, the_last_freed_record_comes_first_with_all_but_its_first_word) {
    struct fixalloc f = start();
    struct record *a = fixalloc_alloc(&f);
    struct record *b = fixalloc_alloc(&f);
    a->kept = 41;
    b->kept = 42;

    fixalloc_free(&f, a);
    fixalloc_free(&f, b);

    cr_assert(eq(u64, b->kept, 42));
    cr_assert(eq(ptr, fixalloc_alloc(&f), b));
    cr_assert(eq(ptr, fixalloc_alloc(&f), a));
    cr_assert(eq(u64, a->kept, 41));
    cr_assert(eq(ptr, a->first, NULL));
    cr_assert(eq(sz, f.ninuse, 2));
}

Test(fixalloc, freed_records_are_used_before_more_memory_is_taken) {
    enum { MANY = 500 };
    static void *records[MANY];
    struct fixalloc f = start();
    for (int i = 0; i < MANY; i++)
        records[i] = fixalloc_alloc(&f);
    uint64_t sys_bytes = f.sys_bytes;

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < MANY; i++)
            fixalloc_free(&f, records[i]);
        for (int i = 0; i < MANY; i++)
            records[i] = fixalloc_alloc(&f);
    }

    cr_assert(eq(u64, f.sys_bytes, sys_bytes));
    cr_assert(ge(u64, sys_bytes, (uint64_t)MANY * RECORD));
}

Test(fixalloc, a_walk_meets_every_record_once) {
    enum { MANY = 300 };
    struct fixalloc f = start();
    for (int i = 0; i < MANY; i++)
        ((struct record *)fixalloc_alloc(&f))->kept = 1;

    size_t nmet = 0;
    size_t nrecords = 0;
    for (struct fixchunk *c = f.chunks; c != NULL; c = c->next)
        for (size_t i = 0; i < c->nrecords; i++) {
            struct record *r = fixalloc_record(&f, c, i);
            nmet += r->kept;
            r->kept = 0;
            nrecords++;
        }

    cr_assert(eq(sz, nmet, MANY));
    cr_assert(eq(sz, nrecords, f.ninuse + f.nfresh));
}

Test(fixalloc, without_memory_it_says_null_and_works_again_afterwards) {
    struct fixalloc f = start();
    mem_fake_fail_at(MEM_MAP, 1, MEM_FOR_EVER);

    void *first = fixalloc_alloc(&f);
    void *second = fixalloc_alloc(&f);
    mem_fake_fail_at(MEM_MAP, 0, 0);
    void *third = fixalloc_alloc(&f);

    cr_assert(eq(ptr, first, NULL));
    cr_assert(eq(ptr, second, NULL));
    cr_assert(ne(ptr, third, NULL));
    cr_assert(eq(sz, f.ninuse, 1));
}

Test(fixalloc, records_of_whole_cache_lines_begin_at_one) {
    struct fixalloc f = {0};
    persistent_init(&source);
    persistentalloc(&source, 8, 8, NULL); // so that chunks begin askew
    fixalloc_init(&f, &source, 192);

    for (int i = 0; i < 200; i++)
        cr_assert(eq(sz, (uintptr_t)fixalloc_alloc(&f) % 64, 0));
}
