// stack.h: what of a stack may be read. For walks that follow what may be wild:
// nothing here faults, waits, allocates or changes errno.
#ifndef MOUND_OS_STACK_H
#define MOUND_OS_STACK_H

#include "base/compiler.h"

enum { STACK_WORD_BYTES = sizeof(uintptr_t) };

// stack_return_address returns where a return address leads that a function saved: on ARM
// some sign it in the upper bits.
ALWAYS_INLINE uintptr_t stack_return_address(uintptr_t word) {
#if defined(__aarch64__)
    register uintptr_t x30 __asm__("x30") = word;
    __asm__("hint 7" : "+r"(x30)); // xpaclri: without its signature
    return x30;
#else
    return word;
#endif
}

// stack_readable says whether the word at addr may be read: a system call.
bool stack_readable(uintptr_t addr);

// stack_end returns an address at the end of this thread's stack if addr can be
// on it, else 0.
uintptr_t stack_end(uintptr_t addr);

// stack_reaches says whether all from addr to stack_end may be read: then what
// runs at addr runs on the thread's own stack, not on one of a coroutine or of a
// signal handler that lies below it.
bool stack_reaches(uintptr_t addr, uintptr_t end);

// struct stack_view is the memory that a walk may read: [start, end).
struct stack_view {
    uintptr_t start;
    uintptr_t end;
    bool own; // it is the thread's own stack, and ends there
};

// stack_view_from begins at a frame of the caller's.
struct stack_view stack_view_from(uintptr_t frame);

// stack_has_room says whether nbytes, less than a page, below the view are there.
// On the thread's own stack none of them is anybody else's; of another stack the
// lower end is not known unless a page that may not be touched is there.
bool stack_has_room(const struct stack_view *view, size_t nbytes);

// stack_read reads a word, at a multiple of its size, if it may be read. What is
// outside of the view costs a system call a page.
bool stack_read(struct stack_view *view, uintptr_t addr, uintptr_t *ret_word);

// struct stack_skip is what a walk leaves out at its beginning: return addresses
// inside of caller, and then those in a library, [start, end).
struct stack_skip {
    uintptr_t caller;
    uintptr_t start;
    uintptr_t end;
    unsigned nskipped;
    bool done;
};

enum { STACK_SKIPPED_MAX = 24 }; // a walk that skips more has lost its way

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
