// faults.c: the n-th call to the system fails, for each kind of call and n = 1,
// 2, 3 ... until a workload runs through without meeting the failure. Each run
// is a child process with a fresh heap. What may fail says NULL and ENOMEM;
// nothing else changes, and afterwards everything works and nothing is lost.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "mem_fake.h"
#include "mound.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

// What a child says by its exit status.
enum { NOT_MET = 0, MET = 1, BROKEN = 2 };

static enum mem_call kind; // what fails in this child
static bool once;          // and how often
static uint64_t nrefused;  // calls of ours that said NULL

static void broken(const char *what, size_t size) {
    fprintf(stderr, "%s (%zu bytes), after %lu refusals of %s\n", what, size,
            (unsigned long)mem_fake_failures(kind), mem_call_names[kind]);
    _exit(BROKEN);
}

// sound looks at the whole heap; cheap enough to be called often.
static void sound(size_t size) {
    if (mem_fake_failures(kind) > 0 && mound_verify() != 0)
        broken("mound_verify found contradictions", size);
}

// refused is called when an allocation said NULL; it returns whether to try
// again.
static bool refused(size_t size, int tries) {
    nrefused++;
    if (mem_fake_failures(kind) == 0)
        broken("NULL without a failure", size);
    if (errno != ENOMEM)
        broken("NULL without ENOMEM", size);
    if (once && tries > 0)
        broken("NULL again after a single failure", size);
    sound(size);
    return once;
}

// alloc fills a block with a pattern that check_free looks for.
enum how { MALLOC, CALLOC, ALIGNED };

static void *alloc(enum how how, size_t size) {
    unsigned char *p = NULL;
    for (int tries = 0;; tries++) {
        errno = 0;
        if (how == MALLOC)
            p = mound_malloc(size);
        else if (how == CALLOC)
            p = mound_calloc(1, size);
        else
            p = mound_memalign(256 * KIB, size);
        if (p != NULL || !refused(size, tries))
            break;
    }
    if (p == NULL)
        return NULL;
    for (size_t i = 0; how == CALLOC && i < size; i++)
        if (p[i] != 0)
            broken("calloc is not zero", size);
    if (how == ALIGNED && (uintptr_t)p % (256 * KIB) != 0)
        broken("not aligned", size);
    memset(p, (int)(size % 251), size);
    return p;
}

static void unchanged(const unsigned char *p, size_t nbytes, size_t size) {
    for (size_t i = 0; p != NULL && i < nbytes; i++)
        if (p[i] != size % 251)
            broken("the contents changed", size);
}

static void check_free(void *p, size_t size) {
    unchanged(p, size, size);
    mound_free(p);
}

// resize leaves *p as it was when it says false.
static bool resize(void **p, size_t old_size, size_t size) {
    for (int tries = 0;; tries++) {
        errno = 0;
        void *new = mound_realloc(*p, size);
        if (new != NULL) {
            *p = new;
            unchanged(new, old_size < size ? old_size : size, old_size);
            memset(new, (int)(size % 251), size);
            return true;
        }
        unchanged(*p, old_size, old_size);
        if (!refused(size, tries))
            return false;
    }
}

static void many_small(void) {
    enum { N = 1000 };
    static void *p[N];
    for (size_t i = 0; i < N; i++)
        p[i] = alloc(i % 3 == 0 ? CALLOC : MALLOC, i * 7 % 3000);
    for (size_t i = 0; i < N; i += 2)
        check_free(p[i], i * 7 % 3000);
    for (size_t i = 0; i < N; i += 2)
        p[i] = alloc(MALLOC, i * 7 % 3000);
    for (size_t i = 0; i < N; i++)
        check_free(p[i], i * 7 % 3000);
    sound(0);
}

static void some_large(void) {
    enum { N = 9 };
    void *p[N];
    for (size_t i = 0; i < N; i++)
        p[i] = alloc((enum how)(i % 3), (100 + 97 * i) * KIB);
    for (size_t i = 0; i < N; i += 3)
        check_free(p[i], (100 + 97 * i) * KIB);
    sound(0);
    for (size_t i = 0; i < N; i += 3)
        p[i] = alloc(MALLOC, (100 + 97 * i) * KIB);
    for (size_t i = 0; i < N; i++)
        check_free(p[i], (100 + 97 * i) * KIB);
}

