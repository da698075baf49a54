// unwind_linux.c: unwind.h with libunwind 1.6 and glibc.
//
// What is not to be expected of libunwind, and is seen to here:
//
// - It asks the kernel whether memory may be read, by a pipe that it opens at
//   first use and whose numbers it believes in for ever: once the program has
//   closed them and they are numbers of its own, libunwind takes bytes out of
//   its sockets. So it is given another function to read memory with, by its
//   public table of accessors, and never uses the pipe, which is closed.
// - What its fast trace knows of an instruction it never forgets, also when the
//   library there is unloaded and another one comes to that place. Then it would
//   read at wild addresses. So a thread whose trace began before that goes step
//   by step.
// - What its steps know is in a cache whose lock it holds while it asks the
//   loader, whose lock dlclose holds while it calls free: with samples of what is
//   freed that would be a deadlock. So that cache is turned off.
// - It needs some 5 KiB of stack: see has_room.
#include "os/unwind.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "os/loaded.h"
#include "os/sys.h"
#include "os/syscall.h"

// Stacks are read past what the compiler knows of them.
#define UNSANITIZED                                                            \
    __attribute__((no_sanitize_address, no_sanitize_thread, noinline))

enum {
    WORD_BYTES = sizeof(uintptr_t),
    RECORD_BYTES = 2 * WORD_BYTES, // a saved frame pointer and where to return
    FRAME_BYTES_MAX = 1 << 20,     // from a frame to its caller's
    PAGE_BYTES = 4096,             // or a part of one, where they are larger
    STACK_BYTES_MAX = 16 << 20,    // in use; what is deeper is asked for anew
    SIGNALS_BYTES = 8,             // of the kernel's set of signals
    ROOM_BYTES = 8 << 10,          // that libunwind shall find below us
    OWN_FRAMES_MAX = 16,           // of this library, on the way here
    FORK_SPINS = 1000,
    FORK_WAIT_NS = 100 * 1000,
    FORK_WAITS = FORK_SPINS + 1000,
    FORK_WAITS_AGAIN = FORK_SPINS + 10,
};

// struct mine is what is kept of each thread. All zero at its start.
static __thread struct mine {
    bool inside;        // in libunwind; a handler of this thread stays out
    uint16_t known;     // of its stack; 0: not yet asked
    uint32_t nreplaced; // libraries at its first trace, and 1; or 0
} mine TLS_MODEL;
_Static_assert(sizeof(struct mine) <= 8,
               "thread-local memory is cut from every thread's stack");
enum {
    KNOWN_FIRST = 1 << 15,         // it is the first thread
    KNOWN_OTHER = 1 << 14,         // it is not
    KNOWN_PAGES = KNOWN_OTHER - 1, // may be read down from the end: see reaches
};

static _Atomic int mode; // enum unwind_mode

static uintptr_t aux(_Atomic uintptr_t *kept, unsigned long type) {
    // relaxed, here and below: there is one value that it can get
    uintptr_t value = atomic_load_explicit(kept, memory_order_relaxed);
    if (value == 0) {
        value = getauxval(type);
        atomic_store_explicit(kept, value, memory_order_relaxed);
    }
    return value;
}

// Our own frames.

// Set by the linker: the object that this is linked into.
extern const char __ehdr_start[] HIDDEN;
extern const char etext[] HIDDEN;

// in_library says whether an address is in libmound.so, or whatever library mound
// is linked into. In a program nothing is: there only names tell its frames from
// others.
__attribute__((unused)) static bool in_library(uintptr_t pc) {
    static _Atomic uintptr_t program_headers;
    uintptr_t start = (uintptr_t)__ehdr_start;
    uintptr_t nbytes = (uintptr_t)etext - start;
    return pc - start < nbytes &&
           aux(&program_headers, AT_PHDR) - start >= nbytes;
}

// What may be read.

