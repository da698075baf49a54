// functionstart.h: the start addresses of functions from the unwind table, which stripped
// files have too.
#ifndef MOUND_COMMAND_FUNCTIONSTART_H
#define MOUND_COMMAND_FUNCTIONSTART_H

#include <libelf.h>
#include <stdint.h>

// functionstart_find returns the start, an address in the file, of the function that has
// code at address, or 0: not known. Cost: a search in a sorted table.
uint64_t functionstart_find(Elf *elf, uint64_t address);

#endif // MOUND_COMMAND_FUNCTIONSTART_H
