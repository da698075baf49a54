// fault.c: fault_linux.c. Each fault happens in a child, whose way to die is
// looked at.
#include "os/fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/sys.h"
#include "os/unwind.h"

enum { PCS = 16 };

static size_t page;
static void *object; // a page that may not be touched

// What a child has to say to the test.
static struct shared {
    uintptr_t pcs[PCS];
    unsigned npcs;
    unsigned nseen;
    enum fault_access access;
    uintptr_t addr;
    uintptr_t pc;
} * shared;

static void start(void) {
    page = sys_page_size();
    object = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

// saw and overlooked are the functions that are called: the fault is ours, or
// not.
static bool saw(uintptr_t addr, uintptr_t pc, const void *context) {
    shared->nseen++;
    shared->addr = addr;
    shared->pc = pc;
    shared->access = fault_access(context);
    return true;
}

static bool overlooked(uintptr_t addr, uintptr_t pc, const void *context) {
    saw(addr, pc, context);
    return false;
}

static bool (*seen)(uintptr_t addr, uintptr_t pc, const void *context) = saw;

// be_child makes this process one whose death makes no noise.
static void be_child(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGSEGV, SIG_DFL);
    alarm(20);
}

// run runs what in a child and returns how it ended.
static int run(void (*what)(void)) {
    int status;
    shared->nseen = 0;
    pid_t pid = fork();
    if (pid == 0) {
        be_child();
        what();
        _exit(0);
    }
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

static void touch(void) {
    fault_watch(seen);
    (void)*(volatile char *)object;
}

static void write_into(void) {
    fault_watch(seen);
    ((volatile char *)object)[5] = 1;
}

Test(fault, a_fault_is_told_and_kills_as_ever) {
    start();

    cr_assert(segv(run(touch)));
    cr_assert(eq(u32, shared->nseen, 1));
    cr_assert(eq(uptr, shared->addr, (uintptr_t)object));
    cr_assert(eq(int, shared->access, FAULT_READ));

    cr_assert(segv(run(write_into)));
    cr_assert(eq(uptr, shared->addr, (uintptr_t)object + 5));
    cr_assert(eq(int, shared->access, FAULT_WRITE));

    seen = overlooked;
    cr_assert(segv(run(touch)));
    cr_assert(eq(u32, shared->nseen, 1));
}

static bool see_and_open(uintptr_t addr, uintptr_t pc, const void *context) {
    mprotect(object, page, PROT_READ | PROT_WRITE);
    return saw(addr, pc, context);
}

static bool overlook_and_open(uintptr_t addr, uintptr_t pc,
                              const void *context) {
    see_and_open(addr, pc, context);
    return false;
}

Test(fault, what_was_reported_kills_though_another_thread_opened_the_page) {
    start();
    seen = see_and_open;
    cr_assert(segv(run(touch)));
    seen = overlook_and_open;
    cr_assert(eq(int, exit_code(run(touch)), 0));
}

static void be_killed(void) {
    fault_watch(seen);
    raise(SIGSEGV);
}

Test(fault, a_signal_that_was_sent_kills_and_is_no_fault) {
    start();
    cr_assert(segv(run(be_killed)));
    cr_assert(zero(u32, shared->nseen));
}

static void be_killed_ignoring(void) {
    signal(SIGSEGV, SIG_IGN);
    fault_watch(seen);
    raise(SIGSEGV);
    _exit(7);
}

static void fault_ignoring(void) {
    signal(SIGSEGV, SIG_IGN);
    fault_watch(seen);
    (void)((volatile char *)object)[0];
}

Test(fault, who_ignored_the_signal_still_does_but_not_faults) {
    start();
    cr_assert(eq(int, exit_code(run(be_killed_ignoring)), 7));
    cr_assert(zero(u32, shared->nseen));
    cr_assert(segv(run(fault_ignoring)));
}

static void earlier(int sig, siginfo_t *info, void *context) {
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    bool ok = sig == SIGSEGV && info->si_addr == object && context != NULL &&
              sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2) &&
              sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGTERM);
    _exit(ok ? 42 : 43);
}

