// guard.c: guarded objects, and the faults that they are for: most happen in a
// child, whose words on stderr and way to die are looked at.
#include "prof/guard.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "mem_fake.h"

enum { SLOTS = 8, TEXT = 1 << 14, LEFT = 0, RIGHT = 1 };

static struct guard_pool pool;
static size_t page;

static __attribute__((noipa)) void allocator_of_object(void) {
    __asm__ volatile("nop; nop; nop; nop; nop");
}

static __attribute__((noipa)) void freer_of_object(void) {
    __asm__ volatile("nop; nop; nop; nop; nop; nop");
}

static void start(unsigned nslots) {
    page = sys_page_size();
    cr_assert(guard_init(&pool, nslots));
}

static void *take(size_t size) {
    uintptr_t pc = (uintptr_t)allocator_of_object + 1;
    return guard_alloc(&pool, size, 1, &pc, 1);
}

static enum guard_verdict drop(void *p) {
    uintptr_t pc = (uintptr_t)freer_of_object + 1;
    return guard_free(&pool, p, &pc, 1);
}

// take_at takes an object at one end of its slot.
static char *take_at(int end, size_t size) {
    for (int i = 0; i < 1000; i++) {
        char *p = take(size);
        cr_assert(ne(ptr, p, NULL));
        if (((uintptr_t)p % page != 0) == (end == RIGHT))
            return p;
        drop(p);
    }
    cr_fatal("no object stands there");
    return NULL;
}

// ---- the pool ----

Test(guard, a_pool_that_was_not_made_owns_and_gives_nothing) {
    cr_assert(not(guard_owns(&pool, NULL)));
    cr_assert(not(guard_owns(&pool, &pool)));
    cr_assert(eq(ptr, take(1), NULL));
}

Test(guard, objects_are_zero_aligned_and_whole) {
    start(SLOTS);
    for (size_t size = 0; size <= page; size += size < 100 ? 1 : 97)
        for (size_t align = 1; align <= page; align *= 8) {
            char *p = guard_alloc(&pool, size, align, NULL, 0);
            cr_assert(ne(ptr, p, NULL));
            cr_assert(zero(sz, (uintptr_t)p % (align < 16 ? 16 : align)));
            cr_assert(guard_owns(&pool, p));
            cr_assert(eq(sz, guard_usable_size(&pool, p), size));
            for (size_t i = 0; i < size; i++)
                cr_assert(zero(chr, p[i]));
            memset(p, 0xff, size);
            cr_assert(eq(int, guard_free(&pool, p, NULL, 0), GUARD_OK));
            cr_assert(zero(sz, guard_usable_size(&pool, p)));
        }
}

Test(guard, an_object_stands_at_an_end_of_its_slot_and_mostly_the_right) {
    start(SLOTS);
    int nleft = 0, nright = 0;
    for (int i = 0; i < 1000; i++) {
        uintptr_t p = (uintptr_t)take(100);
        nleft += p % page == 0;
        nright += p % page == page - 112;
        drop((void *)p);
    }
    cr_assert(eq(int, nleft + nright, 1000));
    cr_assert(gt(int, nleft, 100));
    cr_assert(gt(int, nright, 600));
}

Test(guard, what_does_not_fit_a_page_gets_nothing) {
    start(SLOTS);
    cr_assert(eq(ptr, guard_alloc(&pool, page + 1, 1, NULL, 0), NULL));
    cr_assert(eq(ptr, guard_alloc(&pool, SIZE_MAX, 1, NULL, 0), NULL));
    cr_assert(eq(ptr, guard_alloc(&pool, 1, 2 * page, NULL, 0), NULL));
    cr_assert(ne(ptr, guard_alloc(&pool, page, page, NULL, 0), NULL));
}

