// helper_linux.c: helper.h by clone.
#include "os/helper.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/bits.h"
#include "os/filter.h"
#include "os/mem.h"
#include "os/sys.h"
#include "os/syscall.h"
#include "os/vdso.h"

enum {
    STACK_BYTES = 32 << 10,
    TLS_SIDE_BYTES = 16 << 10,
    PAGE_BYTES = 4096,
    STARTING = 1,
    PAUSE_NS =
        1000 * 1000 * 1000,     // how long a pause waits for the helper's end
    LOOK_NS = 10 * 1000 * 1000, // between two checks for it
};
#if defined(__x86_64__)
enum { ARCH = (int)AUDIT_ARCH_X86_64 };
#elif defined(__aarch64__)
enum { ARCH = (int)AUDIT_ARCH_AARCH64 };
#else
enum { ARCH = 0 }; // unknown architecture: no filter
#endif

// Thread-local variables are below or above the thread pointer, depending on
// the architecture, and any number of the program's may be between it and ours.
// Debug builds use some of ours in the helper too. So the helper's thread-local
// memory reaches from its thread pointer to this variable, which is next to all
// of ours, and TLS_SIDE_BYTES further.
static __thread char among_ours TLS_MODEL;

// struct tls: how far the thread-local memory reaches on each side of the
// pointer.
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

// make_control_block fills in the words of the control block that sys_self and
// the C library read. On architectures with the variables above the thread
// pointer, they begin after two words that are read only for variables of
// libraries loaded by dlopen, so nothing is needed.
static void make_control_block(char *tls) {
#if defined(__x86_64__)
    ((void **)tls)[0] = tls;
    ((void **)tls)[2] = tls;
#else
    (void)tls;
#endif
}

struct start {
    void (*run)(void *arg);
    void *arg;
    int pid;
    bool confined; // it is to confine itself
    bool answers;  // requests
};

// sys_self of the helper that was started last: a process has one heap, a heap
// one helper.
static _Atomic uintptr_t helper_self;

bool helper_here(void) {
    return sys_self() ==
           atomic_load_explicit(&helper_self, memory_order_relaxed);
}

const char helper_path_status[] = "/proc/self/status";
const char helper_path_rollup[] = "/proc/self/smaps_rollup";
const char helper_path_pagemap[] = "/proc/self/pagemap";
const char helper_path_stat[] = "/proc/self/stat";

#define LOAD(field)                                                            \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
// The halves of an argument, on little-endian machines.
#define LOAD_LOW(i) LOAD(args[i])
#define LOAD_HIGH(i)                                                           \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                                         \
             offsetof(struct seccomp_data, args[i]) + sizeof(uint32_t))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EPERM)
// UNLESS: skip the next statement if the loaded word has this value;
// UNLESS_ANY: if it has any of these bits.
#define UNLESS(value)                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, 1)
#define UNLESS_ANY(bits)                                                       \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), 0, 1)
#define OVER(n) BPF_JUMP(BPF_JMP | BPF_JA, n, 0, 0)
#define ALLOW(nr) UNLESS(nr), RETURN(SECCOMP_RET_ALLOW)

enum { CODE_MAX = 192 };
struct code {
    struct sock_filter at[CODE_MAX];
    unsigned short n;
};

#define ADD(code, ...)                                                         \
    add(code, (const struct sock_filter[]){__VA_ARGS__},                       \
        sizeof((const struct sock_filter[]){__VA_ARGS__}) /                    \
            sizeof(struct sock_filter))
static void add(struct code *code, const struct sock_filter *more, size_t n) {
    for (size_t i = 0; i < n && code->n < CODE_MAX; i++)
        code->at[code->n++] = more[i];
}

// The system calls to return memory, to end, and to end the process with a
// message if the heap is found corrupted.
static void add_returning(struct code *code) {
    ADD(code, ALLOW(SYS_madvise), ALLOW(SYS_futex), ALLOW(SYS_clock_gettime),
        ALLOW(SYS_exit), ALLOW(SYS_exit_group), ALLOW(SYS_write),
        ALLOW(SYS_getpid), ALLOW(SYS_gettid), ALLOW(SYS_rt_sigaction),
        ALLOW(SYS_rt_sigprocmask));
}

// add_opening permits opening one path for reading. It compares the address.
static void add_opening(struct code *code, const char *path) {
    uint64_t addr = (uintptr_t)path;
    ADD(code, LOAD(nr), UNLESS(SYS_openat), OVER(1), OVER(12), // not that call
        LOAD_LOW(1), UNLESS(addr), OVER(1), OVER(8),           // another path
        LOAD_HIGH(1), UNLESS(addr >> 32), OVER(1), OVER(4),    //
        LOAD_LOW(2), UNLESS_ANY(O_ACCMODE | O_CREAT | O_TRUNC), REFUSE,
        RETURN(SECCOMP_RET_ALLOW));
}

