// helper.c: helper_linux.c in a program with much thread-local memory, where this
// module's variables, as those of the allocator, are far from the thread pointer.
#include "os/helper.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/mutex.h"
#include "os/filter.h"
#include "os/sys.h"
#include "os/syscall.h"

enum { MIB = 1 << 20, AROUND = 64 * MIB };

extern __thread char
    large[4 * MIB]; // of the program, linked last: see meson.build
static struct helper helper;
static struct mutex lock = {.rank = LOCKRANK_MHEAP};
static _Atomic bool done;

// With the checks of debug builds a lock counts in thread-local memory.
static void take_lock(void *arg) {
    (void)arg;
    mutex_lock(&lock);
    mutex_assert_held(&lock);
    mutex_unlock(&lock);
    done = true;
}

static bool all_zero(const char *p, size_t n) {
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

Test(helper, what_it_writes_is_in_its_own_memory) {
    // What the kernel maps next comes below this, or it fills a hole: then there is
    // nothing to be seen here.
    char *around = mmap(NULL, AROUND, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert(ne(ptr, around, MAP_FAILED));
    munmap(around + AROUND / 2, AROUND / 4);
    large[0] = 1;

    cr_assert(helper_start(&helper, take_lock, NULL));
    while (!done || atomic_load(&helper.tid) != 0) {
    }

    cr_assert(all_zero(around, AROUND / 2));
}

enum { NEAR = 256 };
static intptr_t near; // from the thread pointer to variables of the program
static char seen[NEAR];

// find_near finds those that are next to the thread pointer. Of all objects the program
// comes first.
static int find_near(struct dl_phdr_info *info, size_t nbytes, void *arg) {
    (void)nbytes;
    (void)arg;
    uintptr_t start = (uintptr_t)info->dlpi_tls_data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_TLS && start < sys_self())
            start += h->p_memsz - NEAR;
    }
    near = (intptr_t)(start - sys_self());
    return 1;
}

static void look_near(void *arg) {
    (void)arg;
    memcpy(seen, (const char *)(sys_self() + (uintptr_t)near), NEAR);
}

// So are the allocator's own where it is linked into the program.
Test(helper, the_variables_of_a_thread_are_zero_in_it) {
    helper.open = true; // with a thread of fewer rights qemu has no such test
    dl_iterate_phdr(find_near, NULL);
    memset(seen, 'x', sizeof seen);

    cr_assert(helper_start(&helper, look_near, NULL));
    while (atomic_load(&helper.tid) != 0)
        sched_yield();

    cr_assert(all_zero(seen, sizeof seen));
}

static _Atomic uint32_t bell;
static _Atomic int nrung;

static void rest(void *arg) {
    (void)arg;
    uint32_t heard;
    do {
        heard = helper_listen(&helper);
        nrung++;
    } while (helper_wait(&helper, heard, HELPER_REST_NS));
}

static void wait_until(const _Atomic int *word, int n) {
    while (atomic_load(word) < n)
        sched_yield();
}

static void start_resting(void) {
    atomic_store(&helper.bell, &bell);
    cr_assert(helper_start(&helper, rest, NULL));
    wait_until(&nrung, 1);
}

Test(helper, one_that_rests_wakes_when_somebody_rings) {
    start_resting();
    atomic_fetch_add(&bell, 1); // as another process does
    sys_futex_wake_shared(&bell);
    wait_until(&nrung, 2);
    while (!atomic_load(&helper.resting))
        sched_yield();
    helper_ring_resting(&helper);
    wait_until(&nrung, 3);
    cr_assert(helper_pause(&helper));
    cr_assert(eq(u32, atomic_load(&helper.tid), 0));
}

static _Atomic bool hostile;

static void *set_back(void *arg) {
    while (atomic_load(&hostile))
        atomic_store(&bell, 0);
    return arg;
}

Test(helper, it_ends_though_somebody_sets_the_bell_back) {
    pthread_t thread;
    hostile = true;
    cr_assert(zero(int, pthread_create(&thread, NULL, set_back, NULL)));
    for (int i = 0; i < 20; i++) {
        atomic_store(&nrung, 0);
        start_resting();
        cr_assert(helper_pause(&helper));
        cr_assert(eq(u32, atomic_load(&helper.tid), 0));
        helper_resume(&helper);
    }
    hostile = false;
    pthread_join(thread, NULL);
}

static struct {
    long status, rollup, pagemap, other, written, socket, records, code;
} got;

static long open_at(const char *path, int flags) {
    return syscall4(SYS_openat, AT_FDCWD, path, flags, 0);
}

static void attempt(void *arg) {
    (void)arg;
    got.status = open_at(helper_path_status, O_RDONLY | O_CLOEXEC);
    got.rollup = sys_open_read(helper_path_rollup);
    got.pagemap = sys_open_read(helper_path_pagemap);
    got.other = open_at("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    got.written = open_at(helper_path_status, O_RDWR | O_CLOEXEC);
    got.socket = syscall3(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    got.records = syscall6(SYS_mmap, 0, MIB, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    got.code = syscall6(SYS_mmap, 0, MIB, PROT_READ | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    done = true;
}

static void attempt_in_helper(bool answers) {
    filter_start();
    if (!filter_none())
        cr_skip("there is a filter of system calls already");
    helper.answers = answers;
    cr_assert(helper_start(&helper, attempt, NULL));
    while (!done || atomic_load(&helper.tid) != 0)
        sched_yield();
}

Test(helper, one_that_answers_may_open_two_files_and_map_memory) {
    attempt_in_helper(true);
    cr_assert(ge(long, got.status, 0));
    cr_assert(ge(long, got.rollup, 0));
    cr_assert(ge(long, got.pagemap, 0));
    cr_assert(eq(long, got.other, -EPERM));
    cr_assert(eq(long, got.written, -EPERM));
    cr_assert(eq(long, got.socket, -EPERM));
    cr_assert(gt(long, got.records, 0));
    cr_assert(eq(long, got.code, -EPERM));
}

Test(helper, one_that_does_not_may_do_less) {
    attempt_in_helper(false);
    cr_assert(eq(long, got.status, -EPERM));
    cr_assert(eq(long, got.records, -EPERM));
}
