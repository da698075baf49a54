// stack.h: which part of a stack may be read. For walks that may follow invalid
// addresses: nothing here faults, waits, allocates or changes errno.
#ifndef MOUND_OS_STACK_H
#define MOUND_OS_STACK_H

#include "base/compiler.h"

enum { STACK_WORD_BYTES = sizeof(uintptr_t) };

// stack_return_address returns the address in a saved return address: on ARM
// its upper bits may hold a signature.
ALWAYS_INLINE uintptr_t stack_return_address(uintptr_t word) {
#if defined(__aarch64__)
    register uintptr_t x30 __asm__("x30") = word;
    __asm__("hint 7" : "+r"(x30)); // xpaclri: without its signature
    return x30;
#else
    return word;
#endif
}

// stack_readable says whether the word at addr may be read, by a system call.
bool stack_readable(uintptr_t addr);

// stack_end returns an address at the end of this thread's stack if addr can be
// on it, else 0.
uintptr_t stack_end(uintptr_t addr);

// stack_reaches says whether all memory from addr to stack_end may be read. If
// so, code whose stack pointer is addr runs on the thread's own stack, not on
// one of a coroutine or signal handler below it.
bool stack_reaches(uintptr_t addr, uintptr_t end);

// struct stack_view is the memory that a walk may read: [start, end).
struct stack_view {
    uintptr_t start;
    uintptr_t end;
    bool own; // the thread's own stack, up to its end
};

// stack_view_from begins at a frame of the caller.
struct stack_view stack_view_from(uintptr_t frame);

// stack_has_room says whether nbytes, less than a page, below the view are
// mapped. On the thread's own stack they belong to that stack. The lower end of
// another stack is known only if it has a guard page.
bool stack_has_room(const struct stack_view *view, size_t nbytes);

// stack_read reads an aligned word if it may be read. Outside the view that
// costs a system call for each page.
bool stack_read(struct stack_view *view, uintptr_t addr, uintptr_t *ret_word);

// struct stack_skip is what a walk skips at its beginning: return addresses up
// to caller, then those in a library, [start, end).
struct stack_skip {
    uintptr_t caller;
    uintptr_t start;
    uintptr_t end;
    unsigned nskipped;
    bool done;
};

enum { STACK_SKIPPED_MAX = 24 }; // a walk that skips more is lost

static inline bool stack_skips(struct stack_skip *s, uintptr_t pc) {
    if (s->done)
        return false;
    if (s->caller == 0 || s->caller == pc) {
        s->caller = 0;
        s->done = pc < s->start || pc >= s->end;
    }
    s->nskipped += !s->done;
    return !s->done;
}

#endif // MOUND_OS_STACK_H
