// unwind.c: unwind_linux.c on chains of calls that are known, and where a
// careless walk would fault or take what is not its own.
#include "os/unwind.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "os/sys.h"

// What the compiler may not look into, copy or make a jump of.
#if __has_attribute(noipa)
#define OPAQUE __attribute__((noipa))
#else
#define OPAQUE NOINLINE
#endif
#define NOT_A_JUMP __asm__ volatile("")

#if defined(__SANITIZE_ADDRESS__)
#define LARGE_FRAMES true
#elif defined(__has_feature)
#define LARGE_FRAMES __has_feature(address_sanitizer)
#else
#define LARGE_FRAMES false
#endif

enum { KIB = 1 << 10, DEPTH = 12, EXIT_OK = 42 };

typedef unsigned unwind_fn(uintptr_t *ret_pcs, unsigned max);

static uintptr_t pcs[UNWIND_MAX];      // what was found
static uintptr_t expected[UNWIND_MAX]; // the callers, outside of the innermost
static unwind_fn *unwind = unwind_stack;

// Elsewhere stacks are taken by frame pointers only.
static void need_x86(void) {
#if !defined(__x86_64__)
    cr_skip_test("tables and libunwind are read on x86-64 only");
#endif
}

static void use_libunwind(void) {
    const char *why = "";
    need_x86();
    cr_assert(eq(int, unwind_init(UNWIND_LIBUNWIND, &why), UNWIND_LIBUNWIND),
              "%s", why);
}

static void use_fp(void) {
    const char *why = "";
    cr_assert(eq(int, unwind_init(UNWIND_FP, &why), UNWIND_FP), "%s", why);
}

static OPAQUE unsigned innermost(void) {
    expected[0] = (uintptr_t)__builtin_return_address(0);
    unsigned n = unwind(pcs, UNWIND_MAX);
    NOT_A_JUMP;
    return n;
}

// chain calls itself, and at the end f; it notes where each call returns to.
static OPAQUE unsigned chain(unsigned depth, unsigned (*f)(void)) {
    expected[depth] = (uintptr_t)__builtin_return_address(0);
    unsigned n = depth == 1 ? f() : chain(depth - 1, f);
    NOT_A_JUMP;
    return n;
}

static bool is_in(uintptr_t pc, const void *function) {
    enum { LONGEST_FUNCTION = 256 };
    return pc - (uintptr_t)function < LONGEST_FUNCTION;
}

static void find_chain(void) {
    unsigned n = chain(DEPTH, innermost);

    cr_assert(ge(uint, n, DEPTH + 2), "%u return addresses", n);
    cr_assert(is_in(pcs[0], innermost));
    cr_assert(zero(int, memcmp(pcs + 1, expected, (DEPTH + 1) * sizeof *pcs)));
}

Test(unwind, tables_give_the_callers_innermost_first) {
    need_x86();
    cr_assert(eq(int, unwind_mode(), UNWIND_TABLES));
    find_chain();
    find_chain(); // from the table of what is known
}

Test(unwind, frame_pointers_give_the_callers_innermost_first) {
    use_fp();
    find_chain();
    cr_assert(eq(int, unwind_mode(), UNWIND_FP));
}

Test(unwind, frames_are_the_same_chain) {
    unwind = unwind_frames;
    find_chain();
}

Test(unwind, libunwind_gives_the_callers_innermost_first) {
    use_libunwind();
    find_chain();
}

Test(unwind, libunwind_gives_them_in_other_threads_too) {
    use_libunwind();
    pthread_t thread;
    pthread_create(&thread, NULL, (void *(*)(void *))find_chain, NULL);
    pthread_join(thread, NULL);
}

static int compare(const void *a, const void *b) {
    if (pcs[0] == 0)
        unwind(pcs, UNWIND_MAX);
    return *(const int *)a - *(const int *)b;
}

// libc is compiled without frame pointers.
static OPAQUE void get_through_qsort(void) {
    int numbers[] = {3, 1, 2};
    memset(pcs, 0, sizeof pcs);

    qsort(numbers, 3, sizeof *numbers, compare);

    unsigned i = 0;
    while (i < UNWIND_MAX && !is_in(pcs[i], get_through_qsort))
        i++;
    cr_assert(is_in(pcs[0], compare));
    cr_assert(i > 1 && i < UNWIND_MAX);
}

Test(unwind, tables_lead_through_code_without_frame_pointers) {
    get_through_qsort();
    get_through_qsort();
}