// add_mapping permits a call that maps memory or changes it, except as
// executable.
static void add_mapping(struct code *code, long nr) {
    ADD(code, LOAD(nr), UNLESS(nr), OVER(1), OVER(4), // not that call
        LOAD_LOW(2), UNLESS_ANY(PROT_EXEC), REFUSE, RETURN(SECCOMP_RET_ALLOW));
}

// The system calls that requests need.
static void add_answering(struct code *code) {
    add_opening(code, helper_path_status);
    add_opening(code, helper_path_rollup);
    add_opening(code, helper_path_pagemap);
    add_opening(code, helper_path_stat);
    add_mapping(code, SYS_mmap);
    add_mapping(code, SYS_mprotect);
    ADD(code, LOAD(nr), ALLOW(SYS_munmap), ALLOW(SYS_read), ALLOW(SYS_pread64),
        ALLOW(SYS_close), ALLOW(SYS_membarrier), ALLOW(SYS_sched_yield));
}

// confine permits this thread the system calls of its work and refuses all
// others. If this kernel has no filters, the thread is not confined.
static void confine(int pid, bool answers) {
    struct code code = {.n = 0};
    ADD(&code, LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCH, 1, 0), REFUSE,
        LOAD(nr));
    add_returning(&code);
    if (answers)
        add_answering(&code);
    ADD(&code, LOAD(nr), UNLESS(SYS_tgkill), OVER(1), REFUSE, LOAD_LOW(0),
        ALLOW(pid), REFUSE);
    const struct sock_fprog filter = {code.n, code.at};
    syscall1(SYS_chdir,
             "/"); // of this thread only: clone was not given CLONE_FS
    if (syscall5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        syscall3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

static int enter(void *p) {
    const struct start *start = p;
    if (start->confined)
        confine(start->pid, start->answers);
    start->run(start->arg);
    syscall1(SYS_exit, 0);
    return 0; // not reached
}

// See preload/startup.c.
extern size_t __sanitizer_get_allocated_size(const void *p)
    __attribute__((weak));

bool helper_possible(void) {
    return __sanitizer_get_allocated_size == NULL;
}

// is_simulated says whether the program runs inside a simulator such as
// valgrind, which hides the vDSO: a filter would apply to the simulator as
// well, and valgrind does not implement seccomp.
static bool is_simulated(void) {
    return vdso_clock_gettime() == NULL;
}

bool helper_start(struct helper *h, void (*run)(void *arg), void *arg) {
    uint32_t expected = 0;
    if (filter_noted())
        return false;
    // acquire: the previous helper no longer uses the stack; partner: the
    // kernel
    if (!atomic_compare_exchange_strong_explicit(&h->tid, &expected, STARTING,
                                                 memory_order_seq_cst,
                                                 memory_order_relaxed))
        return false;
    // seq_cst, as in helper_pause: either sees what the other wrote
    if (atomic_load_explicit(&h->npaused, memory_order_seq_cst) != 0)
        goto failed;
    const struct tls reach = tls_reach();
    const size_t nbytes = STACK_BYTES + reach.below + reach.above;
    if (h->memory == NULL)
        h->memory = mem_map(nbytes);
    else if (h->stale) // all zero again
        syscall3(SYS_madvise, h->memory, nbytes, MADV_DONTNEED);
    h->stale = false;
    if (h->memory == NULL)
        goto failed;
    char *tls = h->memory + STACK_BYTES + reach.below;
    make_control_block(tls);
    atomic_store_explicit(&helper_self, (uintptr_t)tls, memory_order_relaxed);
    struct start *start = (struct start *)(h->memory + STACK_BYTES) - 1;
    h->pid = sys_pid();
    *start = (struct start){
        run, arg, h->pid,
        ARCH != 0 && !h->open && !is_simulated() && filter_none(), h->answers};

    const uint64_t all = ~(uint64_t)0;
    uint64_t before = 0;
    int saved = errno;
    // With signals unblocked it would run the program's handlers, on a stack
    // they do not expect.
    if (syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof before) !=
        0)
        goto failed;
    sys_helper_made = true;
    // valgrind, in which it is not confined, accepts only the flags of
    // pthread_create.
    int tid =
        clone(enter, (void *)((uintptr_t)start & ~(uintptr_t)63),
              CLONE_VM | (start->confined ? 0 : CLONE_FS) | CLONE_FILES |
                  CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
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

// wait_word waits until a word has another value, for delay_ns at most. The
// futex is not private: the kernel's wake at a thread's end and those in shared
// memory are not.
static void wait_word(_Atomic uint32_t *word, uint32_t value,
                      uint64_t delay_ns) {
    const uint64_t second = 1000 * 1000 * 1000;
    struct timespec ts = {.tv_sec = (time_t)(delay_ns / second),
                          .tv_nsec = (long)(delay_ns % second)};
    syscall6(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&ts, 0, 0);
}

static bool paused(struct helper *h) {
    return atomic_load_explicit(&h->npaused, memory_order_seq_cst) != 0;
}

bool helper_sleep_ns(struct helper *h, uint64_t delay_ns) {
    wait_word(&h->npaused, 0, delay_ns);
    return !paused(h);
}

static _Atomic uint32_t *bell_of(const struct helper *h) {
    // acquire: sees the page that the word is in; partner: release where bell
    // is set
    _Atomic uint32_t *bell =
        atomic_load_explicit(&h->bell, memory_order_acquire);
    return bell != NULL ? bell : (_Atomic uint32_t *)&h->npaused;
}

uint32_t helper_listen(const struct helper *h) {
    return atomic_load_explicit(bell_of(h), memory_order_seq_cst);
}

bool helper_wait(struct helper *h, uint32_t heard, uint64_t delay_ns) {
    // seq_cst: a thread with new work sees resting, or this thread sees the
    // work
    if (delay_ns >= HELPER_REST_NS)
        atomic_store_explicit(&h->resting, true, memory_order_seq_cst);
    if (!paused(h))
        wait_word(bell_of(h), heard, delay_ns);
    atomic_store_explicit(&h->resting, false, memory_order_relaxed);
    return !paused(h);
}

// field_after returns the n-th field after the one at s.
static const char *field_after(const char *s, int n) {
    for (; n > 0 && *s != '\0'; s++)
        n -= *s == ' ';
    return s;
}

static long number_at(const char *s) {
    long n = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (*s - '0');
    return n;
}

// The first thread of a process remains a zombie until the others have ended.
// The process must get the status that thread ended with, as it would without
// us; kernels from 5.17 on take that of the thread which ends last.
void helper_end_if_left(void) {
    enum { STATE = 3, NTHREADS = 20, EXIT_CODE = 52 };
    char text[1024];
    int fd = sys_open_read(helper_path_stat);
    if (fd < 0)
        return;
    long n = sys_read(fd, text, sizeof text - 1);
    sys_close(fd);
    text[n > 0 ? n : 0] = '\0';
    // The command name in parentheses may contain anything.
    const char *name_end = text;
    for (const char *s = text; *s != '\0'; s++)
        if (*s == ')')
            name_end = s;
    const char *state = field_after(name_end, 1);
    const char *nthreads = field_after(state, NTHREADS - STATE);
    if (*state != 'Z' || number_at(nthreads) != 2)
        return;
    syscall1(SYS_exit,
             number_at(field_after(state, EXIT_CODE - STATE)) >> 8 & 0xff);
}

// ring wakes a sleeping helper, whichever word it sleeps on.
static void ring(struct helper *h) {
    _Atomic uint32_t *bell = bell_of(h);
    if (bell != &h->npaused) {
        atomic_fetch_add_explicit(bell, 1, memory_order_seq_cst);
        syscall3(SYS_futex, bell, FUTEX_WAKE, INT32_MAX);
    }
    syscall3(SYS_futex, &h->npaused, FUTEX_WAKE, INT32_MAX);
}

void helper_ring_resting(struct helper *h) {
    if (atomic_load_explicit(&h->resting, memory_order_seq_cst) &&
        atomic_exchange_explicit(&h->resting, false, memory_order_seq_cst))
        ring(h);
}

bool helper_pause(struct helper *h) {
    atomic_fetch_add_explicit(&h->npaused, 1, memory_order_seq_cst);
    uint32_t tid = atomic_load_explicit(&h->tid, memory_order_seq_cst);
    if (tid == 0)
        return false;
    uint64_t end = sys_now_ns() + PAUSE_NS;
    // The helper is being created, or its creator is about to see npaused.
    while (tid == STARTING && sys_now_ns() < end) {
        syscall0(SYS_sched_yield);
        tid = atomic_load_explicit(&h->tid, memory_order_acquire);
    }
    if (tid == 0 || tid == STARTING || sys_pid() != h->pid)
        return false;
    // Repeated: another user of the bell may reset it before the helper sees
    // it.
    do {
        ring(h);
        wait_word(&h->tid, tid, LOOK_NS);
    } while (atomic_load_explicit(&h->tid, memory_order_acquire) == tid &&
             sys_now_ns() < end);
    // It no longer uses its memory, but still counts as a thread.
    while (syscall3(SYS_tgkill, h->pid, tid, 0) == 0 && sys_now_ns() < end)
        syscall0(SYS_sched_yield);
    return true;
}

void helper_resume(struct helper *h) {
    uint32_t n = atomic_load_explicit(&h->npaused, memory_order_relaxed);
    // In a child of fork the count is 0: helper_forked has reset it.
    while (n > 0 && !atomic_compare_exchange_weak_explicit(
                        &h->npaused, &n, n - 1, memory_order_relaxed,
                        memory_order_relaxed))
        ;
}

void helper_forked(struct helper *h) {
    h->stale = atomic_load_explicit(&h->tid, memory_order_relaxed) != 0;
    atomic_store_explicit(&h->tid, 0, memory_order_relaxed);
    atomic_store_explicit(&h->npaused, 0, memory_order_relaxed);
    atomic_store_explicit(&h->bell, NULL, memory_order_relaxed); // the parent's
    atomic_store_explicit(&h->resting, false, memory_order_relaxed);
    sys_helper_made = false;
}
