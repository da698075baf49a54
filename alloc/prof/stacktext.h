// stacktext.h: a stack as text for people, and for addr2line.
#ifndef MOUND_PROF_STACKTEXT_H
#define MOUND_PROF_STACKTEXT_H

#include "base/print.h"

enum { STACKTEXT_MAX = 64 }; // frames; more are left out

// stacktext_print prints a line for each frame, innermost first:
//
//       #0 0x55d0c0de1234 /usr/bin/prog+0x1234
//
// where `addr2line -fe /usr/bin/prog 0x1234` names function and line: the
// number is the address that the linker gave, for a program at a fixed place
// the address itself. In a mapping of a file that is no ELF it is the place in
// the file. The address stands alone where nothing is known: it is in no
// mapping or in one without a name, or /proc is not there.
//
// Return addresses are printed as they are: the line found may be that after
// the call.
//
// Needs 2 KiB of stack, so paths are cut to 250 characters and, of a stack with
// many of them, to their last part. Takes no lock and allocates nothing: for
// any state of the process.
void stacktext_print(struct print *out, const uintptr_t *pcs, unsigned npcs);

#endif // MOUND_PROF_STACKTEXT_H
