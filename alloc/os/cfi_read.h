// cfi_read.h: the tables that cfi.c walks by: what .eh_frame says of an address.
#ifndef MOUND_OS_CFI_READ_H
#define MOUND_OS_CFI_READ_H

#include "os/cfi.h"

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

// cfi_checksum sums the table that begins at a distance from the start of the
// object; false if none can begin there.
bool cfi_checksum(const struct loaded *object, uint64_t distance,
                  uint32_t *ret_sum);

// cfi_evaluate evaluates an expression, on *cfa unless that is NULL.
bool cfi_evaluate(const struct loaded *object, int32_t distance,
                  const struct cfi_registers *r, struct stack_view *view,
                  const uintptr_t *cfa, uintptr_t *ret_value);

#endif // MOUND_OS_CFI_READ_H