Test(unwind, so_does_libunwind) {
    use_libunwind();
    get_through_qsort();
}

static void find_three(void) {
    memset(pcs, 0xee, sizeof pcs);
    uintptr_t untouched = pcs[3];

    cr_assert(eq(uint, unwind(pcs, 3), 3));

    cr_assert(eq(uptr, pcs[3], untouched));
    cr_assert(zero(uint, unwind(pcs, 0)));
}

Test(unwind, no_more_is_written_than_there_is_room) {
    find_three();
    use_fp();
    find_three();
    use_libunwind();
    find_three();
}

static void keep_errno(void) {
    errno = 77;
    unwind(pcs, UNWIND_MAX);
    cr_assert(eq(int, errno, 77));
    unwind_frames(pcs, UNWIND_MAX);
    cr_assert(eq(int, errno, 77));
}

Test(unwind, errno_is_kept) {
    const char *why;
    keep_errno();
    errno = 77;
    unwind_init(UNWIND_LIBUNWIND, &why);
    cr_assert(eq(int, errno, 77));
    keep_errno();
}

Test(unwind, what_cannot_be_loaded_is_told) {
    const char *why = NULL;
    struct rlimit none = {3, 3}; // no further descriptor
    need_x86();
    setrlimit(RLIMIT_NOFILE, &none);

    cr_assert(eq(int, unwind_init(UNWIND_LIBUNWIND, &why), UNWIND_TABLES));

    cr_assert(ne(ptr, (void *)why, NULL));
    find_chain();
}

// Signals.

#if defined(__x86_64__)

static uintptr_t illegal; // the instruction that raised the signal

static OPAQUE unsigned raise_here(void) {
    expected[0] = (uintptr_t)__builtin_return_address(0);
    __asm__ volatile("ud2" ::: "memory");
    return 0;
}

static unsigned nfound;

static void on_illegal(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)info;
    nfound = unwind(pcs, UNWIND_MAX);
    illegal = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; // behind ud2
}

static void find_chain_behind_signal(int flags) {
    struct sigaction act = {.sa_flags = SA_SIGINFO | flags};
    act.sa_sigaction = on_illegal;
    sigaction(SIGILL, &act, NULL);

    chain(DEPTH, raise_here);

    unsigned i = 0;
    while (i < nfound && pcs[i] != illegal)
        i++;
    cr_assert(is_in(pcs[0], on_illegal));
    cr_assert(le(uint, i, 3)); // the handler, the trampoline, the function
    cr_assert(ge(uint, nfound, i + DEPTH + 2));
    cr_assert(
        zero(int, memcmp(pcs + i + 1, expected, (DEPTH + 1) * sizeof *pcs)));
}

Test(unwind, tables_reach_the_function_that_a_signal_interrupted) {
    find_chain_behind_signal(0);
    find_chain_behind_signal(0);
}

Test(unwind, libunwind_reaches_the_function_that_a_signal_interrupted) {
    use_libunwind();
    find_chain_behind_signal(0);
}

static void find_chain_from_signal_stack(void) {
    enum { NBYTES = 64 * KIB };
    stack_t stack = {.ss_sp = malloc(NBYTES), .ss_size = NBYTES};
    sigaltstack(&stack, NULL);
    find_chain_behind_signal(SA_ONSTACK);
}

Test(unwind, tables_reach_it_from_a_stack_for_signals) {
    find_chain_from_signal_stack();
}

Test(unwind, libunwind_reaches_it_from_a_stack_for_signals) {
    use_libunwind();
    find_chain_from_signal_stack();
}
#endif

static volatile sig_atomic_t nsignals;

static void on_timer(int signo) {
    uintptr_t own[UNWIND_MAX];
    (void)signo;
    if (unwind_stack(own, UNWIND_MAX) == 0)
        abort();
    nsignals++;
}

// One signal at a time: where system calls are slow, so is the handler.
static void interrupt_often(void) {
    struct itimerval once = {{0, 0}, {0, 50}};
    signal(SIGALRM, on_timer);
    nsignals = 0;

    while (nsignals < 200) {
        setitimer(ITIMER_REAL, &once, NULL);
        for (int i = 0; i < 100; i++)
            find_chain();
    }
}

Test(unwind, a_handler_may_interrupt_a_walk) {
    interrupt_often();
    use_libunwind();
    interrupt_often();
}

// Stacks.