Test(guard, a_full_pool_gives_nothing_until_an_object_is_freed) {
    start(SLOTS);
    void *p[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
        p[i] = take(24);
        cr_assert(ne(ptr, p[i], NULL));
        for (int k = 0; k < i; k++)
            cr_assert(ge(long, labs((long)p[i] - (long)p[k]), (long)page));
    }
    cr_assert(eq(ptr, take(24), NULL));
    drop(p[3]);
    void *again = take(24);
    cr_assert(eq(uptr, (uintptr_t)again / page, (uintptr_t)p[3] / page));
    cr_assert(eq(ptr, take(24), NULL));
}

Test(guard, slots_are_used_again_in_the_order_of_their_frees) {
    start(SLOTS);
    static const int order[SLOTS] = {3, 1, 7, 0, 2, 6, 5, 4};
    void *p[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        p[i] = take(24);
    for (int i = 0; i < SLOTS; i++)
        drop(p[order[i]]);
    for (int i = 0; i < SLOTS; i++)
        cr_assert(eq(uptr, (uintptr_t)take(24) / page,
                     (uintptr_t)p[order[i]] / page));
}

Test(guard, a_fresh_pool_rests_its_freed_slots_while_it_has_others) {
    start(SLOTS);
    uintptr_t seen[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
        void *p = take(24);
        seen[i] = (uintptr_t)p / page;
        for (int k = 0; k < i; k++)
            cr_assert(ne(uptr, seen[i], seen[k]));
        drop(p);
    }
    cr_assert(eq(uptr, (uintptr_t)take(24) / page, seen[0]));
}

Test(guard, counts_are_exact) {
    start(SLOTS);
    void *a = take(24), *b = take(1000);
    drop(a);
    cr_assert(eq(u64, pool.nmallocs, 2));
    cr_assert(eq(u64, pool.nfrees, 1));
    cr_assert(eq(u64, pool.live_bytes, 1000));
    cr_assert(eq(u64, pool.total_bytes, 1024));
    drop(a);
    drop((char *)b + 1);
    cr_assert(eq(u64, pool.nfrees, 1));
    drop(b);
    cr_assert(zero(u64, pool.live_bytes));
}

Test(guard, only_the_address_of_a_live_object_can_be_freed) {
    start(SLOTS);
    char *p = take_at(RIGHT, 24);
    char *guard_page = (char *)(((uintptr_t)p / page + 1) * page);
    cr_assert(eq(int, drop(p + 8), GUARD_INTERIOR));
    cr_assert(eq(int, drop(p - 16), GUARD_INTERIOR));
    cr_assert(eq(int, drop(guard_page), GUARD_NEVER));
    cr_assert(eq(int, drop((void *)pool.start), GUARD_NEVER));
    uintptr_t end = pool.start + pool.nbytes;
    cr_assert(eq(int, drop((void *)(end - 1)), GUARD_NEVER));
    cr_assert(not(guard_owns(&pool, (void *)end)));
    cr_assert(not(guard_owns(&pool, (void *)(pool.start - 1))));
    cr_assert(zero(sz, guard_usable_size(&pool, p + 8)));
    cr_assert(zero(sz, guard_usable_size(&pool, guard_page)));

    cr_assert(eq(int, drop(p), GUARD_OK));

    cr_assert(eq(int, drop(p), GUARD_DOUBLE_FREE));
    cr_assert(eq(int, drop(p + 8), GUARD_INTERIOR));
    uintptr_t last_slot = pool.start + (2 * SLOTS - 1) * page;
    cr_assert(eq(int, drop((void *)last_slot), GUARD_NEVER));
}

static _Atomic int nfreed, ngo;

static void *free_once(void *p) {
    ngo++;
    while (ngo < 4)
        continue;
    nfreed += drop(p) == GUARD_OK;
    return NULL;
}

Test(guard, of_threads_that_free_an_object_at_once_one_succeeds) {
    start(SLOTS);
    for (int round = 0; round < 200; round++) {
        pthread_t threads[4];
        void *p = take(24);
        nfreed = ngo = 0;
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, free_once, p);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        cr_assert(eq(int, nfreed, 1));
    }
    cr_assert(eq(u64, pool.nfrees, 200));
}