// growing makes two objects grow in turn: each stands in the other's way and
// has to move, first by copying and then by mremap.
static void growing(void) {
    enum { MOST = 6 * MIB };
    size_t size[2] = {10, 10};
    void *p[2] = {alloc(MALLOC, size[0]), alloc(MALLOC, size[1])};
    for (size_t want = 20; want <= MOST; want *= want < MIB ? 4 : 2)
        for (int i = 0; i < 2; i++) {
            if (p[i] != NULL && resize(&p[i], size[i], want))
                size[i] = want;
            sound(want);
        }
    for (int i = 0; i < 2; i++) {
        if (p[i] != NULL && size[i] > 100 &&
            resize(&p[i], size[i], size[i] / 3))
            size[i] /= 3;
        if (p[i] != NULL)
            check_free(p[i], size[i]);
    }
}

static void *in_thread(void *arg) {
    (void)arg;
    many_small();
    return NULL;
}

static void in_threads(void) {
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, in_thread, NULL) != 0)
            broken("no thread", 0);
        pthread_join(thread, NULL);
    }
}

static void workload(void) {
    many_small();
    some_large();
    mound_malloc_trim(0);
    growing();
    in_threads();
    mound_malloc_trim(0);
    some_large();
}

// nothing_is_left: all that was allocated is free, in every count.
static void nothing_is_left(void) {
    static struct mound_memstats st;
    mound_malloc_trim(0);
    mound_read_memstats(&st, sizeof st);
    if (st.heap_objects != 0 || st.heap_alloc != 0)
        broken("objects are left", st.heap_alloc);
    if (st.heap_inuse != 0)
        broken("pages are left in use", st.heap_inuse);
    if (mound_verify() != 0)
        broken("mound_verify found contradictions at the end", 0);
}

static int child(unsigned nth, unsigned ntimes) {
    once = ntimes == 1;
    mem_fake_fail_at(kind, nth, ntimes);
    workload();
    bool met = mem_fake_failures(kind) > 0;
    mem_fake_fail_at(kind, 0, 0);
    nothing_is_left();
    uint64_t before = nrefused;
    workload(); // as if nothing had been
    nothing_is_left();
    if (nrefused != before)
        broken("refused although the system did not", 0);
    return met ? MET : NOT_MET;
}

static int run(enum mem_call what, unsigned nth, unsigned ntimes) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        kind = what;
        _exit(child(nth, ntimes));
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN;
}

// each_in_turn runs until the failure is met no more. Beyond the first few, n
// grows by a share, which keeps the number of runs in bounds.
static void each_in_turn(enum mem_call what, unsigned ntimes) {
    enum { FIRST = 8, MOST = 100000 };
    unsigned nruns = 0;
    for (unsigned nth = 1; nth < MOST;
         nth += nth < FIRST ? 1 : nth / 3, nruns++) {
        int said = run(what, nth, ntimes);
        if (said == NOT_MET)
            break;
        if (said != MET)
            cr_fatal("the heap broke when %s number %u failed%s",
                     mem_call_names[what], nth,
                     ntimes == 1 ? "" : " and all after it");
    }
    cr_assert(ge(u32, nruns, 1)); // the workload does make such calls
}

Test(faults, each_reservation_in_turn_fails, .timeout = 60) {
    each_in_turn(MEM_RESERVE, 1);
}

Test(faults, each_commit_in_turn_fails, .timeout = 60) {
    each_in_turn(MEM_COMMIT, 1);
}

Test(faults, each_mapping_of_records_in_turn_fails, .timeout = 60) {
    each_in_turn(MEM_MAP, 1);
}

Test(faults, each_release_in_turn_fails, .timeout = 60) {
    each_in_turn(MEM_RELEASE, 1);
}

Test(faults, each_populate_in_turn_fails, .timeout = 60) {
    each_in_turn(MEM_POPULATE, 1);
}

Test(faults, each_move_in_turn_fails, .timeout = 60) {
    each_in_turn(MEM_MOVE, 1);
}

Test(faults, reservations_fail_from_the_nth_on, .timeout = 60) {
    each_in_turn(MEM_RESERVE, MEM_FOR_EVER);
}

Test(faults, commits_fail_from_the_nth_on, .timeout = 60) {
    each_in_turn(MEM_COMMIT, MEM_FOR_EVER);
}

Test(faults, mappings_of_records_fail_from_the_nth_on, .timeout = 60) {
    each_in_turn(MEM_MAP, MEM_FOR_EVER);
}

Test(faults, releases_fail_from_the_nth_on, .timeout = 60) {
    each_in_turn(MEM_RELEASE, MEM_FOR_EVER);
}

Test(faults, populates_fail_from_the_nth_on, .timeout = 60) {
    each_in_turn(MEM_POPULATE, MEM_FOR_EVER);
}

Test(faults, moves_fail_from_the_nth_on, .timeout = 60) {
    each_in_turn(MEM_MOVE, MEM_FOR_EVER);
}
