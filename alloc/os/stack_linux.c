// stack_linux.c: stack.h for Linux and glibc.
#include "os/stack.h"

#include <stdatomic.h>
#include <sys/auxv.h>

#include "base/bits.h"
#include "os/sys.h"
#include "os/syscall.h"

enum {
    PAGE_BYTES = 4096,          // or a part of a page, where pages are larger
    STACK_BYTES_MAX = 16 << 20, // in use; checks of deeper frames are not kept
    SIGNALS_BYTES = 8,          // of the kernel's set of signals
};

// What is known of this thread's stack; 0: not checked yet.
static __thread uint16_t known TLS_MODEL;
enum {
    KNOWN_FIRST = 1 << 15,         // it is the first thread
    KNOWN_OTHER = 1 << 14,         // it is not
    KNOWN_PAGES = KNOWN_OTHER - 1, // readable pages below the end
};
_Static_assert(STACK_BYTES_MAX / PAGE_BYTES < KNOWN_PAGES, "must be countable");

// The kernel copies the set before it checks how, and ~0 is no valid how: it
// returns EFAULT or EINVAL. Of all calls that read memory this is the least
// likely to be denied by a filter. addr 0 would mean no set.
bool stack_readable(uintptr_t addr) {
    return addr != 0 &&
           syscall4(SYS_rt_sigprocmask, ~0, addr, 0, SIGNALS_BYTES) == -EINVAL;
}

// in_first_thread says whether this is the thread that runs main.
static bool in_first_thread(void) {
    unsigned now = known;
    if (now == 0) {
        now = syscall0(SYS_gettid) == sys_pid() ? KNOWN_FIRST : KNOWN_OTHER;
        known = (uint16_t)now;
    }
    return (now & KNOWN_FIRST) != 0;
}

static uintptr_t random_bytes(void) {
    static _Atomic uintptr_t kept;
    // relaxed, here and below: there is one value that it can get
    uintptr_t value = atomic_load_explicit(&kept, memory_order_relaxed);
    if (value == 0) {
        value = getauxval(AT_RANDOM);
        atomic_store_explicit(&kept, value, memory_order_relaxed);
    }
    return value;
}

// The end is approximated by an address near it: the kernel puts AT_RANDOM's
// bytes at the end of the first thread's stack; glibc puts the control block,
// to which the thread pointer points, at the end of the others.
uintptr_t stack_end(uintptr_t addr) {
    uintptr_t end = in_first_thread() ? random_bytes() : sys_self();
    return addr < end && end - addr < STACK_BYTES_MAX ? end : 0;
}

// Each page is checked once in a thread's life: pages of a stack that were in
// use stay mapped. A stack without guard page has no visible end: memory
// adjacent to it counts as part of it.
bool stack_reaches(uintptr_t addr, uintptr_t end) {
    uintptr_t last = align_down(end, PAGE_BYTES);
    unsigned npages = known & KNOWN_PAGES;
    bool all = true;
    while (all && last - npages * PAGE_BYTES > addr) {
        all = stack_readable(last - (npages + 1) * PAGE_BYTES);
        npages += all;
    }
    // A signal handler may run this at the same time; each count is of pages
    // that were checked.
    known = (uint16_t)((known & ~KNOWN_PAGES) | npages);
    return all;
}

struct stack_view stack_view_from(uintptr_t frame) {
    uintptr_t end = stack_end(frame);
    if (end != 0 && stack_reaches(frame, end))
        return (struct stack_view){frame, align_down(end, STACK_WORD_BYTES),
                                   true};
    // At least the caller's frame record is readable.
    return (struct stack_view){
        frame, align_up(frame + 2 * STACK_WORD_BYTES, PAGE_BYTES), false};
}

bool stack_has_room(const struct stack_view *view, size_t nbytes) {
    uintptr_t low = align_down(view->start - nbytes, STACK_WORD_BYTES);
    if (view->own)
        return stack_reaches(low, view->end);
    return align_down(low, PAGE_BYTES) == align_down(view->start, PAGE_BYTES) ||
           stack_readable(low);
}

UNSANITIZED bool stack_read(struct stack_view *view, uintptr_t addr,
                            uintptr_t *ret_word) {
    if (addr % STACK_WORD_BYTES != 0)
        return false;
    if (addr < view->start || addr >= view->end) {
        if (!stack_readable(addr))
            return false;
        uintptr_t page = align_down(addr, PAGE_BYTES);
        if (page != view->end)
            view->start = page;
        view->end = page + PAGE_BYTES;
        view->own = false;
    }
    *ret_word = *(const volatile uintptr_t *)addr;
    return true;
}