// The kernel reads the set before it looks at what is to be done with it, and
// there is nothing that ~0 means. Of all calls that read memory this is the
// least likely to be denied.
static bool readable(uintptr_t addr) {
    return syscall4(SYS_rt_sigprocmask, ~0, addr, 0, SIGNALS_BYTES) == -EINVAL;
}

// in_first_thread says whether this is the thread that main was called by.
static bool in_first_thread(void) {
    unsigned known = mine.known;
    if (known == 0) {
        known = syscall0(SYS_gettid) == sys_pid() ? KNOWN_FIRST : KNOWN_OTHER;
        mine.known = (uint16_t)known;
    }
    return (known & KNOWN_FIRST) != 0;
}

// stack_end returns an address at the end of this thread's stack if sp can be
// on it, else 0. The kernel puts some random bytes there in the first thread;
// in others glibc puts the control block that the thread pointer points to.
static uintptr_t stack_end(uintptr_t sp) {
    static _Atomic uintptr_t random_bytes;
    uintptr_t end =
        in_first_thread() ? aux(&random_bytes, AT_RANDOM) : sys_self();
    return sp < end && end - sp < STACK_BYTES_MAX ? end : 0;
}

// reaches says whether all from addr to that end may be read. So what runs at
// addr runs on this stack, not on one of a coroutine or a signal handler that
// lies below it. Each page is asked for once in a thread's life, for what was in
// use of a stack stays. A stack without guard page has no end that could be
// seen: what lies against it counts as a part of it.
static bool reaches(uintptr_t addr, uintptr_t end) {
    uintptr_t last = align_down(end, PAGE_BYTES);
    unsigned npages = mine.known & KNOWN_PAGES;
    bool all = true;
    while (all && last - npages * PAGE_BYTES > addr) {
        all = readable(last - (npages + 1) * PAGE_BYTES);
        npages += all;
    }
    // A handler may be here too; both have seen what they count.
    mine.known = (uint16_t)((mine.known & ~KNOWN_PAGES) | npages);
    return all;
}
_Static_assert((STACK_BYTES_MAX + ROOM_BYTES) / PAGE_BYTES < KNOWN_PAGES,
               "must be countable");

// has_room says whether libunwind can run below this frame without meeting a
// guard page.
static bool has_room(uintptr_t frame) {
    uintptr_t end = stack_end(frame);
    if (end != 0 && reaches(frame - ROOM_BYTES, end))
        return true;
    for (uintptr_t n = PAGE_BYTES; n <= ROOM_BYTES; n += PAGE_BYTES)
        if (!readable(frame - n))
            return false;
    return true;
}

// Frame pointers.

#if defined(__x86_64__) || defined(__aarch64__)

// struct reach: from the frame that a walk has come to, all up to end may be
// read. If it is whole the stack ends there.
struct reach {
    uintptr_t end;
    bool whole;
};

static bool frame_readable(struct reach *reach, uintptr_t fp) {
    uintptr_t record_end = fp + RECORD_BYTES;
    if (record_end <= reach->end)
        return true;
    if (reach->whole || !readable(fp) || !readable(fp + WORD_BYTES))
        return false;
    reach->end = align_up(record_end, PAGE_BYTES);
    return true;
}

static uintptr_t return_address(uintptr_t word) {
#if defined(__aarch64__)
    register uintptr_t x30 __asm__("x30") = word;
    __asm__("hint 7" : "+r"(x30)); // xpaclri: without its signature
    return x30;
#else
    return word;
#endif
}

static bool looks_like_code(uintptr_t pc) {
    return pc >= 1 << 16 && pc < (uintptr_t)1 << 48;
}