static void *churn(void *arg) {
    void *p[3] = {NULL};
    for (int i = 0; i < 20000; i++) {
        int k = i % 3;
        if (p[k] != NULL && drop(p[k]) != GUARD_OK)
            return arg;
        p[k] = take((size_t)i % 100);
        if (p[k] != NULL)
            memset(p[k], i, (size_t)i % 100);
    }
    for (int k = 0; k < 3; k++)
        if (p[k] != NULL)
            drop(p[k]);
    return NULL;
}

Test(guard, threads_share_a_pool_that_is_too_small_for_them) {
    start(SLOTS);
    pthread_t threads[4];
    void *ret;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, churn, &pool);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &ret);
        cr_assert(eq(ptr, ret, NULL));
    }
    cr_assert(zero(u64, pool.live_bytes));
    cr_assert(eq(u64, pool.nmallocs, pool.nfrees));
    for (int i = 0; i < SLOTS; i++)
        cr_assert(ne(ptr, take(1), NULL));
}

// ---- a system that refuses ----

Test(guard, a_pool_without_memory_is_not_made) {
    mem_fake_fail_at(MEM_MAP, 1, 1);
    cr_assert(not(guard_init(&pool, SLOTS)));
    mem_fake_fail_at(MEM_RESERVE, 1, 1);
    cr_assert(not(guard_init(&pool, 1)));
    cr_assert(not(guard_owns(&pool, NULL)));
}

Test(guard, a_slot_that_cannot_be_opened_is_tried_again_later) {
    start(2);
    mem_fake_fail_at(MEM_COMMIT, 1, 3);
    for (int i = 0; i < 3; i++)
        cr_assert(eq(ptr, take(24), NULL));
    cr_assert(zero(u64, pool.nmallocs));
    cr_assert(ne(ptr, take(24), NULL));
    cr_assert(ne(ptr, take(24), NULL));
}

Test(guard, a_slot_that_cannot_be_protected_is_never_used_again) {
    start(2);
    void *p = take(24);
    mem_fake_fail_at(MEM_PROTECT, 1, 1);
    cr_assert(eq(int, drop(p), GUARD_OK));
    cr_assert(eq(u64, pool.nlost, 1));
    cr_assert(eq(int, drop(p), GUARD_DOUBLE_FREE));
    void *other = take(24);
    cr_assert(ne(uptr, (uintptr_t)other / page, (uintptr_t)p / page));
    cr_assert(eq(ptr, take(24), NULL));
    cr_assert(eq(int, drop(other), GUARD_OK));
    cr_assert(ne(ptr, take(24), NULL));
}

Test(guard, freed_slots_have_no_memory) {
    start(SLOTS);
    void *p = take(24);
    cr_assert(eq(sz, mem_fake_bytes(pool.start, pool.nbytes, MEM_RESERVED),
                 pool.nbytes - page));
    drop(p);
    cr_assert(eq(sz, mem_fake_bytes(pool.start, pool.nbytes, MEM_RESERVED),
                 pool.nbytes));
}

// ---- children that fault ----

static char text[TEXT]; // what the last child said
static void *object;    // what the child is to misuse

static bool seen(uintptr_t addr, uintptr_t pc, const void *context) {
    (void)pc;
    return guard_fault(&pool, addr, context);
}

