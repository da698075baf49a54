// unwind_linux.c: see unwind.h.
#include "os/unwind.h"

#include <stdatomic.h>
#include <sys/auxv.h>

#include "os/cfi.h"
#include "os/filter.h"
#include "os/libunwind.h"
#include "os/loaded.h"
#include "os/stack.h"
#include "os/syscall.h"

enum {
    WORD_BYTES = STACK_WORD_BYTES,
    RECORD_BYTES = 2 * WORD_BYTES, // saved frame pointer and return address
    FRAME_BYTES_MAX = 1 << 20, // largest distance between two frame pointers
    OWN_FRAMES_MAX = 16,       // of this library, below its caller
};

static _Atomic int mode = UNWIND_TABLES; // enum unwind_mode

// Frames of this library.

// Set by the linker: the bounds of the object that this is linked into.
extern const char __ehdr_start[] HIDDEN;
extern const char etext[] HIDDEN;

// own_frames returns what to skip at the beginning of a stack: up to caller,
// and then libmound.so or the library that mound is linked into. If it is
// linked into the program, nothing more: only names would tell its frames from
// the program's.
static struct stack_skip own_frames(uintptr_t caller) {
    static _Atomic uintptr_t program_headers;
    uintptr_t start = (uintptr_t)__ehdr_start;
    uintptr_t end = (uintptr_t)etext;
    // relaxed, here and below: all writers write the same value
    uintptr_t phdrs =
        atomic_load_explicit(&program_headers, memory_order_relaxed);
    if (phdrs == 0) {
        phdrs = getauxval(AT_PHDR);
        atomic_store_explicit(&program_headers, phdrs, memory_order_relaxed);
    }
    bool in_program = phdrs - start < end - start;
    return (struct stack_skip){
        .caller = caller, .start = start, .end = in_program ? start : end};
}

// Frame pointers.

#if defined(__x86_64__) || defined(__aarch64__)

static bool looks_like_code(uintptr_t pc) {
    return pc >= 1 << 16 && pc < (uintptr_t)1 << 48;
}

// walk follows the frame pointers from fp, a frame of this library. A function
// compiled without frame pointers may leave any number in the register: the
// chain then ends, continues with outer frames, or yields wrong addresses.
static unsigned walk(uintptr_t fp, struct stack_skip *skip, uintptr_t *ret_pcs,
                     unsigned max) {
    struct stack_view view = stack_view_from(fp);
    unsigned n = 0;
    uintptr_t next;
    uintptr_t word;
    while (n < max && skip->nskipped < STACK_SKIPPED_MAX &&
           !(view.own && fp + RECORD_BYTES > view.end) &&
           stack_read(&view, fp, &next) &&
           stack_read(&view, fp + WORD_BYTES, &word)) {
        uintptr_t pc = stack_return_address(word);
        if (!looks_like_code(pc))
            break;
        if (!stack_skips(skip, pc))
            ret_pcs[n++] = pc;
        if (next <= fp || next - fp > FRAME_BYTES_MAX || next % WORD_BYTES != 0)
            break;
        fp = next;
    }
    return n;
}

#else

static unsigned walk(uintptr_t fp, struct stack_skip *skip, uintptr_t *ret_pcs,
                     unsigned max) {
    (void)fp;
    (void)skip;
    (void)ret_pcs;
    (void)max;
    return 0;
}

#endif

// Modes.

#if defined(__x86_64__)

static bool has_tables(void) {
    return loaded_can_find();
}

