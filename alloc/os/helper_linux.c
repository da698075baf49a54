// helper_linux.c: helper.h by clone.
#include "os/helper.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/bits.h"
#include "os/filter.h"
#include "os/mem.h"
#include "os/sys.h"
#include "os/syscall.h"

enum {
    STACK_BYTES = 32 << 10,
    TLS_SIDE_BYTES = 16 << 10,
    PAGE_BYTES = 4096,
    STARTING = 1,
};

// Thread-local variables lie on one side of the thread pointer or the other, and
// between them and ours may be any number of the program's. Debug builds look at
// theirs in a helper too. So its thread-local memory reaches from the thread
// pointer to this one, which all of ours are next to, and some further.
static __thread char among_ours TLS_MODEL;

// struct tls is how far it reaches from the thread pointer.
struct tls {
    size_t below;
    size_t above;
};

static struct tls tls_reach(void) {
    intptr_t at = (intptr_t)((uintptr_t)&among_ours - sys_self());
    struct tls reach = {TLS_SIDE_BYTES, TLS_SIDE_BYTES};
    if (at < 0)
        reach.below += align_up((size_t)-at, PAGE_BYTES);
    else
        reach.above += align_up((size_t)at, PAGE_BYTES);
    return reach;
}

struct start {
    void (*run)(void *arg);
    void *arg;
};

// What sys_self is in the helper that was made last: a heap has one, a process
// has one heap.
static _Atomic uintptr_t helper_self;

bool helper_here(void) {
    return sys_self() ==
           atomic_load_explicit(&helper_self, memory_order_relaxed);
}

static int enter(void *p) {
    const struct start *start = p;
    start->run(start->arg);
    syscall1(SYS_exit, 0);
    return 0; // not reached
}

bool helper_start(struct helper *h, void (*run)(void *arg), void *arg) {
    uint32_t expected = 0;
    if (filter_noted())
        return false;
    // acquire: the last helper has left its stack; partner: the kernel
    if (!atomic_compare_exchange_strong_explicit(&h->tid, &expected, STARTING,
                                                 memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    const struct tls reach = tls_reach();
    if (h->memory == NULL)
        h->memory = mem_map(STACK_BYTES + reach.below + reach.above);
    if (h->memory == NULL)
        goto failed;
    char *tls = h->memory + STACK_BYTES + reach.below;
    ((void **)tls)[0] = tls; // where sys_self and the C library look
    ((void **)tls)[2] = tls;
    atomic_store_explicit(&helper_self, (uintptr_t)tls, memory_order_relaxed);
    struct start *start = (struct start *)(h->memory + STACK_BYTES) - 1;
    *start = (struct start){run, arg};

    const uint64_t all = ~(uint64_t)0;
    uint64_t before = 0;
    int saved = errno;
    // With signals it would run the program's handlers on a stack they do not know.
    if (syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof before) !=
        0)
        goto failed;
    sys_helper_made = true;
    int tid = clone(enter, (void *)((uintptr_t)start & ~(uintptr_t)63),
                    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                        CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                        CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
                    start, &h->tid, tls, &h->tid);
    syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
    errno = saved;
    if (tid > 0)
        return true;
failed:
    atomic_store_explicit(&h->tid, 0, memory_order_relaxed);
    return false;
}

void helper_forked(struct helper *h) {
    atomic_store_explicit(&h->tid, 0, memory_order_relaxed);
    sys_helper_made = false;
}
