// cfi_registers.h: the registers that a walk by unwind tables tracks.
#ifndef MOUND_OS_CFI_REGISTERS_H
#define MOUND_OS_CFI_REGISTERS_H

#include "base/compiler.h"

enum {
    CFI_REGISTERS = 17, // DWARF's numbers
    CFI_RBX = 3,
    CFI_RBP = 6,
    CFI_RSP = 7,
    CFI_R12 = 12,
    CFI_RIP = 16,
};

// struct cfi_registers are the registers of a frame; bit i of known says
// whether value[i] is known.
struct cfi_registers {
    uintptr_t value[CFI_REGISTERS];
    uint32_t known;
};

#endif // MOUND_OS_CFI_REGISTERS_H