static void fault_with_earlier(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    sigset_t mask;
    action.sa_sigaction = earlier;
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &action, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    fault_watch(seen);
    (void)*(volatile char *)object;
}

Test(fault, an_earlier_handler_is_called_as_it_asked_to_be) {
    start();
    cr_assert(eq(int, exit_code(run(fault_with_earlier)), 42));
    cr_assert(eq(u32, shared->nseen, 1));
    seen = overlooked;
    cr_assert(eq(int, exit_code(run(fault_with_earlier)), 42));
    cr_assert(eq(u32, shared->nseen, 1));
}

static _Atomic int nopened;

static void open_page(int sig) {
    (void)sig;
    nopened++;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    if (sigismember(&mask, SIGSEGV)) // it asked for SA_NODEFER
        _exit(43);
    mprotect(object, page, PROT_READ | PROT_WRITE);
}

static bool spoil_errno(uintptr_t addr, uintptr_t pc, const void *context) {
    errno = 5;
    return overlooked(addr, pc, context);
}

// A program that lives on its faults.
static void handle_own_faults(void) {
    struct sigaction action = {.sa_flags = SA_NODEFER};
    action.sa_handler = open_page;
    sigaction(SIGSEGV, &action, NULL);
    fault_watch(spoil_errno);
    for (int i = 0; i < 5; i++) {
        mprotect(object, page, PROT_NONE);
        errno = 77;
        *(volatile char *)object = 1;
        if (errno != 77)
            _exit(44);
    }
    _exit(nopened == 5 ? 42 : 45);
}

Test(fault, a_handler_that_repairs_goes_on_again_and_again) {
    start();
    cr_assert(eq(int, exit_code(run(handle_own_faults)), 42));
}

static void fault_with_once(void) {
    struct sigaction action = {.sa_flags = SA_NODEFER | (int)SA_RESETHAND};
    action.sa_handler = open_page;
    sigaction(SIGSEGV, &action, NULL);
    fault_watch(seen);
    *(volatile char *)object = 1;
    mprotect(object, page, PROT_NONE);
    *(volatile char *)object = 1;
}

Test(fault, a_handler_for_one_time_is_called_one_time) {
    start();
    cr_assert(segv(run(fault_with_once)));
    cr_assert(eq(u32, shared->nseen, 1));
}

static void fault_with_later(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO}, old;
    fault_watch(seen);
    action.sa_sigaction = earlier;
    sigaction(SIGSEGV, &action, &old);
    if (!(old.sa_flags & SA_ONSTACK) || fault_watch(seen))
        _exit(1);
    (void)*(volatile char *)object;
    _exit(2);
}

Test(fault, a_later_handler_replaces_the_watch) {
    start();
    // 43: the signals that it looks for are not blocked here
    cr_assert(eq(int, exit_code(run(fault_with_later)), 43));
    cr_assert(zero(u32, shared->nseen));
}

#ifdef __x86_64__ // for the registers

// A debugger, or a core, sees the fault itself: the second stop is the one that
// kills.
static void fault_traced(void) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
        _exit(77);
    touch();
}

static void check_traced(void) {
    siginfo_t info[2];
    struct user_regs_struct regs[2];
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        be_child();
        fault_traced();
        _exit(0);
    }
    for (int i = 0; i < 2; i++) {
        waitpid(pid, &status, 0);
        if (exit_code(status) == 77)
            cr_skip_test("no ptrace here");
        cr_assert(eq(int, status, SIGSEGV << 8 | 0x7f)); // stopped by it
        ptrace(PTRACE_GETSIGINFO, pid, 0, &info[i]);
        ptrace(PTRACE_GETREGS, pid, 0, &regs[i]);
        cr_assert(eq(ptr, info[i].si_addr, object));
        ptrace(PTRACE_CONT, pid, 0, SIGSEGV);
    }
    cr_assert(eq(int, info[0].si_code, info[1].si_code));
    cr_assert(zero(int, memcmp(&regs[0], &regs[1], sizeof regs[0])));
    waitpid(pid, &status, 0);
    cr_assert(segv(status));
}

