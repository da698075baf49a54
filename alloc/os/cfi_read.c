// cfi_read.c: see cfi_read.h.
#include "os/cfi_read.h"

#include <string.h>

#include "os/cfi_entry.h"

enum {
    ROWS_REMEMBERED = 3, // by DW_CFA_remember_state; compilers nest one or two
};

enum {
    CFA_ADVANCE = 0x40, // in the high two bits of the first byte
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_LOW = 0x3f,
    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE_1 = 0x02,
    CFA_ADVANCE_2 = 0x03,
    CFA_ADVANCE_4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

// struct machine executes the instructions of a CIE and of a function.
struct machine {
    const struct loaded *object;
    const struct cfi_cie *cie;
    uintptr_t pc;  // the address to find the row for
    uintptr_t loc; // the first address of the current row
    struct cfi_bytes r;
    struct cfi_row *row;
    struct cfi_row initial;
    struct cfi_row remembered[ROWS_REMEMBERED];
    unsigned nremembered;
};

static void set(struct machine *m, uint64_t reg, uint8_t rule, int64_t arg) {
    if (arg < INT32_MIN || arg > INT32_MAX) {
        m->r.bad = true;
    } else if (reg < CFI_REGISTERS) { // higher numbers are vector registers
        m->row->rule[reg] = rule;
        m->row->arg[reg] = (int32_t)arg;
    }
}

static void set_cfa_offset(struct machine *m, int64_t offset) {
    if (offset < INT32_MIN || offset > INT32_MAX)
        m->r.bad = true;
    m->row->cfa_arg = (int32_t)offset;
    m->row->cfa_expression = false;
}

static void set_cfa_register(struct machine *m, uint64_t reg) {
    if (reg >= CFI_REGISTERS)
        m->r.bad = true;
    m->row->cfa_register = (uint8_t)reg;
    m->row->cfa_expression = false;
}

// expression skips an expression and returns its distance from the object.
static int64_t expression(struct machine *m) {
    int64_t distance = (int64_t)((uintptr_t)m->r.p - m->object->start);
    cfi_bytes_skip(&m->r, cfi_bytes_uleb(&m->r));
    return distance;
}

static int64_t factored(struct machine *m, int64_t n) {
    int64_t product;
    if (__builtin_mul_overflow(n, m->cie->data_align, &product))
        m->r.bad = true;
    return product;
}

static int64_t factored_uleb(struct machine *m) {
    return factored(m, (int64_t)cfi_bytes_uleb(&m->r));
}

static int64_t factored_sleb(struct machine *m) {
    return factored(m, cfi_bytes_sleb(&m->r));
}

static void restore_rule(struct machine *m, uint64_t reg) {
    if (reg < CFI_REGISTERS)
        set(m, reg, m->initial.rule[reg], m->initial.arg[reg]);
}

static void execute_other(struct machine *m, uint8_t op) {
    struct cfi_bytes *r = &m->r;
    uint64_t reg;
    switch (op) {
    case CFA_NOP:
        break;
    case CFA_SET_LOC:
        m->loc = cfi_bytes_pointer(r, m->cie->encoding);
        break;
    case CFA_ADVANCE_1:
        m->loc += cfi_bytes_read(r, 1) * m->cie->code_align;
        break;
    case CFA_ADVANCE_2:
        m->loc += cfi_bytes_read(r, 2) * m->cie->code_align;
        break;
    case CFA_ADVANCE_4:
        m->loc += cfi_bytes_read(r, 4) * m->cie->code_align;
        break;
    case CFA_OFFSET_EXTENDED:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_AT_CFA, factored_uleb(m));
        break;
    case CFA_OFFSET_EXTENDED_SF:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_AT_CFA, factored_sleb(m));
        break;
    case CFA_GNU_NEGATIVE_OFFSET:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_AT_CFA, -factored_uleb(m));
        break;
    case CFA_VAL_OFFSET:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_IS_CFA, factored_uleb(m));
        break;
    case CFA_VAL_OFFSET_SF:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_IS_CFA, factored_sleb(m));
        break;
    case CFA_RESTORE_EXTENDED:
        restore_rule(m, cfi_bytes_uleb(r));
        break;
    case CFA_UNDEFINED:
        set(m, cfi_bytes_uleb(r), CFI_UNDEFINED, 0);
        break;
    case CFA_SAME_VALUE:
        set(m, cfi_bytes_uleb(r), CFI_SAME_VALUE, 0);
        break;
    case CFA_REGISTER:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_REGISTER, (int64_t)(cfi_bytes_uleb(r) & INT32_MAX));
        break;
    case CFA_EXPRESSION:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_AT_EXPRESSION, expression(m));
        break;
    case CFA_VAL_EXPRESSION:
        reg = cfi_bytes_uleb(r);
        set(m, reg, CFI_IS_EXPRESSION, expression(m));
        break;
    case CFA_REMEMBER_STATE:
        if (m->nremembered == ROWS_REMEMBERED)
            r->bad = true;
        else
            m->remembered[m->nremembered++] = *m->row;
        break;
    case CFA_RESTORE_STATE:
        if (m->nremembered == 0)
            r->bad = true;
        else
            *m->row = m->remembered[--m->nremembered];
        break;
    case CFA_DEF_CFA:
        set_cfa_register(m, cfi_bytes_uleb(r));
        set_cfa_offset(m, (int64_t)cfi_bytes_uleb(r));
        break;
    case CFA_DEF_CFA_SF:
        set_cfa_register(m, cfi_bytes_uleb(r));
        set_cfa_offset(m, factored_sleb(m));
        break;
    case CFA_DEF_CFA_REGISTER:
        set_cfa_register(m, cfi_bytes_uleb(r));
        break;
    case CFA_DEF_CFA_OFFSET:
        set_cfa_offset(m, (int64_t)cfi_bytes_uleb(r));
        break;
    case CFA_DEF_CFA_OFFSET_SF:
        set_cfa_offset(m, factored_sleb(m));
        break;
    case CFA_DEF_CFA_EXPRESSION: {
        int64_t distance = expression(m);
        set_cfa_offset(m, distance);
        m->row->cfa_expression = true;
        break;
    }
    case CFA_GNU_ARGS_SIZE:
        cfi_bytes_uleb(r);
        break;
    default:
        r->bad = true;
        break;
    }
}

