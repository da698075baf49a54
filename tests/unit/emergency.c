// emergency.c: the store for signal handlers that interrupted a slow path.
#include "runtime/emergency.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "fixture.h"
#include "mound.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

enum { BIGGEST = 64 << 10, MOST = 200 };

Test(emergency, blocks_hold_what_was_asked_for_and_do_not_overlap) {
    static unsigned char *p[MOST];
    static size_t size[MOST];
    int n = 0;
    for (size_t want = 1; n < MOST; want = want * 5 % 20000 + 1) {
        p[n] = emergency_alloc(want, 16);
        if (p[n] == NULL)
            break;
        cr_assert(ge(sz, emergency_usable_size(p[n]), want));
        cr_assert(zero(uptr, (uintptr_t)p[n] % 16));
        size[n] = emergency_usable_size(p[n]);
        memset(p[n], n + 1, size[n]);
        n++;
    }
    cr_assert(gt(int, n, 20));
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < size[i]; k++)
            if (p[i][k] != (unsigned char)(i + 1))
                cr_fatal("block %d was overwritten", i);
}

Test(emergency, what_is_too_large_or_too_aligned_is_refused) {
    cr_assert(ne(ptr, emergency_alloc(BIGGEST, 16), NULL));
    cr_assert(eq(ptr, emergency_alloc(BIGGEST + 1, 16), NULL));
    cr_assert(eq(ptr, emergency_alloc(SIZE_MAX, 16), NULL));
    cr_assert(eq(ptr, emergency_alloc(1, 8192), NULL));
}

Test(emergency, alignment_is_kept_up_to_a_page) {
    for (size_t align = 16; align <= 4096; align *= 2)
        cr_assert(zero(uptr, (uintptr_t)emergency_alloc(100, align) % align));
}

Test(emergency, a_store_used_up_says_null_and_serves_again) {
    static void *p[1000];
    int n = 0;
    while (n < 1000 && (p[n] = emergency_alloc(1, 16)) != NULL)
        n++;
    cr_assert(eq(int, n, 64 + 64 + 16 + 8)); // larger slots serve as well

    cr_assert(emergency_free(p[17]));

    cr_assert(eq(ptr, emergency_alloc(1, 16), p[17]));
    cr_assert(eq(ptr, emergency_alloc(1, 16), NULL));
}

Test(emergency, a_second_free_and_an_interior_pointer_are_refused) {
    char *p = emergency_alloc(100, 16);
    uint64_t bytes = mound_stats.emergency_bytes;

    cr_assert(not(emergency_free(p + 16)));
    cr_assert(eq(u64, mound_stats.emergency_bytes, bytes));
    cr_assert(emergency_free(p));
    cr_assert(not(emergency_free(p)));

    cr_assert(zero(u64, mound_stats.emergency_bytes));
    cr_assert(eq(u64, mound_stats.emergency_mallocs, 1));
    cr_assert(eq(u64, mound_stats.emergency_frees, 1));
}

Test(emergency, only_its_own_addresses_are_its_own) {
    char *p = emergency_alloc(BIGGEST, 16);
    char on_stack;

    cr_assert(emergency_owns(p));
    cr_assert(emergency_owns(p + BIGGEST - 1));
    cr_assert(not(emergency_owns(NULL)));
    cr_assert(not(emergency_owns(&on_stack)));
    cr_assert(not(emergency_owns((void *)UINTPTR_MAX)));
    cr_assert(not(emergency_owns(mound_malloc(10))));
}

Test(emergency, frees_put_off_are_all_done_later) {
    enum { N = 300 };
    static void *p[N];
    static struct mound_memstats st;
    void **list = NULL;
    for (int i = 0; i < N; i++)
        p[i] = mound_malloc(i % 3 == 0 ? 50000 : (size_t)i);
    thread_enter();
    for (int i = 0; i < N; i++)
        list = emergency_defer(list, p[i]);

    emergency_free_deferred(list);
    thread_leave();

    mound_read_memstats(&st, sizeof st);
    cr_assert(zero(u64, st.heap_alloc));
    cr_assert(zero(u64, st.heap_objects));
    cr_assert(zero(u64, mound_stats.emergency_bytes)); // the list is gone too
    cr_assert(zero(int, mound_verify()));
}

Test(emergency, a_handler_in_a_slow_path_is_served_from_the_store) {
    void *before = mound_malloc(100);
    thread_enter(); // as if a signal came just now

    char *p = mound_malloc(100);
    char *q = mound_calloc(10, 10);
    cr_assert(emergency_owns(p));
    cr_assert(emergency_owns(q));
    for (int i = 0; i < 100; i++)
        cr_assert(zero(u8, (unsigned char)q[i]));
    memset(p, 'p', 100);
    p = mound_realloc(p, 3000);
    for (int i = 0; i < 100; i++)
        cr_assert(eq(chr, p[i], 'p'));
    cr_assert(eq(ptr, mound_malloc(BIGGEST + 1), NULL));
    mound_free(p);
    mound_free(before); // put off
    thread_leave();

    static struct mound_memstats st;
    mound_read_memstats(&st, sizeof st);
    cr_assert(eq(u64, st.heap_objects, 1)); // q
    mound_free(q);                          // after the handler
    mound_read_memstats(&st, sizeof st);
    cr_assert(zero(u64, st.heap_objects));
    cr_assert(zero(int, mound_verify()));
}