Test(fault, the_signal_that_kills_has_the_address_and_registers_of_the_fault) {
    start();
    check_traced();
    seen = overlooked;
    check_traced();
}

#endif

// A leaf, so it has no frame pointer.
static __attribute__((noipa)) void poke(volatile char *p) {
    *p = 1;
}

static __attribute__((noipa)) void poke_for(volatile char *p) {
    poke(p);
    __asm__ volatile("" ::: "memory");
}

static __attribute__((noipa)) void copy_to(char *p) {
    memset(p, 1, 64);
    __asm__ volatile("" ::: "memory");
}

static bool keep_stack(uintptr_t addr, uintptr_t pc, const void *context) {
    shared->npcs = fault_stack(context, shared->pcs, PCS);
    return saw(addr, pc, context);
}

static enum unwind_mode wanted; // by the children

// watch_for_stack returns in a child that shall keep its stack.
static void watch_for_stack(void) {
    const char *why;
    if (unwind_init(wanted, &why) != wanted)
        _exit(77);
    fault_watch(keep_stack);
}

static void poke_object(void) {
    watch_for_stack();
    poke_for(object);
    __asm__ volatile("" ::: "memory");
}

static void copy_to_object(void) {
    watch_for_stack();
    copy_to(object);
    __asm__ volatile("" ::: "memory");
}

// Not a leaf: where a register holds return addresses, it has that of the last call, and
// so one within this function. What is saved of its own is signed.
#ifdef __aarch64__
#define SIGNED __attribute__((target("branch-protection=pac-ret")))
#else
#define SIGNED
#endif
static SIGNED __attribute__((noipa)) void call_and_poke(volatile char *p) {
    char other;
    poke(&other);
    *p = 1;
    __asm__ volatile("" ::: "memory");
}

static SIGNED void call_and_poke_object(void) {
    watch_for_stack();
    call_and_poke(object);
    __asm__ volatile("" ::: "memory");
}

#ifdef __x86_64__

// It has a frame and no frame pointer: the chain passes over its caller.
void poke_without_frame(volatile char *p);
__asm__(".text\n"
        ".type poke_without_frame, @function\n"
        "poke_without_frame:\n"
        ".cfi_startproc\n"
        "sub $24, %rsp\n"
        ".cfi_adjust_cfa_offset 24\n"
        "movb $1, (%rdi)\n"
        "add $24, %rsp\n"
        ".cfi_adjust_cfa_offset -24\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size poke_without_frame, . - poke_without_frame\n");

static void poke_object_without_frame(void) {
    watch_for_stack();
    poke_without_frame(object);
    __asm__ volatile("" ::: "memory");
}

#endif

static bool within(uintptr_t pc, void (*function)(void)) {
#ifdef __SANITIZE_ADDRESS__
    enum { LONGEST = 800 };
#elif defined(__aarch64__)
    enum { LONGEST = 160 };
#else
    enum { LONGEST = 60 };
#endif
    return pc - (uintptr_t)function < LONGEST;
}

#define WITHIN(i, f) within(shared->pcs[i], (void (*)(void))(f))

// run_in runs a child in a mode; skips the test when it cannot be had.
static void run_in(enum unwind_mode mode, void (*what)(void)) {
    start();
    wanted = mode;
    int status = run(what);
    if (exit_code(status) == 77)
        cr_skip_test("no libunwind here");
    cr_assert(eq(u32, shared->nseen, 1));
}

