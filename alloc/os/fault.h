// fault.h: an eye on accesses to memory that may not be touched. All but
// fault_watch is for the handler of such a fault: nothing allocates, takes a
// lock of ours or changes errno.
#ifndef MOUND_OS_FAULT_H
#define MOUND_OS_FAULT_H

#include "base/compiler.h"

enum fault_access { FAULT_UNKNOWN, FAULT_READ, FAULT_WRITE };

// fault_watch has seen called at every SIGSEGV that an access raised, with the
// address, the instruction (0 where it is not known) and the context of the
// signal, on the thread that did it and on its signal stack if it has one. It
// returns false if the system refuses, and at a second call. Once, early: a
// handler that the program installs later replaces this one.
//
// Whatever seen returns, the fault goes on to what was installed before: a
// function is called under the mask that it asked for; else the process dies of
// the same signal, with the address and the registers of the fault. When seen
// returned true, it dies even if the access has become possible meanwhile. A
// SIGSEGV that somebody sent is passed on without a call of seen.
//
// SIGBUS is left alone: it tells of files that were cut, never of PROT_NONE. An
// address that a system call was given does not fault: it returns EFAULT.
bool fault_watch(bool (*seen)(uintptr_t addr, uintptr_t pc,
                              const void *context));

// fault_access says what the access wanted.
enum fault_access fault_access(const void *context);

// fault_stack writes the stack of the code that faulted, up to max: the
// faulting instruction itself, then return addresses, innermost first. It
// returns how many. The unwinder of os/unwind.h is asked first; when it does
// not get past the signal, the chain of frame pointers is followed as far as it
// can be read. Functions without frame pointers are missing then, but for the
// caller of a leaf function (memcpy and its like), which is guessed.
unsigned fault_stack(const void *context, uintptr_t *ret_pcs, unsigned max);

// fault_peek reads the word at addr, a multiple of 8, if it may be read. The
// answer can be wrong only if the mapping goes away at this moment.
bool fault_peek(uintptr_t addr, uint64_t *ret_word);

// fault_tid returns the number of the calling thread, as debuggers tell it; 0 once a
// filter of system calls came.
int fault_tid(void);

#endif // MOUND_OS_FAULT_H