// A frame pointer of any value, in a function that has tables but no frame.
#if defined(__x86_64__)
unsigned with_frame_pointer(uintptr_t fp, unsigned (*f)(void));
__asm__(".text\n"
        ".type with_frame_pointer, @function\n"
        "with_frame_pointer:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset 6, -16\n"
        "mov %rdi, %rbp\n"
        "call *%rsi\n"
        "pop %rbp\n"
        ".cfi_def_cfa_offset 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size with_frame_pointer, . - with_frame_pointer\n");

// wild_frames walks with frame pointers that point at everything around.
static void wild_frames(void) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    for (unsigned bit = 0; bit < 64; bit++) {
        uintptr_t power = (uintptr_t)1 << bit;
        const uintptr_t values[] = {power,
                                    power - 1,
                                    ~power,
                                    here + power,
                                    here - power,
                                    here ^ power,
                                    sys_self() + power,
                                    sys_self() - power};
        for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
            unsigned n = with_frame_pointer(values[i], innermost);
            cr_assert(ge(uint, n, 1));
            cr_assert(is_in(pcs[0], innermost));
        }
    }
    for (uintptr_t fp = here; fp < here + 256 * KIB; fp += 264)
        cr_assert(ge(uint, with_frame_pointer(fp, innermost), 1));
}

static void *wild_thread(void *arg) {
    wild_frames();
    return arg;
}

Test(unwind, wild_frame_pointers_do_not_fault) {
    pthread_t thread;
    wild_frames();
    pthread_create(&thread, NULL, wild_thread, NULL);
    pthread_join(thread, NULL);
    use_fp();
    wild_frames();
    pthread_create(&thread, NULL, wild_thread, NULL);
    pthread_join(thread, NULL);
    use_libunwind();
    wild_frames();
}

static ucontext_t outside, inside;

static void wild_coroutine(void) {
    wild_frames();
    swapcontext(&inside, &outside);
}

// Above and below the stack nothing is mapped, and it is below that of the
// thread: the memory between them is full of holes.
static void *run_wild_coroutine(void *arg) {
    enum { NBYTES = 32 * KIB, HOLE = 16 * KIB };
    char *p = mmap(NULL, NBYTES + 2 * HOLE, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + HOLE, NBYTES, PROT_READ | PROT_WRITE);
    munmap(p + HOLE + NBYTES, HOLE);
    getcontext(&inside);
    inside.uc_stack.ss_sp = p + HOLE;
    inside.uc_stack.ss_size = NBYTES;
    makecontext(&inside, wild_coroutine, 0);
    swapcontext(&outside, &inside);
    return arg;
}

Test(unwind, coroutines_may_have_wild_frame_pointers_too) {
    pthread_t thread;
    run_wild_coroutine(NULL);
    pthread_create(&thread, NULL, run_wild_coroutine, NULL);
    pthread_join(thread, NULL);
    use_fp();
    run_wild_coroutine(NULL);
    pthread_create(&thread, NULL, run_wild_coroutine, NULL);
    pthread_join(thread, NULL);
    use_libunwind();
    run_wild_coroutine(NULL);
    pthread_create(&thread, NULL, run_wild_coroutine, NULL);
    pthread_join(thread, NULL);
}
#endif

static uintptr_t stack_low; // the last byte that may be touched
static unsigned nunwound;

// go_down unwinds at every depth until the handlers of our own have no room.
static OPAQUE void go_down(void) {
    enum { OWN_BYTES = 1536 };
    volatile char some[200];
    some[0] = 1;
    if ((uintptr_t)some - stack_low < OWN_BYTES)
        return;
    if (unwind(pcs, UNWIND_MAX) == 0 || !is_in(pcs[0], go_down))
        abort();
    nunwound++;
    go_down();
    some[1] = some[0];
}

static void *go_down_thread(void *arg) {
    pthread_attr_t attr;
    void *p;
    size_t nbytes;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstack(&attr, &p, &nbytes);
    pthread_attr_destroy(&attr);
    stack_low = (uintptr_t)p;
    go_down();
    return arg;
}

static void go_down_small_stack(void) {
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
    nunwound = 0;

    cr_assert(zero(int, pthread_create(&thread, &attr, go_down_thread, NULL)));
    pthread_join(thread, NULL);

    cr_assert(nunwound > 10);
}

Test(unwind, the_smallest_stacks_do_not_overflow, .disabled = LARGE_FRAMES) {
    go_down_small_stack();
    use_fp();
    go_down_small_stack();
    use_libunwind();
    go_down_small_stack();
}

