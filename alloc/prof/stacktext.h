// stacktext.h: a stack as text for people, and for addr2line.
#ifndef MOUND_PROF_STACKTEXT_H
#define MOUND_PROF_STACKTEXT_H

#include "base/print.h"

enum { STACKTEXT_MAX = 64 }; // frames; more are left out

// stacktext_print prints a line for each frame, innermost first:
//
//       #0 0x55d0c0de1234 /usr/bin/prog+0x1234 (main+0x14)
//
// The number behind the file is the address that the linker gave, for a program at
// a fixed place the address itself. In a mapping of a file that is no ELF it is the
// place in the file. The address stands alone where nothing is known: it is in no
// mapping or in one without a name, or /proc is not there. The function stands there
// if the file has a symbol for it; of C++ as it is mangled.
//
// Then, for each file, the command that names functions and lines of the calls, to be
// pasted into a shell; and how to get more of a stack that is short:
//
//       addr2line -Cfipe /usr/bin/prog 0x1233
//
// Return addresses are printed as they are; the command has those of the calls, one
// less.
//
// Needs 2 KiB of stack, so paths are cut to 300 characters and, of a stack with
// many of them, to their last part. Takes no lock and allocates nothing: for
// any state of the process. No file but /proc/self/maps is read once a filter came,
// see os/filter.h.
void stacktext_print(struct print *out, const uintptr_t *pcs, unsigned npcs);

#endif // MOUND_PROF_STACKTEXT_H
