// cfi_expression.c: see cfi_expression.h.
#include "os/cfi_expression.h"

#include "os/cfi_bytes.h"

enum {
    VALUES_MAX = 16, // on the stack of an expression
    OPERATIONS_MAX = 256,
};

enum {
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_CONST1S = 0x09,
    OP_CONST2U = 0x0a,
    OP_CONST2S = 0x0b,
    OP_CONST4U = 0x0c,
    OP_CONST4S = 0x0d,
    OP_CONST8U = 0x0e,
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_MINUS = 0x1c,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_BREGX = 0x92,
    OP_NOP = 0x96,
};

// struct calculator: r.bad is set by any operation that fails.
struct calculator {
    struct cfi_bytes r;
    const uint8_t *start;
    const struct cfi_registers *registers;
    struct stack_view *view;
    unsigned n;
    uintptr_t values[VALUES_MAX];
};

static void push(struct calculator *c, uintptr_t value) {
    if (c->n == VALUES_MAX)
        c->r.bad = true;
    else
        c->values[c->n++] = value;
}

static uintptr_t pop(struct calculator *c) {
    if (c->n == 0) {
        c->r.bad = true;
        return 0;
    }
    return c->values[--c->n];
}

static void push_register(struct calculator *c, uint64_t reg) {
    int64_t offset = cfi_bytes_sleb(&c->r);
    if (reg >= CFI_REGISTERS || !(c->registers->known & (uint32_t)1 << reg))
        c->r.bad = true;
    else
        push(c, c->registers->value[reg] + (uintptr_t)offset);
}

static void pick(struct calculator *c, uint64_t depth) {
    if (depth >= c->n)
        c->r.bad = true;
    else
        push(c, c->values[c->n - 1 - depth]);
}

static void deref(struct calculator *c) {
    uintptr_t value = 0;
    if (!stack_read(c->view, pop(c), &value))
        c->r.bad = true;
    push(c, value);
}

static void jump(struct calculator *c, bool taken) {
    int64_t distance = cfi_bytes_signed(&c->r, 2);
    if (!taken)
        return;
    if (distance < c->start - c->r.p || distance > c->r.end - c->r.p)
        c->r.bad = true;
    else
        c->r.p += distance;
}

static uintptr_t shifted(uint8_t op, uintptr_t a, uintptr_t by) {
    if (by >= 64)
        return op == OP_SHRA && (intptr_t)a < 0 ? ~(uintptr_t)0 : 0;
    return op == OP_SHL   ? a << by
           : op == OP_SHR ? a >> by
                          : (uintptr_t)((intptr_t)a >> by);
}

static void combine(struct calculator *c, uint8_t op) {
    uintptr_t b = pop(c);
    uintptr_t a = pop(c);
    intptr_t sb = (intptr_t)b;
    intptr_t sa = (intptr_t)a;
    switch (op) {
    case OP_AND:
        return push(c, a & b);
    case OP_OR:
        return push(c, a | b);
    case OP_XOR:
        return push(c, a ^ b);
    case OP_PLUS:
        return push(c, a + b);
    case OP_MINUS:
        return push(c, a - b);
    case OP_MUL:
        return push(c, a * b);
    case OP_SHL:
    case OP_SHR:
    case OP_SHRA:
        return push(c, shifted(op, a, b));
    case OP_EQ:
        return push(c, a == b);
    case OP_NE:
        return push(c, a != b);
    case OP_GE:
        return push(c, sa >= sb);
    case OP_GT:
        return push(c, sa > sb);
    case OP_LE:
        return push(c, sa <= sb);
    case OP_LT:
        return push(c, sa < sb);
    default:
        c->r.bad =
            true; // divisions too: no compiler emits them in unwind tables
    }
}

static void rearrange(struct calculator *c, uint8_t op) {
    uintptr_t first = pop(c);
    uintptr_t second = pop(c);
    uintptr_t third = op == OP_ROT ? pop(c) : 0;
    push(c, first);
    if (op == OP_ROT)
        push(c, third);
    push(c, second);
}

static void calculate(struct calculator *c) {
    struct cfi_bytes *r = &c->r;
    uint8_t op = (uint8_t)cfi_bytes_read(r, 1);
    if (op >= OP_LIT0 && op <= OP_LIT31)
        return push(c, op - OP_LIT0);
    if (op >= OP_BREG0 && op <= OP_BREG31)
        return push_register(c, op - OP_BREG0);
    switch (op) {
    case OP_NOP:
        return;
    case OP_ADDR:
    case OP_CONST8U:
    case OP_CONST8S:
        return push(c, cfi_bytes_read(r, 8));
    case OP_CONST1U:
        return push(c, cfi_bytes_read(r, 1));
    case OP_CONST1S:
        return push(c, (uintptr_t)cfi_bytes_signed(r, 1));
    case OP_CONST2U:
        return push(c, cfi_bytes_read(r, 2));
    case OP_CONST2S:
        return push(c, (uintptr_t)cfi_bytes_signed(r, 2));
    case OP_CONST4U:
        return push(c, cfi_bytes_read(r, 4));
    case OP_CONST4S:
        return push(c, (uintptr_t)cfi_bytes_signed(r, 4));
    case OP_CONSTU:
        return push(c, cfi_bytes_uleb(r));
    case OP_CONSTS:
        return push(c, (uintptr_t)cfi_bytes_sleb(r));
    case OP_DUP:
        return pick(c, 0);
    case OP_OVER:
        return pick(c, 1);
    case OP_PICK:
        return pick(c, cfi_bytes_read(r, 1));
    case OP_DROP:
        pop(c);
        return;
    case OP_SWAP:
    case OP_ROT:
        return rearrange(c, op);
    case OP_DEREF:
        return deref(c);
    case OP_NEG:
        return push(c, 0 - pop(c));
    case OP_NOT:
        return push(c, ~pop(c));
    case OP_PLUS_UCONST:
        return push(c, pop(c) + cfi_bytes_uleb(r));
    case OP_BREGX:
        return push_register(c, cfi_bytes_uleb(r));
    case OP_SKIP:
        return jump(c, true);
    case OP_BRA:
        return jump(c, pop(c) != 0);
    default:
        return combine(c, op);
    }
}

bool cfi_evaluate(const struct loaded *object, int32_t distance,
                  const struct cfi_registers *r, struct stack_view *view,
                  const uintptr_t *cfa, uintptr_t *ret_value) {
    struct calculator c = {.registers = r, .view = view};
    c.r = cfi_bytes_at(object, object->start + (uintptr_t)(intptr_t)distance);
    uint64_t nbytes = cfi_bytes_uleb(&c.r);
    if (c.r.bad || nbytes > (size_t)(c.r.end - c.r.p))
        return false;
    c.start = c.r.p;
    c.r.end = c.r.p + nbytes;
    if (cfa != NULL)
        push(&c, *cfa);
    for (int i = 0; i < OPERATIONS_MAX && c.r.p < c.r.end && !c.r.bad; i++)
        calculate(&c);
    uintptr_t value = pop(&c);
    if (c.r.bad || c.r.p < c.r.end)
        return false;
    *ret_value = value;
    return true;
}
