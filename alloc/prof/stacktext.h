// stacktext.h: a stack as text for people, and for addr2line.
#ifndef MOUND_PROF_STACKTEXT_H
#define MOUND_PROF_STACKTEXT_H

#include "base/print.h"

enum { STACKTEXT_MAX = 64 }; // frames; more are left out

// stacktext_print prints a line for each frame, innermost first:
//
//       #0 0x55d0c0de1234 /usr/bin/prog+0x1234 (main+0x14)
//
// The number after the file is the address as linked: for a program at a fixed
// address the address itself, and for a mapping of a file that is not ELF the
// offset in it. The address is alone if nothing is known: no mapping, one
// without a name, or no /proc. The function is printed if the file has a symbol
// for it; C++ names are mangled.
//
// Then, for each file, the command that names functions and lines of the calls, to be
// pasted into a shell; and how to get more of a stack that is short:
//
//       addr2line -Cfipe /usr/bin/prog 0x1233
//
// Return addresses are printed as they are; the command has those of the calls, one
// less.
//
// Needs 2 KiB of stack, so paths are cut to 300 characters, or to their last
// component on a stack with many of them. Takes no lock and allocates nothing:
// works in any state of the process. Once a filter is noted (os/filter.h) it
// reads no file but /proc/self/maps.
void stacktext_print(struct print *out, const uintptr_t *pcs, unsigned npcs);

#endif // MOUND_PROF_STACKTEXT_H
