// fault_linux.c: see fault.h.
#include "os/fault.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/bits.h"
#include "os/cfi_entry.h"
#include "os/filter.h"
#include "os/loaded.h"
#include "os/stack.h"
#include "os/syscall.h"
#include "os/unwind.h"

enum {
    WORD_BYTES = sizeof(uint64_t),
    MASK_BYTES = sizeof(uint64_t), // of the kernel's set of signals
    FRAME_BYTES_MAX = 1 << 20, // largest distance between two frame pointers
};

static bool (*current_seen)(uintptr_t addr, uintptr_t pc, const void *context);
static struct sigaction before; // constant once the handler is installed

// struct registers are the registers that a walk begins with; 0: unknown.
struct registers {
    uintptr_t pc;
    uintptr_t fp;
    uintptr_t sp;
    uintptr_t
        link; // a leaf function's return address, where a register holds it
};

static struct registers registers_of(const void *context) {
    const ucontext_t *uc = context;
    struct registers r = {0};
#if defined(__x86_64__)
    r.pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    r.fp = (uintptr_t)uc->uc_mcontext.gregs[REG_RBP];
    r.sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    enum { REGISTER_FP = 29, REGISTER_LINK = 30 };
    r.pc = uc->uc_mcontext.pc;
    r.fp = uc->uc_mcontext.regs[REGISTER_FP];
    r.sp = uc->uc_mcontext.sp;
    r.link = stack_return_address(uc->uc_mcontext.regs[REGISTER_LINK]);
#else
    (void)uc;
#endif
    return r;
}

#if defined(__x86_64__)
enum fault_access fault_access(const void *context) {
    enum { PAGE_FAULT = 14, ERROR_WRITE = 1 << 1 };
    const ucontext_t *uc = context;
    if (uc->uc_mcontext.gregs[REG_TRAPNO] != PAGE_FAULT)
        return FAULT_UNKNOWN;
    return uc->uc_mcontext.gregs[REG_ERR] & ERROR_WRITE ? FAULT_WRITE
                                                        : FAULT_READ;
}
#elif defined(__aarch64__)
// The syndrome of the fault (ESR) is in one of the records after the registers.
enum fault_access fault_access(const void *context) {
    enum { DATA_ABORT = 0x24, CLASS_SHIFT = 26, WRITE = 1 << 6 };
    const ucontext_t *uc = context;
    const char *p = (const char *)uc->uc_mcontext.__reserved;
    const char *end = p + sizeof uc->uc_mcontext.__reserved;
    while (p + sizeof(struct esr_context) <= end) {
        const struct _aarch64_ctx *head = (const void *)p;
        if (head->size < sizeof *head)
            break;
        if (head->magic == ESR_MAGIC) {
            uint64_t esr = ((const struct esr_context *)head)->esr;
            if (esr >> CLASS_SHIFT != DATA_ABORT)
                break;
            return esr & WRITE ? FAULT_WRITE : FAULT_READ;
        }
        p += head->size;
    }
    return FAULT_UNKNOWN;
}
#else
enum fault_access fault_access(const void *context) {
    (void)context;
    return FAULT_UNKNOWN;
}
#endif

UNSANITIZED bool fault_peek(uintptr_t addr, uint64_t *ret_word) {
    if (addr % WORD_BYTES != 0 || !stack_readable(addr))
        return false;
    *ret_word = *(const volatile uint64_t *)addr;
    return true;
}

int fault_tid(void) {
    return filter_noted() ? 0 : (int)syscall0(SYS_gettid);
}

#if defined(__x86_64__)
// follows_call says whether the bytes before pc encode a call.
UNSANITIZED static bool follows_call(uintptr_t pc) {
    enum { LONGEST = 7, DIRECT = 5, OPCODE_DIRECT = 0xe8, OPCODE_GROUP = 0xff };
    uintptr_t first = pc - LONGEST;
    if (pc < LONGEST || !stack_readable(align_down(first, WORD_BYTES)) ||
        !stack_readable(align_down(pc - 1, WORD_BYTES)))
        return false;
    const volatile unsigned char *end = (const volatile unsigned char *)pc;
    if (end[-DIRECT] == OPCODE_DIRECT)
        return true;
    for (int n = 2; n <= LONGEST; n++)
        if (end[-n] == OPCODE_GROUP && (end[1 - n] & 0x38) == 0x10)
            return true; // FF /2: the middle three bits of the second byte are 2
    return false;
}
#else
static bool follows_call(uintptr_t pc) {
    (void)pc;
    return false;
}
#endif

// in_one_function says, by the unwind tables, whether an instruction and the
// call before a return address are in the same function. If so, the link
// register is from an earlier call, and the function is not a leaf.
static bool in_one_function(uintptr_t pc, uintptr_t after_call) {
    struct loaded object;
    if (!loaded_find(pc, &object) || after_call <= object.start ||
        after_call > object.end)
        return false;
    uintptr_t entry = cfi_entry_find(&object, pc);
    return entry != 0 && cfi_entry_find(&object, after_call - 1) == entry;
}

