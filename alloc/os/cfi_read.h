// cfi_read.h: interprets the instructions in .eh_frame: where a caller's
// registers are, for the code at an address.
#ifndef MOUND_OS_CFI_READ_H
#define MOUND_OS_CFI_READ_H

#include "os/cfi_registers.h"
#include "os/loaded.h"

// Where the caller's value of a register is.
enum cfi_rule {
    CFI_SAME_VALUE,    // in that register
    CFI_UNDEFINED,     // lost
    CFI_AT_CFA,        // in memory, at the CFA plus arg
    CFI_IS_CFA,        // the CFA plus arg
    CFI_REGISTER,      // in another register
    CFI_AT_EXPRESSION, // in memory, at the address that an expression computes
    CFI_IS_EXPRESSION,
};

// struct cfi_row has the rules for one address. The CFA is the caller's stack
// pointer. The arg of an expression is its distance from the start of the
// object.
struct cfi_row {
    int32_t arg[CFI_REGISTERS];
    int32_t cfa_arg;
    uint8_t rule[CFI_REGISTERS];
    uint8_t cfa_register;
    bool cfa_expression;
    bool signal; // the frame is one that the kernel made for a signal handler
};

// cfi_find returns false if the object has no table for pc, or one that it does
// not understand. *ret_table is the address of the FDE.
bool cfi_find(const struct loaded *object, uintptr_t pc,
              struct cfi_row *ret_row, uintptr_t *ret_table);

#endif // MOUND_OS_CFI_READ_H
