// cfi_read.h: what the instructions in .eh_frame say of an address: where its caller's
// registers are.
#ifndef MOUND_OS_CFI_READ_H
#define MOUND_OS_CFI_READ_H

#include "os/cfi_registers.h"
#include "os/loaded.h"

// Where the caller's value of a register is.
enum cfi_rule {
    CFI_SAME_VALUE,    // in that register
    CFI_UNDEFINED,     // lost
    CFI_AT_CFA,        // in memory, so far from the CFA
    CFI_IS_CFA,        // the CFA and a number
    CFI_REGISTER,      // in another register
    CFI_AT_EXPRESSION, // in memory, where an expression says
    CFI_IS_EXPRESSION,
};

// struct cfi_row is what holds at one address. The CFA is the caller's stack
// pointer. An expression's arg is its distance from the start of the object.
struct cfi_row {
    int32_t arg[CFI_REGISTERS];
    int32_t cfa_arg;
    uint8_t rule[CFI_REGISTERS];
    uint8_t cfa_register;
    bool cfa_expression;
    bool signal; // the frame that the kernel made for a handler
};

// cfi_find returns false if the object has no table for pc, or one that is not
// understood. *ret_table is where that begins.
bool cfi_find(const struct loaded *object, uintptr_t pc,
              struct cfi_row *ret_row, uintptr_t *ret_table);

#endif // MOUND_OS_CFI_READ_H