// execute stops at the end of the instructions, or at the first row after pc.
static bool execute(struct machine *m, struct cfi_bytes instructions) {
    m->r = instructions;
    while (m->r.p < m->r.end && !m->r.bad && m->loc <= m->pc) {
        uint8_t op = (uint8_t)cfi_bytes_read(&m->r, 1);
        uint8_t low = op & CFA_LOW;
        switch (op & ~CFA_LOW) {
        case CFA_ADVANCE:
            m->loc += low * m->cie->code_align;
            break;
        case CFA_OFFSET:
            set(m, low, CFI_AT_CFA, factored_uleb(m));
            break;
        case CFA_RESTORE:
            restore_rule(m, low);
            break;
        default:
            execute_other(m, op);
            break;
        }
    }
    return !m->r.bad;
}

bool cfi_find(const struct loaded *object, uintptr_t pc,
              struct cfi_row *ret_row, uintptr_t *ret_table) {
    enum { FORMAT_OF_SIZE = CFI_PE_FORMAT };
    struct cfi_bytes fde;
    struct cfi_cie cie;
    uintptr_t table = cfi_entry_find(object, pc);
    if (table == 0 || !cfi_entry_read(object, table, &fde) ||
        !cfi_entry_read_cie(object, cfi_entry_cie_of(&fde), &cie))
        return false;
    uintptr_t start = cfi_bytes_pointer(&fde, cie.encoding);
    uintptr_t nbytes = cfi_bytes_pointer(&fde, cie.encoding & FORMAT_OF_SIZE);
    if (cie.augmented)
        cfi_bytes_skip(&fde, cfi_bytes_uleb(&fde));
    if (fde.bad || pc < start || pc - start >= nbytes)
        return false;
    struct machine m;
    m.object = object;
    m.cie = &cie;
    m.pc = pc;
    m.loc = start;
    m.row = ret_row;
    m.nremembered = 0;
    memset(ret_row, 0, sizeof *ret_row);
    memset(&m.initial, 0, sizeof m.initial);
    if (!execute(&m, cie.instructions))
        return false;
    m.initial = *ret_row;
    if (!execute(&m, fde))
        return false;
    ret_row->signal = cie.signal;
    *ret_table = table;
    return true;
}