// walk follows the frame pointers from fp, a frame of ours. A function compiled
// without them leaves any number in that register: such a chain ends, or goes on
// with frames that are further out, or with return addresses that are none.
UNSANITIZED static unsigned walk(uintptr_t fp, uintptr_t *ret_pcs,
                                 unsigned max) {
    uintptr_t end = stack_end(fp);
    struct reach reach = {end, true};
    if (end == 0 || !reaches(fp, end))
        reach = (struct reach){align_up(fp + RECORD_BYTES, PAGE_BYTES), false};
    unsigned n = 0;
    while (n < max && frame_readable(&reach, fp)) {
        const uintptr_t *record = (const uintptr_t *)fp;
        uintptr_t next = record[0];
        uintptr_t pc = return_address(record[1]);
        if (!looks_like_code(pc))
            break;
        if (n > 0 || !in_library(pc))
            ret_pcs[n++] = pc;
        if (next <= fp || next - fp > FRAME_BYTES_MAX || next % WORD_BYTES != 0)
            break;
        fp = next;
    }
    return n;
}

#else

static unsigned walk(uintptr_t fp, uintptr_t *ret_pcs, unsigned max) {
    (void)fp;
    (void)ret_pcs;
    (void)max;
    return 0;
}

#endif

// libunwind.

#if defined(__x86_64__)

enum {
    CURSOR_WORDS = 127,  // unw_cursor_t
    CONTEXT_WORDS = 128, // unw_context_t, which has 121
    REGISTER_IP = 16,    // UNW_REG_IP
    CACHE_NONE = 0,      // UNW_CACHE_NONE
};

typedef int access_mem_fn(void *space, uintptr_t addr, uintptr_t *word,
                          int write, void *arg);

// struct accessors is the beginning of unw_accessors_t.
struct accessors {
    void *find_proc_info;
    void *put_unwind_info;
    void *get_dyn_info_list_addr;
    access_mem_fn *access_mem;
};

// Constant once mode says libunwind.
static struct {
    int (*backtrace)(void **ret_pcs, int max);
    struct accessors *(*get_accessors)(void *space);
    int (*set_caching_policy)(void *space, int policy);
    int (*getcontext)(void *context);
    int (*init_local)(void *cursor, void *context);
    int (*step)(void *cursor);
    int (*get_reg)(void *cursor, int reg, uintptr_t *ret_value);
    void **local_space;
} lib;

static const struct {
    const char *name;
    void *place;
} lib_names[] = {
    {"unw_backtrace", &lib.backtrace},
    {"_Ux86_64_get_accessors", &lib.get_accessors},
    {"_ULx86_64_set_caching_policy", &lib.set_caching_policy},
    {"_Ux86_64_getcontext", &lib.getcontext},
    {"_ULx86_64_init_local", &lib.init_local},
    {"_ULx86_64_step", &lib.step},
    {"_ULx86_64_get_reg", &lib.get_reg},
    {"_ULx86_64_local_addr_space", &lib.local_space},
};

// access_mem reads and writes a word for libunwind, and for the program if it
// uses the same copy. It is asked for words of the stack, and of code that has
// no unwind tables.
UNSANITIZED static int access_mem(void *space, uintptr_t addr, uintptr_t *word,
                                  int write, void *arg) {
    (void)space;
    (void)arg;
    if (write) {
        *(uintptr_t *)addr = *word; // a register it has saved
        return 0;
    }
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    uintptr_t end = stack_end(frame);
    bool live = addr >= frame && addr < end && end - addr >= WORD_BYTES &&
                reaches(frame, end);
    if (!live && !readable(addr))
        return -1;
    *word = *(const volatile uintptr_t *)addr;
    return 0;
}

static bool access_seen;

static int access_first(void *space, uintptr_t addr, uintptr_t *word, int write,
                        void *arg) {
    access_seen = true;
    return access_mem(space, addr, word, write, arg);
}

// trace_is_sound says whether all that the fast trace of this thread knows is
// about code that is still there.
static bool trace_is_sound(void) {
    uint32_t n = loaded_replacements() + 1;
    if (mine.nreplaced == 0)
        mine.nreplaced = n;
    return mine.nreplaced == n;
}