// by_tables starts from the registers of unwind_stack, into which it is
// inlined.
ALWAYS_INLINE unsigned by_tables(const struct stack_skip *skip,
                                 uintptr_t *ret_pcs, unsigned max) {
    struct cfi_walk w;
    w.quick = true;
    for (;;) {
        bool lost;
        __asm__ volatile("mov %%rbx, 24(%0)\n\t"
                         "mov %%rbp, 48(%0)\n\t"
                         "mov %%rsp, 56(%0)\n\t"
                         "mov %%r12, 96(%0)\n\t"
                         "mov %%r13, 104(%0)\n\t"
                         "mov %%r14, 112(%0)\n\t"
                         "mov %%r15, 120(%0)\n\t"
                         "lea 0(%%rip), %%rax\n\t"
                         "mov %%rax, 128(%0)"
                         :
                         : "r"(w.r.value)
                         : "rax", "memory");
        w.r.known = 1 << CFI_RBX | 1 << CFI_RBP | 1 << CFI_RSP |
                    0xf << CFI_R12 | 1 << CFI_RIP;
        w.view = stack_view_from(w.r.value[CFI_RSP]);
        if (!stack_has_room(&w.view, CFI_STACK_BYTES))
            return 0;
        unsigned n = cfi_walk(&w, skip, ret_pcs, max, &lost);
        if (!lost || !w.quick)
            return n;
        w.quick = false;
    }
}

#else

static bool has_tables(void) {
    return false;
}

static unsigned by_tables(const struct stack_skip *skip, uintptr_t *ret_pcs,
                          unsigned max) {
    (void)skip;
    (void)ret_pcs;
    (void)max;
    return 0;
}

#endif

static enum unwind_mode current_mode(void) {
    // acquire: sees libunwind loaded; partner: release in unwind_init
    enum unwind_mode now =
        (enum unwind_mode)atomic_load_explicit(&mode, memory_order_acquire);
    return now != UNWIND_FP && !has_tables() ? UNWIND_FP : now;
}

static void set_mode(enum unwind_mode to) {
    // release: partner in current_mode
    atomic_store_explicit(&mode, to, memory_order_release);
}

enum unwind_mode unwind_mode(void) {
    return current_mode();
}

bool unwind_has_choice(void) {
    return has_tables();
}

enum unwind_mode unwind_init(enum unwind_mode wanted, const char **ret_why) {
    int saved = errno;
    if (wanted == UNWIND_LIBUNWIND && current_mode() != UNWIND_LIBUNWIND) {
        const char *why = libunwind_load();
        if (why != NULL) {
            *ret_why = why;
            wanted = UNWIND_TABLES;
        }
    } else if (wanted == UNWIND_TABLES && !has_tables()) {
        *ret_why = "this machine or C library does not support it";
    }
    set_mode(wanted);
    errno = saved;
    return current_mode();
}

// libunwind's locks may have been held by a thread that the child does not
// have.
void unwind_forked(void) {
    if (current_mode() == UNWIND_LIBUNWIND)
        set_mode(UNWIND_TABLES);
}

// The public functions.

NOINLINE unsigned unwind_frames(uintptr_t *ret_pcs, unsigned max) {
    struct stack_skip skip = own_frames((uintptr_t)__builtin_return_address(0));
    int saved = errno;
    unsigned n =
        walk((uintptr_t)__builtin_frame_address(0), &skip, ret_pcs, max);
    errno = saved;
    return n;
}

// take is the body of unwind_stack and unwind_here. It takes no stack once a
// filter is noted: checking a page of the stack is a system call, for which a
// filter may kill.
ALWAYS_INLINE unsigned take(uintptr_t caller, bool by_libunwind,
                            uintptr_t *ret_pcs, unsigned max) {
    if (filter_noted())
        return 0;
    struct stack_skip skip = own_frames(caller);
    enum unwind_mode now = current_mode();
    int saved = errno;
    unsigned n = 0;
    if (by_libunwind && now == UNWIND_LIBUNWIND)
        n = libunwind_walk(&skip, ret_pcs, max);
    if (n == 0 && now != UNWIND_FP)
        n = by_tables(&skip, ret_pcs, max);
    if (n == 0)
        n = walk((uintptr_t)__builtin_frame_address(0), &skip, ret_pcs, max);
    errno = saved;
    return n;
}

NOINLINE unsigned unwind_here(uintptr_t *ret_pcs, unsigned max) {
    return take((uintptr_t)__builtin_return_address(0), false, ret_pcs, max);
}

NOINLINE unsigned unwind_stack(uintptr_t *ret_pcs, unsigned max) {
    return take((uintptr_t)__builtin_return_address(0), true, ret_pcs, max);
}
