// fault.h: watches for accesses to inaccessible memory (SIGSEGV). All functions
// except fault_watch are for the handler of such a fault: they do not allocate,
// take locks or change errno.
#ifndef MOUND_OS_FAULT_H
#define MOUND_OS_FAULT_H

#include "base/compiler.h"

enum fault_access { FAULT_UNKNOWN, FAULT_READ, FAULT_WRITE };

// fault_watch installs a handler that calls seen at every SIGSEGV raised by an
// access, with the address, the instruction (0 if unknown) and the signal's
// context, on the faulting thread and on its signal stack if it has one. It
// returns false if the system refuses, and at a second call. Call it once,
// early: a handler that the program installs later replaces this one.
//
// After seen returns, the fault goes to the handler that was installed before:
// a function is called under the signal mask it was installed with; otherwise
// the process dies of the same signal, with the address and the registers of
// the fault. If seen returned true, it dies even if the access has become
// possible meanwhile. seen is not called for a SIGSEGV sent by kill and the
// like; the previous handler is.
//
// SIGBUS is not handled: truncated files raise it, PROT_NONE does not. A system
// call that is passed a bad address raises no signal: it returns EFAULT.
bool fault_watch(bool (*seen)(uintptr_t addr, uintptr_t pc,
                              const void *context));

// fault_access says whether the access was a read or a write.
enum fault_access fault_access(const void *context);

// fault_stack writes the stack of the faulting code, up to max addresses: the
// faulting instruction, then return addresses, innermost first. It returns how
// many. It tries the unwinder of os/unwind.h first. If that does not get past
// the signal frame, it follows frame pointers as far as they can be read:
// functions without frame pointers are then missing, except the caller of a
// leaf function (such as memcpy), which is guessed.
unsigned fault_stack(const void *context, uintptr_t *ret_pcs, unsigned max);

// fault_peek reads the word at addr, a multiple of 8. It returns false if the
// word is not readable. The answer is unreliable only if another thread unmaps
// the page at this moment.
bool fault_peek(uintptr_t addr, uint64_t *ret_word);

// fault_tid returns the kernel's ID of the calling thread, or 0 once a filter
// of system calls has been noted.
int fault_tid(void);

#endif // MOUND_OS_FAULT_H