static void check_poke(enum unwind_mode mode) {
    run_in(mode, poke_object);
    cr_assert(ge(u32, shared->npcs, 4));
    cr_assert(eq(uptr, shared->pcs[0], shared->pc));
    cr_assert(WITHIN(0, poke));
    cr_assert(WITHIN(1, poke_for));
    cr_assert(WITHIN(2, poke_object));
}

Test(fault, the_stack_begins_with_the_instruction_that_faulted) {
    check_poke(UNWIND_FP);
}

Test(fault, the_stack_begins_with_the_instruction_by_libunwind_too) {
    check_poke(UNWIND_LIBUNWIND);
}

Test(fault, a_function_that_has_called_others_is_in_the_stack_once) {
    run_in(UNWIND_FP, call_and_poke_object);
    cr_assert(ge(u32, shared->npcs, 3));
    cr_assert(WITHIN(0, call_and_poke));
    cr_assert(WITHIN(1, call_and_poke_object));
    cr_assert(not(WITHIN(2, call_and_poke_object)));
}

#ifdef __x86_64__
Test(fault, functions_without_frame_pointers_are_seen_by_libunwind) {
    run_in(UNWIND_LIBUNWIND, poke_object_without_frame);
    cr_assert(ge(u32, shared->npcs, 3));
    cr_assert(WITHIN(0, poke_without_frame));
    cr_assert(WITHIN(1, poke_object_without_frame));
}
#endif

// What calls memcpy and its like is the frame that matters.
static void check_copy(enum unwind_mode mode) {
    run_in(mode, copy_to_object);
    bool found = false;
    for (unsigned i = 0; i < 3 && i < shared->npcs; i++)
        found = found || WITHIN(i, copy_to);
    cr_assert(found);
}

Test(fault, the_caller_of_a_function_of_libc_is_in_the_stack) {
    check_copy(UNWIND_FP);
}

Test(fault, the_caller_of_a_function_of_libc_is_seen_by_libunwind_too) {
    check_copy(UNWIND_LIBUNWIND);
}

#ifdef __x86_64__

static void wreck_stack(void) {
    size_t nbytes = sys_page_size();
    char *p =
        mmap(NULL, 2 * nbytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t *frames = (uintptr_t *)p;
    mprotect(p, nbytes, PROT_READ | PROT_WRITE);
    frames[0] = (uintptr_t)p + nbytes; // a caller's frame that is not there
    frames[1] = (uintptr_t)wreck_stack;
    watch_for_stack();
    __asm__ volatile("mov %0, %%rbp; mov %0, %%rsp; movb $1, 8" ::"r"(frames)
                     : "memory");
}

static void check_wrecked(enum unwind_mode mode) {
    stack_t alt = {.ss_size = 64 << 10};
    alt.ss_sp = mmap(NULL, alt.ss_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&alt, NULL);
    run_in(mode, wreck_stack);
    cr_assert(ge(u32, shared->npcs, 1));
    cr_assert(le(u32, shared->npcs, 3));
    cr_assert(eq(uptr, shared->pcs[0], shared->pc));
}

Test(fault, a_wrecked_stack_ends_early) {
    check_wrecked(UNWIND_FP);
}

Test(fault, a_wrecked_stack_ends_early_for_libunwind_too) {
    check_wrecked(UNWIND_LIBUNWIND);
}

#endif

Test(fault, a_word_is_read_where_there_is_one) {
    uint64_t word = 5, got = 0;
    start();
    cr_assert(fault_peek((uintptr_t)&word, &got));
    cr_assert(eq(u64, got, 5));
    cr_assert(not(fault_peek((uintptr_t)object, &got)));
    cr_assert(not(fault_peek(0, &got)));
    cr_assert(not(fault_peek((uintptr_t)-8, &got)));
    cr_assert(not(fault_peek((uintptr_t)&word + 1, &got)));
    cr_assert(not(fault_peek((uintptr_t)1 << 63, &got)));
}
