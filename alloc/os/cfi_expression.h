// cfi_expression.h: evaluates DWARF expressions, programs for a stack machine.
#ifndef MOUND_OS_CFI_EXPRESSION_H
#define MOUND_OS_CFI_EXPRESSION_H

#include "os/cfi_registers.h"
#include "os/loaded.h"
#include "os/stack.h"

// cfi_evaluate evaluates the expression at a distance from the start of the
// object. *cfa, unless cfa is NULL, is on the stack at the beginning. It
// returns false if it cannot evaluate it.
bool cfi_evaluate(const struct loaded *object, int32_t distance,
                  const struct cfi_registers *r, struct stack_view *view,
                  const uintptr_t *cfa, uintptr_t *ret_value);

#endif // MOUND_OS_CFI_EXPRESSION_H