// go_down_coroutine unwinds on a stack that lies in the middle of a block, with
// what is somebody else's on both sides.
static void go_down_coroutine(void) {
    enum { NBYTES = 8 * KIB, SIDE = 16 * KIB, MARK = 0xa5 };
    static unsigned char block[NBYTES + 2 * SIDE] __attribute__((aligned(16)));
    static ucontext_t before, coroutine;
    memset(block, MARK, sizeof block);
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = block + SIDE;
    coroutine.uc_stack.ss_size = NBYTES;
    coroutine.uc_link = &before;
    stack_low = (uintptr_t)block + SIDE;
    makecontext(&coroutine, go_down, 0);
    nunwound = 0;

    swapcontext(&before, &coroutine);

    cr_assert(nunwound > 5);
    for (unsigned i = 0; i < SIDE; i++) {
        cr_assert(eq(u8, block[i], MARK));
        cr_assert(eq(u8, block[SIDE + NBYTES + i], MARK));
    }
}

Test(unwind, nor_do_those_of_coroutines, .disabled = LARGE_FRAMES) {
    go_down_coroutine();
    use_fp();
    go_down_coroutine();
    use_libunwind();
    go_down_coroutine();
}

// Descriptors.

// Where there are no tables libunwind guesses, and looks where it reads.
#if defined(__x86_64__)
unsigned without_tables(unsigned (*f)(void));
__asm__(".text\n"
        ".type without_tables, @function\n"
        "without_tables:\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "call *%rdi\n"
        "pop %rbp\n"
        "ret\n"
        ".size without_tables, . - without_tables\n");

static unsigned find_without_tables(void) {
    return without_tables(innermost);
}

Test(unwind, libunwind_touches_no_descriptor_of_the_program) {
    enum { NPIPES = 32, NFDS = 1024 };
    int pipes[NPIPES][2];
    bool others[NFDS]; // Criterion's
    for (int fd = 0; fd < NFDS; fd++)
        others[fd] = fcntl(fd, F_GETFD) >= 0;
    use_libunwind();
    find_chain();
    for (int fd = 0; fd < NFDS; fd++)
        if (!others[fd])
            close(fd); // libunwind's, if it has any
    for (int i = 0; i < NPIPES; i++) {
        cr_assert(zero(int, pipe2(pipes[i], O_NONBLOCK)));
        cr_assert(eq(long, write(pipes[i][1], "mound", 5), 5));
    }

    for (int i = 0; i < 100; i++)
        cr_assert(chain(DEPTH, find_without_tables) > DEPTH);

    for (int i = 0; i < NPIPES; i++) {
        char got[8];
        cr_assert(eq(long, read(pipes[i][0], got, sizeof got), 5));
        cr_assert(zero(int, memcmp(got, "mound", 5)));
    }
}
#endif

// fork.

Test(unwind, a_child_goes_by_tables) {
    use_libunwind();
    unwind_forked();
    cr_assert(eq(int, unwind_mode(), UNWIND_TABLES));
    find_chain();
}

Test(unwind, or_by_frame_pointers_where_its_parent_did) {
    use_fp();
    unwind_forked();
    cr_assert(eq(int, unwind_mode(), UNWIND_FP));
}

// A sandbox.

static void deny(const int *calls, unsigned ncalls) {
    struct sock_filter code[32];
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < ncalls; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)calls[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)EPERM);
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog prog = {.len = n, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
        cr_skip_test("seccomp filters cannot be set here");
}

static void deny_all(void) {
    static const int calls[] = {SYS_pipe2, SYS_mincore, SYS_msync,
                                SYS_rt_sigprocmask, SYS_process_vm_readv};
    deny(calls, sizeof calls / sizeof *calls);
}

static void *find_something(void *arg) {
    if (chain(DEPTH, innermost) == 0 || !is_in(pcs[0], innermost))
        abort();
    return arg;
}

static void find_something_everywhere(void) {
    pthread_t thread;
    find_something(NULL);
    pthread_create(&thread, NULL, find_something, NULL);
    pthread_join(thread, NULL);
}

Test(unwind, in_a_sandbox_stacks_may_be_shorter_but_nothing_faults) {
    const char *why;
    deny_all();
    find_something_everywhere();
    unwind_init(UNWIND_LIBUNWIND, &why);
    find_something_everywhere();
}

Test(unwind, a_sandbox_may_come_later) {
    use_libunwind();
    find_chain();
    deny_all();
    find_something_everywhere();
}