// step_through takes six system calls a frame.
static NOINLINE unsigned step_through(uintptr_t *ret_pcs, unsigned max) {
    uintptr_t cursor[CURSOR_WORDS] __attribute__((aligned(16)));
    uintptr_t context[CONTEXT_WORDS] __attribute__((aligned(16)));
    unsigned n = 0;
    lib.getcontext(context);
    if (lib.init_local(cursor, context) < 0)
        return 0;
    while (n < max && lib.step(cursor) > 0 &&
           lib.get_reg(cursor, REGISTER_IP, &ret_pcs[n]) >= 0)
        n++;
    return n;
}

// trace unwinds by libunwind. caller is where unwind_stack returns to.
static NOINLINE unsigned trace(uintptr_t caller, uintptr_t *ret_pcs,
                               unsigned max) {
    uintptr_t pcs[OWN_FRAMES_MAX + UNWIND_MAX];
    enum { NPCS = sizeof pcs / sizeof *pcs };
    unsigned n = trace_is_sound() ? (unsigned)lib.backtrace((void **)pcs, NPCS)
                                  : step_through(pcs, NPCS);
    unsigned first = 0;
    while (first < n && pcs[first] != caller)
        first++;
    if (first == n)
        return 0;
    while (first < n && in_library(pcs[first]))
        first++;
    unsigned ntraced = 0;
    while (first < n && ntraced < max)
        ret_pcs[ntraced++] = pcs[first++];
    return ntraced;
}

// Loading it.

// pipe_numbers returns the numbers that a pipe would get that is opened now.
static bool pipe_numbers(int *ret_fds) {
    if (syscall2(SYS_pipe2, ret_fds, O_CLOEXEC) != 0)
        return false;
    sys_close(ret_fds[0]);
    sys_close(ret_fds[1]);
    return true;
}

static void close_if_pipe(const int *fds) {
    struct sys_file read_end;
    struct sys_file write_end;
    if (!sys_file_of(fds[0], &read_end) || !sys_file_of(fds[1], &write_end) ||
        !S_ISFIFO(read_end.mode) || !sys_file_same(&read_end, &write_end))
        return;
    sys_close(fds[0]);
    sys_close(fds[1]);
}

static bool find_names(void *handle) {
    for (size_t i = 0; i < sizeof lib_names / sizeof *lib_names; i++) {
        void *p = dlsym(handle, lib_names[i].name);
        *(void **)lib_names[i].place = p;
        if (p == NULL)
            return false;
    }
    return true;
}

// prime does the first unwinding, which opens the pipe, makes a key and
// allocates. It returns false if libunwind reads memory by other means than
// access_mem.
static bool prime(void) {
    void *pcs[2];
    struct accessors *accessors = lib.get_accessors(*lib.local_space);
    access_mem_fn *before = accessors->access_mem;
    accessors->access_mem = access_first;
    lib.set_caching_policy(*lib.local_space, CACHE_NONE);
    trace_is_sound();
    lib.backtrace(pcs, 2);
    accessors->access_mem = access_seen ? access_mem : before;
    return access_seen;
}

static const char *load(void) {
    static const char name[] = "libunwind.so.8";
    bool shared = dlopen(name, RTLD_NOW | RTLD_NOLOAD) != NULL;
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL)
        return "libunwind.so.8 cannot be loaded";
    if (!find_names(handle))
        return "libunwind.so.8 is not as expected";
    // With other threads, or in a copy that the program uses, it stays open.
    int fds[2];
    bool closing = !shared && sys_single_threaded() && pipe_numbers(fds);
    bool ok = prime();
    if (closing)
        close_if_pipe(fds);
    return ok ? NULL : "libunwind.so.8 reads memory its own way";
}

#else

static const char *load(void) {
    return "libunwind is used on x86-64 only";
}

static unsigned trace(uintptr_t caller, uintptr_t *ret_pcs, unsigned max) {
    (void)caller;
    (void)ret_pcs;
    (void)max;
    return 0;
}

#endif

static enum unwind_mode current_mode(void) {
    // acquire: sees lib filled in; partner: release in unwind_init
    return (enum unwind_mode)atomic_load_explicit(&mode, memory_order_acquire);
}

static void forget_libunwind(void) {
    atomic_store_explicit(&mode, UNWIND_FP, memory_order_relaxed);
}

