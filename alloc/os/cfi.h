// cfi.h: stacks by the tables that compilers leave for unwinding (.eh_frame, call
// frame information of DWARF), read where the loader has mapped them.
//
// Nothing here waits, allocates, makes a system call beyond stack.h's, or changes
// errno; so it works in a signal handler, in a child of fork, under any lock, and
// on any stack with CFI_STACK_BYTES to spare.
#ifndef MOUND_OS_CFI_H
#define MOUND_OS_CFI_H

#include "os/cfi_registers.h"
#include "os/loaded.h"
#include "os/stack.h"

enum { CFI_STACK_BYTES = 1536 };

// struct cfi_walk: the first three are the caller's to fill in, and are used up.
struct cfi_walk {
    struct cfi_registers r; // rip is an instruction of their frame
    struct stack_view view;
    bool quick;
    bool exact;           // rip is where a signal came, and not behind a call
    struct loaded object; // that the last address was in
};

// cfi_walk writes the return addresses of the frames outside of the one that w->r
// is of, innermost first, and returns how many: up to max, without those to be
// skipped. Where a signal came, the interrupted instruction stands in its place.
// Code without tables is passed by its frame pointer, if it looks like one. Each
// address costs a few dozen steps, or some hundred when it is met the first time
// (or its place in the table of those met is taken by another).
//
// The quick way keeps few registers. *ret_lost says that it met a frame that takes
// another one, so that the other way would lead further.
//
// The code that is running stays loaded, and so its tables do. Code of a library that
// is just being loaded (resolvers of indirect functions) counts as without tables. A walk that was led
// astray, through code that has neither tables nor frame pointers, could look into
// a library while that is unloaded.
unsigned cfi_walk(struct cfi_walk *w, const struct stack_skip *skip,
                  uintptr_t *ret_pcs, unsigned max, bool *ret_lost);

#endif // MOUND_OS_CFI_H
