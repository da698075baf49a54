// functionstart.h: where functions start, by the table for unwinding. Stripped files
// have it too.
#ifndef MOUND_COMMAND_FUNCTIONSTART_H
#define MOUND_COMMAND_FUNCTIONSTART_H

#include <libelf.h>
#include <stdint.h>

// functionstart_find returns the address in the file at which the function starts that
// has code at address, or 0: not known. Cost: a search in a sorted table.
uint64_t functionstart_find(Elf *elf, uint64_t address);

#endif // MOUND_COMMAND_FUNCTIONSTART_H