enum unwind_mode unwind_init(enum unwind_mode wanted, const char **ret_why) {
    if (wanted == UNWIND_FP || current_mode() == UNWIND_LIBUNWIND)
        return current_mode();
    int saved = errno;
    const char *why = load();
    if (why != NULL) {
        dlerror(); // it is not the program's
        *ret_why = why;
    } else {
        // release: partner in current_mode
        atomic_store_explicit(&mode, UNWIND_LIBUNWIND, memory_order_release);
    }
    errno = saved;
    return current_mode();
}

// Forks.

static _Atomic int ninside;  // threads in libunwind
static _Atomic int nforking; // and such that would like them out of it
static bool child_is_unsure; // of the fork that is going on

// enter says whether this thread may use libunwind now.
static bool enter(void) {
    if (mine.inside)
        return false;
    mine.inside = true;
    atomic_signal_fence(memory_order_seq_cst);
    // seq_cst, here and in unwind_before_fork: one of the two sees the other
    atomic_fetch_add_explicit(&ninside, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&nforking, memory_order_seq_cst) == 0)
        return true;
    atomic_fetch_sub_explicit(&ninside, 1, memory_order_relaxed);
    mine.inside = false;
    return false;
}

static void leave(void) {
    // release: partner in unwind_before_fork
    atomic_fetch_sub_explicit(&ninside, 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    mine.inside = false;
}

// Not only our child is better off: one that forks while another thread holds
// the loader's lock, as libunwind does, can never call dlopen.
void unwind_before_fork(void) {
    static unsigned nwaits = FORK_WAITS;
    atomic_fetch_add_explicit(&nforking, 1, memory_order_seq_cst);
    // A handler may have interrupted libunwind and forks now.
    int own = mine.inside;
    bool alone = false;
    for (unsigned i = 0; i < nwaits && !alone; i++) {
        if (i > FORK_SPINS)
            sys_sleep_ns(FORK_WAIT_NS);
        sys_spin();
        alone = atomic_load_explicit(&ninside, memory_order_seq_cst) <= own;
    }
    // One that jumped out of libunwind, by a handler, is counted for ever.
    nwaits = alone ? FORK_WAITS : FORK_WAITS_AGAIN;
    // A thread may hold the loader's lock for reasons of its own, and glibc does
    // not free it in the child; nor can the child free what we hold ourselves.
    child_is_unsure = !alone || own > 0 || !__libc_single_threaded;
}

void unwind_after_fork_parent(void) {
    atomic_fetch_sub_explicit(&nforking, 1, memory_order_release);
}

void unwind_after_fork_child(void) {
    if (child_is_unsure)
        forget_libunwind();
    atomic_store_explicit(&ninside, mine.inside, memory_order_relaxed);
    atomic_store_explicit(&nforking, 0, memory_order_relaxed);
}

void unwind_forked_bare(void) {
    forget_libunwind();
    atomic_store_explicit(&ninside, mine.inside, memory_order_relaxed);
    atomic_store_explicit(&nforking, 0, memory_order_relaxed);
}

// What others call.

NOINLINE unsigned unwind_frames(uintptr_t *ret_pcs, unsigned max) {
    int saved = errno;
    unsigned n = walk((uintptr_t)__builtin_frame_address(0), ret_pcs, max);
    errno = saved;
    return n;
}

NOINLINE unsigned unwind_stack(uintptr_t *ret_pcs, unsigned max) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    int saved = errno;
    unsigned n = 0;
    if (current_mode() == UNWIND_LIBUNWIND && has_room(frame) && enter()) {
        // A library without tables in memory is looked for on disk, and open is
        // where a thread may be cancelled.
        int cancel;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        n = trace((uintptr_t)__builtin_return_address(0), ret_pcs, max);
        pthread_setcancelstate(cancel, NULL);
        leave();
    }
    if (n == 0)
        n = walk(frame, ret_pcs, max);
    errno = saved;
    return n;
}
