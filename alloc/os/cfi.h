// cfi.h: stack walks by unwind tables (.eh_frame, DWARF call frame
// information), which are read where the loader has mapped them.
//
// Nothing here waits, allocates, changes errno or makes a system call other
// than those of stack.h. It therefore works in a signal handler, in the child
// of a fork, under any lock, and on any stack that has CFI_STACK_BYTES left.
#ifndef MOUND_OS_CFI_H
#define MOUND_OS_CFI_H

#include "os/cfi_registers.h"
#include "os/loaded.h"
#include "os/stack.h"

enum { CFI_STACK_BYTES = 1536 };

// struct cfi_walk: the caller sets the first three fields; the walk changes
// them.
struct cfi_walk {
    struct cfi_registers r; // rip is an address inside the frame's function
    struct stack_view view;
    bool quick;
    bool exact; // rip is the interrupted instruction, not a return address
    struct loaded object; // the object of the last address
};

// cfi_walk writes the return addresses of the callers of the frame in w->r,
// innermost first, and returns how many: up to max, not counting skipped ones.
// For a frame interrupted by a signal it writes the interrupted instruction. It
// follows the frame pointer through code without tables if that pointer is
// plausible. An address that is in the table of known frames costs a few dozen
// steps, any other some hundred.
//
// A quick walk keeps rbp, rsp and rip only. *ret_lost is true if it stopped at
// a frame that needs another register: a full walk gets further.
//
// Running code stays loaded, and so do its tables. Code of a library that is
// being loaded (resolvers of indirect functions) is treated as code without
// tables. A walk through code that has neither tables nor frame pointers may
// read a wrong address and follow it into a library that another thread is
// unloading.
unsigned cfi_walk(struct cfi_walk *w, const struct stack_skip *skip,
                  uintptr_t *ret_pcs, unsigned max, bool *ret_lost);

#endif // MOUND_OS_CFI_H