// caller_of_leaf returns the return address of a function without a frame of
// its own, or 0. Overflows often happen in such functions (memcpy, strcpy), and
// a chain of frame pointers misses their callers.
static uintptr_t caller_of_leaf(const struct registers *r) {
    uint64_t word;
    if (r->link != 0)
        return in_one_function(r->pc, r->link) ? 0 : r->link;
    if (!fault_peek(r->sp, &word) || !follows_call((uintptr_t)word))
        return 0;
    return (uintptr_t)word;
}

// walk_frames appends return addresses to the n in pcs.
static unsigned walk_frames(const struct registers *r, uintptr_t *pcs,
                            unsigned n, unsigned max) {
    uintptr_t leaf = caller_of_leaf(r);
    uintptr_t below = r->sp;
    uintptr_t fp = r->fp;
    uint64_t next;
    uint64_t pc;
    bool first = true;
    while (n < max && fp >= below && fp - below <= FRAME_BYTES_MAX &&
           fault_peek(fp, &next) && fault_peek(fp + WORD_BYTES, &pc) &&
           pc != 0) {
        pc = stack_return_address(pc);
        if (first && leaf != 0 && leaf != pc)
            pcs[n++] = leaf;
        first = false;
        if (n < max)
            pcs[n++] = (uintptr_t)pc;
        below = fp + 2 * WORD_BYTES;
        fp = (uintptr_t)next;
    }
    if (first && leaf != 0 && n < max)
        pcs[n++] = leaf;
    return n;
}

unsigned fault_stack(const void *context, uintptr_t *ret_pcs, unsigned max) {
    struct registers r = registers_of(context);
    if (max == 0)
        return 0;
    unsigned n = unwind_stack(ret_pcs, max);
    if (r.pc == 0)
        return n;
    for (unsigned i = 0; i < n; i++)
        if (ret_pcs[i] == r.pc) {
            memmove(ret_pcs, ret_pcs + i, (n - i) * sizeof *ret_pcs);
            return n - i;
        }
    ret_pcs[0] = r.pc;
    return walk_frames(&r, ret_pcs, 1, max);
}

static void set_default(int sig) {
    // By the system call: sigaction may be interposed, and may refuse.
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {0};
    syscall4(SYS_rt_sigaction, sig, &action, 0, MASK_BYTES);
}

// send_again sends the same signal to this thread. It is delivered when the
// handler returns, with the registers of the fault.
static void send_again(int sig, siginfo_t *info) {
    long pid = syscall0(SYS_getpid);
    long tid = syscall0(SYS_gettid);
    if (syscall4(SYS_rt_tgsigqueueinfo, pid, tid, sig, info) != 0)
        syscall3(SYS_tgkill, pid, tid, sig);
}

static bool is_function(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

// mask_of returns a set of signals in the kernel's form.
static uint64_t mask_of(const sigset_t *set) {
    uint64_t mask;
    memcpy(&mask, set, sizeof mask);
    return mask;
}

static void call_before(int sig, siginfo_t *info, void *context) {
    uint64_t mask = mask_of(&((ucontext_t *)context)->uc_sigmask);
    mask |= mask_of(&before.sa_mask);
    if (!(before.sa_flags & SA_NODEFER))
        mask |= (uint64_t)1 << (sig - 1);
    if (before.sa_flags & SA_RESETHAND)
        set_default(sig);
    // The kernel restores the context's mask when the handler returns.
    syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, MASK_BYTES);
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(sig, info, context);
    else
        before.sa_handler(sig);
}

// A fault cannot be ignored: with SIG_IGN the kernel ends the process as well.
static void die(int sig, siginfo_t *info, bool sent, bool reported) {
    if (sent && before.sa_handler == SIG_IGN)
        return;
    set_default(sig);
    // Otherwise the instruction faults again, and the kernel reports that
    // fault.
    if (sent || reported)
        send_again(sig, info);
}

// SIGSEGV stays blocked while this runs, so that a fault of our own ends the
// process instead of calling this again.
static void handle(int sig, siginfo_t *info, void *context) {
    bool sent = info->si_code <= 0; // SI_USER, SI_TKILL, SI_QUEUE
    bool reported = false;
    int saved = errno;
    if (!sent)
        reported = current_seen((uintptr_t)info->si_addr,
                                registers_of(context).pc, context);
    errno = saved;
    if (is_function(&before))
        call_before(sig, info, context);
    else
        die(sig, info, sent, reported);
}

bool fault_watch(bool (*seen)(uintptr_t addr, uintptr_t pc,
                              const void *context)) {
    if (current_seen != NULL)
        return false;
    int saved = errno;
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = handle;
    // before is set before the first fault can arrive.
    bool ok = sigaction(SIGSEGV, NULL, &before) == 0;
    current_seen = seen;
    ok = ok && sigaction(SIGSEGV, &action, NULL) == 0;
    if (!ok)
        current_seen = NULL;
    errno = saved;
    return ok;
}