// run runs what in a child and returns how it ended.
static int run(void (*what)(void)) {
    int fds[2], status;
    size_t n = 0;
    long got;
    cr_assert(zero(int, pipe(fds)));
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGSEGV, SIG_DFL);
        alarm(20);
        dup2(fds[1], 2);
        close(fds[0]);
        what();
        _exit(0);
    }
    close(fds[1]);
    while ((got = read(fds[0], text + n, TEXT - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(fds[0]);
    waitpid(pid, &status, 0);
    return status;
}

// exit_code returns what a child said by _exit, or -1.
static int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool segv(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void must_begin(const char *what, uintptr_t addr, size_t distance,
                       const char *where, size_t size) {
    char expected[256];
    snprintf(expected, sizeof expected,
             "mound: %s: 0x%lx is %zu byte%s %s the object of %zu bytes at "
             "%p\n",
             what, (unsigned long)addr, distance, distance == 1 ? "" : "s",
             where, size, object);
    cr_assert(zero(int, strncmp(text, expected, strlen(expected))),
              "expected: %ssaid: %s", expected, text);
}

// must_tell looks for paragraphs with a frame, in order; the last one is NULL.
static void must_tell(const char *const heads[]) {
    const char *at = text;
    for (; *heads != NULL; heads++) {
        char head[64];
        snprintf(head, sizeof head, "\n  %s thread ", *heads);
        at = strstr(at, head);
        cr_assert(ne(ptr, (void *)at, NULL), "no \"%s\" in: %s", head, text);
        at = strchr(at + 1, '\n');
        cr_assert(zero(int, strncmp(at, "\n    #0 0x", 10)), "%s", at);
    }
}

static void write_right(void) {
    fault_watch(seen);
    ((volatile char *)object)[24] = 1; // in the slack, unnoticed so far
    ((volatile char *)object)[32] = 1;
}

Test(guard, an_overflow_to_the_right_is_named_with_its_stacks) {
    start(SLOTS);
    object = take_at(RIGHT, 24);

    cr_assert(segv(run(write_right)));

    must_begin("heap overflow", (uintptr_t)object + 32, 8, "after", 24);
    must_tell((const char *[]){"written by", "allocated by", NULL});
    cr_assert(eq(ptr, strstr(text, "freed by"), NULL));
}

static void read_left(void) {
    fault_watch(seen);
    (void)((volatile char *)object)[-1];
}

Test(guard, an_underflow_to_the_left_is_named) {
    start(SLOTS);
    object = take_at(LEFT, 24);

    cr_assert(segv(run(read_left)));

    must_begin("heap underflow", (uintptr_t)object - 1, 1, "before", 24);
    must_tell((const char *[]){"read by", "allocated by", NULL});
}

static void use_freed(void) {
    fault_watch(seen);
    (void)((volatile char *)object)[3];
}

Test(guard, a_use_after_free_is_named_with_all_three_stacks) {
    start(SLOTS);
    object = take_at(RIGHT, 24);
    drop(object);

    cr_assert(segv(run(use_freed)));

    must_begin("use after free", (uintptr_t)object + 3, 3, "into", 24);
    must_tell((const char *[]){"read by", "freed by", "allocated by", NULL});
    char pc[64];
    snprintf(pc, sizeof pc, "#0 %p ", (char *)allocator_of_object + 1);
    cr_assert(ne(ptr, strstr(text, pc), NULL));
    snprintf(pc, sizeof pc, "#0 %p ", (char *)freer_of_object + 1);
    cr_assert(ne(ptr, strstr(text, pc), NULL));
    snprintf(pc, sizeof pc, "allocated by thread %d:\n", getpid());
    cr_assert(ne(ptr, strstr(text, pc), NULL));
}

Test(guard, an_overflow_out_of_a_freed_object_is_a_use_after_free) {
    start(SLOTS);
    object = take_at(RIGHT, 24);
    drop(object);
    // the neighbour to the right begins a page further on
    cr_assert(ne(ptr, take(page), NULL));

    cr_assert(segv(run(write_right)));

    must_begin("use after free", (uintptr_t)object + 24, 0, "after", 24);
}

static void touch_guard_page(void) {
    fault_watch(seen);
    *(volatile char *)(pool.start + pool.nbytes - 1) = 1;
}

Test(guard, a_fault_where_no_object_ever_was_is_a_wild_access) {
    start(SLOTS);

    cr_assert(segv(run(touch_guard_page)));

    char expected[128];
    snprintf(expected, sizeof expected,
             "mound: wild access: 0x%lx (in the memory of guarded objects, "
             "where no object was)\n"
             "  written by thread ",
             (unsigned long)(pool.start + pool.nbytes - 1));
    cr_assert(zero(int, strncmp(text, expected, strlen(expected))), "%s", text);
}

// The nearer object is the one meant.
Test(guard, beside_a_guard_the_nearer_object_is_named) {
    start(2);
    struct print out = print_to(PRINT_NOWHERE);
    char *objects[2] = {take(page), take(page)};
    cr_assert(eq(ptr, objects[1], objects[0] + 2 * page));
    uintptr_t gap = (uintptr_t)objects[0] + page;
    char expected[128];

    guard_describe(&pool, gap + 100, FAULT_READ, NULL, 0, &out);
    snprintf(expected, sizeof expected,
             "mound: heap overflow: 0x%lx is 100 bytes after", gap + 100);
    cr_assert(zero(int, memcmp(out.buf, expected, strlen(expected))));

    out.n = 0;
    guard_describe(&pool, gap + page - 100, FAULT_READ, NULL, 0, &out);
    snprintf(expected, sizeof expected,
             "mound: heap underflow: 0x%lx is 100 bytes before",
             gap + page - 100);
    cr_assert(zero(int, memcmp(out.buf, expected, strlen(expected))));
    cr_assert(ne(ptr, memmem(out.buf, out.n, "    (no stack)\n", 15), NULL));
}

// The text of a free goes to stderr as well.
static void free_and_tell(void) {
    uintptr_t pc = (uintptr_t)freer_of_object + 3;
    enum guard_verdict verdict = guard_free(&pool, object, &pc, 1);
    struct print out = print_to(2);
    if (verdict != GUARD_OK)
        guard_describe_free(&pool, verdict, "free", object, &pc, 1, &out);
    _exit((int)verdict);
}

static int verdict_of_child(void) {
    return exit_code(run(free_and_tell));
}

Test(guard, a_double_free_is_named_with_all_three_stacks) {
    start(SLOTS);
    object = take(24);
    drop(object);

    cr_assert(eq(int, verdict_of_child(), GUARD_DOUBLE_FREE));

    must_begin("free(): double free", (uintptr_t)object, 0, "into", 24);
    must_tell((const char *[]){"by", "freed by", "allocated by", NULL});
}

Test(guard, an_interior_pointer_is_named) {
    start(SLOTS);
    char *p = take(24);
    object = p + 8;
    cr_assert(eq(int, verdict_of_child(), GUARD_INTERIOR));
    object = p;
    must_begin("free(): interior pointer", (uintptr_t)p + 8, 8, "into", 24);
    must_tell((const char *[]){"by", "allocated by", NULL});
}

Test(guard, a_place_where_nothing_was_is_named) {
    start(SLOTS);
    object = (void *)pool.start;
    cr_assert(eq(int, verdict_of_child(), GUARD_NEVER));
    char expected[128];
    snprintf(expected, sizeof expected,
             "mound: free(): never allocated: %p (guarded objects)\n"
             "  by thread ",
             object);
    cr_assert(zero(int, strncmp(text, expected, strlen(expected))), "%s", text);
}

Test(guard, bytes_written_into_the_slack_are_found_at_the_free) {
    start(SLOTS);
    static const struct {
        int end;
        long offset;
    } cases[] = {{RIGHT, 24},  {RIGHT, 31}, {LEFT, 24},
                 {LEFT, 4095}, {RIGHT, -1}, {RIGHT, -4064}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *p = take_at(cases[i].end, 24);
        long offset = cases[i].offset;
        object = p;
        p[offset] ^= 1;

        cr_assert(eq(int, verdict_of_child(), GUARD_OVERWRITTEN));

        if (offset > 0)
            must_begin("free(): heap overflow found", (uintptr_t)(p + offset),
                       (size_t)offset - 24, "after", 24);
        else
            must_begin("free(): heap underflow found", (uintptr_t)(p + offset),
                       (size_t)-offset, "before", 24);
        must_tell((const char *[]){"freed by", "allocated by", NULL});
        p[offset] ^= 1;
        cr_assert(eq(int, drop(p), GUARD_OK));
    }
}

Test(guard, what_was_overwritten_is_freed_all_the_same) {
    start(1);
    char *p = take(24);
    p[24] = 1;
    cr_assert(eq(int, drop(p), GUARD_OVERWRITTEN));
    cr_assert(eq(u64, pool.nfrees, 1));
    cr_assert(eq(int, drop(p), GUARD_DOUBLE_FREE));
    cr_assert(ne(ptr, take(24), NULL));
}

Test(guard, a_child_of_fork_goes_on_with_the_pool) {
    start(SLOTS);
    object = take(24);
    mutex_lock(&pool.lock);
    pid_t pid = fork();
    mutex_unlock(&pool.lock);
    if (pid == 0)
        _exit(drop(object) != GUARD_OK || take(24) == NULL);
    int status;
    waitpid(pid, &status, 0);
    cr_assert(zero(int, status));
    cr_assert(eq(int, drop(object), GUARD_OK));
}

Test(guard, a_child_whose_lock_was_held_gets_nothing_more_and_can_free) {
    start(SLOTS);
    object = take(24);
    mutex_lock(&pool.lock);
    guard_forked_bare(&pool);
    cr_assert(eq(ptr, take(24), NULL));
    cr_assert(eq(int, drop(object), GUARD_OK));
}

static void *fault_in_thread(void *arg) {
    (void)((volatile char *)arg)[0];
    return NULL;
}

static void fault_in_threads(void) {
    pthread_t threads[4];
    fault_watch(seen);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, fault_in_thread, object);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

Test(guard, threads_that_fault_at_once_do_not_talk_at_once) {
    start(SLOTS);
    object = take(24);
    drop(object);
    for (int i = 0; i < 20; i++) {
        cr_assert(segv(run(fault_in_threads)));
        must_begin("use after free", (uintptr_t)object, 0, "into", 24);
        // The second report, if the process lives that long, is a whole one.
        char *next = strstr(text + 1, "mound: ");
        if (next != NULL)
            *next = '\0';
        must_tell(
            (const char *[]){"read by", "freed by", "allocated by", NULL});
    }
}

#ifndef __SANITIZE_ADDRESS__ // which makes frames larger

// usual_stack returns what a signal stack mostly has: on x86-64 the 8 KiB that were a
// constant for long; elsewhere what the C library says, by the registers.
static size_t usual_stack(void) {
#if defined(__x86_64__)
    return 8 << 10;
#else
    return align_up((size_t)sysconf(_SC_SIGSTKSZ), sys_page_size());
#endif
}

// A signal stack of the usual size is enough.
static void fault_on_small_stack(void) {
    const size_t small = usual_stack();
    char *p =
        mmap(NULL, 3 * small, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + small, small, PROT_READ | PROT_WRITE);
    stack_t alt = {.ss_sp = p + small, .ss_size = small};
    if (sigaltstack(&alt, NULL) != 0)
        _exit(77);
    use_freed();
}

Test(guard, a_report_needs_no_more_than_a_usual_signal_stack) {
    start(SLOTS);
    object = take(24);
    drop(object);
    // What the loader binds at a first call is not to be counted.
    struct print out = print_to(PRINT_NOWHERE);
    uintptr_t pc = (uintptr_t)start;
    guard_describe(&pool, (uintptr_t)object, FAULT_READ, &pc, 1, &out);
    int status = run(fault_on_small_stack);
    if (exit_code(status) == 77)
        cr_skip_test("the registers alone do not fit");
    cr_assert(segv(status));
    must_tell((const char *[]){"read by", "freed by", "allocated by", NULL});
}

#endif
