// cfi_read.c: see cfi_read.h. Nothing is read outside of the object, whatever its
// tables say.
#include "os/cfi_read.h"

#include <string.h>

enum {
    WORD_BYTES = STACK_WORD_BYTES,
    ROWS_REMEMBERED = 3, // by DW_CFA_remember_state; compilers nest one or two
    VALUES_MAX = 16,     // on the stack of an expression
    OPERATIONS_MAX = 256,
    LENGTH_64 = 0xfffffff0, // and above: an entry of 64-bit DWARF, or none
};

// Encodings of pointers: a format, and what is added.
enum {
    PE_FORMAT = 0x0f,
    PE_ABSOLUTE = 0x00,
    PE_ULEB = 0x01,
    PE_U2 = 0x02,
    PE_U4 = 0x03,
    PE_U8 = 0x04,
    PE_SLEB = 0x09,
    PE_S2 = 0x0a,
    PE_S4 = 0x0b,
    PE_S8 = 0x0c,
    PE_ADDED = 0x70,
    PE_PC_RELATIVE = 0x10,
    PE_INDIRECT = 0x80,
    PE_OMITTED = 0xff,
    PE_TABLE = 0x3b, // signed 4 bytes relative to .eh_frame_hdr
};

// struct reader goes through bytes. What is read behind the end is 0, and bad.
struct reader {
    const uint8_t *p;
    const uint8_t *end;
    bool bad;
};

static struct reader reader_at(const struct loaded *object, uintptr_t addr) {
    struct reader r = {NULL, NULL, true};
    if (addr >= object->start && addr < object->end)
        r = (struct reader){(const uint8_t *)addr, (const uint8_t *)object->end,
                            false};
    return r;
}

static uint64_t read_bytes(struct reader *r, unsigned n) {
    uint64_t value = 0;
    if ((size_t)(r->end - r->p) < n) {
        r->bad = true;
        r->p = r->end;
        return 0;
    }
    memcpy(&value, r->p, n); // little-endian, as all that this is built for
    r->p += n;
    return value;
}

static int64_t read_signed(struct reader *r, unsigned n) {
    unsigned shift = 64 - 8 * n;
    return (int64_t)(read_bytes(r, n) << shift) >> shift;
}

static uint64_t read_leb(struct reader *r, bool is_signed) {
    uint64_t value = 0;
    unsigned shift = 0;
    uint64_t byte;
    do {
        byte = read_bytes(r, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (is_signed && shift < 64 && byte & 0x40)
        value |= ~(uint64_t)0 << shift;
    return value;
}

static uint64_t read_uleb(struct reader *r) {
    return read_leb(r, false);
}

static int64_t read_sleb(struct reader *r) {
    return (int64_t)read_leb(r, true);
}

static void skip(struct reader *r, uint64_t n) {
    if (n > (size_t)(r->end - r->p)) {
        r->bad = true;
        n = (size_t)(r->end - r->p);
    }
    r->p += n;
}

static uintptr_t read_pointer(struct reader *r, uint8_t encoding) {
    uintptr_t here = (uintptr_t)r->p;
    uintptr_t value = 0;
    switch (encoding & PE_FORMAT) {
    case PE_ABSOLUTE:
    case PE_U8:
    case PE_S8:
        value = read_bytes(r, 8);
        break;
    case PE_ULEB:
        value = read_uleb(r);
        break;
    case PE_SLEB:
        value = (uintptr_t)read_sleb(r);
        break;
    case PE_U2:
        value = read_bytes(r, 2);
        break;
    case PE_S2:
        value = (uintptr_t)read_signed(r, 2);
        break;
    case PE_U4:
        value = read_bytes(r, 4);
        break;
    case PE_S4:
        value = (uintptr_t)read_signed(r, 4);
        break;
    default:
        r->bad = true;
        break;
    }
    if ((encoding & PE_ADDED) == PE_PC_RELATIVE)
        value += here;
    else if ((encoding & PE_ADDED) != 0)
        r->bad = true;
    return value;
}

// Entries.

// read_entry reads the length of the entry at addr and gives its bytes.
static bool read_entry(const struct loaded *object, uintptr_t addr,
                       struct reader *ret_entry) {
    struct reader r = reader_at(object, addr);
    uint64_t length = read_bytes(&r, 4);
    if (r.bad || length < 4 || length >= LENGTH_64 ||
        length > (size_t)(r.end - r.p))
        return false;
    r.end = r.p + length;
    *ret_entry = r;
    return true;
}

// struct cie is what many functions have in common.
struct cie {
    struct reader instructions;
    uint64_t code_align;
    int64_t data_align;
    uint8_t encoding; // of addresses
    bool augmented;
    bool signal;
};

// read_augmentation reads the letters of which the first is z.
static bool read_augmentation(struct reader *r, const char *letters,
                              struct cie *cie) {
    uint64_t nbytes = read_uleb(r);
    struct reader data = *r;
    skip(r, nbytes);
    if (r->bad)
        return false;
    data.end = r->p;
    for (; *letters != '\0'; letters++) {
        if (*letters == 'R') {
            cie->encoding = (uint8_t)read_bytes(&data, 1);
        } else if (*letters == 'P') {
            uint8_t encoding = (uint8_t)read_bytes(&data, 1);
            // An aligned one would be.
            read_pointer(&data, encoding & (uint8_t) ~(PE_INDIRECT | PE_ADDED));
        } else if (*letters == 'L') {
            read_bytes(&data, 1);
        } else if (*letters == 'S') {
            cie->signal = true;
        } else if (*letters != 'B') {
            break; // of what comes behind it the length is not known
        }
    }
    return !data.bad;
}

static bool read_cie(const struct loaded *object, uintptr_t addr,
                     struct cie *ret_cie) {
    struct cie cie = {.encoding = PE_ABSOLUTE};
    struct reader r;
    if (!read_entry(object, addr, &r) || read_bytes(&r, 4) != 0)
        return false;
    uint64_t version = read_bytes(&r, 1);
    if (version != 1 && version != 3)
        return false;
    const char *letters = (const char *)r.p;
    while (read_bytes(&r, 1) != 0) {
    }
    cie.code_align = read_uleb(&r);
    cie.data_align = read_sleb(&r);
    uint64_t return_register = version == 1 ? read_bytes(&r, 1) : read_uleb(&r);
    if (r.bad || return_register != CFI_RIP)
        return false;
    if (*letters == 'z') {
        cie.augmented = true;
        if (!read_augmentation(&r, letters + 1, &cie))
            return false;
    } else if (*letters != '\0') {
        return false;
    }
    cie.instructions = r;
    *ret_cie = cie;
    return !r.bad;
}

// find_entry looks in .eh_frame_hdr for the last function that begins at or before
// pc, and returns where its entry is, or 0.
static uintptr_t find_entry(const struct loaded *object, uintptr_t pc) {
    enum { VERSION = 1, PAIR_BYTES = 8 };
    uintptr_t hdr = object->eh_frame_hdr;
    struct reader r = reader_at(object, hdr);
    uint64_t version = read_bytes(&r, 1);
    uint8_t frame_encoding = (uint8_t)read_bytes(&r, 1);
    uint8_t count_encoding = (uint8_t)read_bytes(&r, 1);
    uint8_t table_encoding = (uint8_t)read_bytes(&r, 1);
    if (r.bad || version != VERSION || count_encoding == PE_OMITTED ||
        table_encoding != PE_TABLE)
        return 0;
    read_pointer(&r, frame_encoding);
    uint64_t n = read_pointer(&r, count_encoding);
    if (r.bad || n > (size_t)(r.end - r.p) / PAIR_BYTES)
        return 0;
    const uint8_t *pairs = r.p;
    uint64_t low = 0; // the first pair above pc is in [low, high]
    uint64_t high = n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int32_t start;
        memcpy(&start, pairs + middle * PAIR_BYTES, sizeof start);
        if (hdr + (uintptr_t)(intptr_t)start <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    int32_t entry;
    memcpy(&entry, pairs + (low - 1) * PAIR_BYTES + 4, sizeof entry);
    return hdr + (uintptr_t)(intptr_t)entry;
}

// cie_of returns where the entry of a function says that its CIE is. r stands
// behind its length.
static uintptr_t cie_of(struct reader *r) {
    uintptr_t here = (uintptr_t)r->p;
    uint64_t distance = read_bytes(r, 4);
    return r->bad || distance == 0 ? 0 : here - distance;
}

// sum_entry adds bytes to a sum: another sum for other bytes, but for chance.
static uint64_t sum_entry(const struct reader *r, uint64_t sum) {
    static const uint64_t odd = 0x9e3779b97f4a7c15u;
    const uint8_t *p = r->p;
    size_t left = (size_t)(r->end - p);
    uint64_t word;
    for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        sum = (sum ^ word) * odd;
    }
    for (; left > 0; left--, p++)
        sum = (sum ^ *p) * odd;
    return sum;
}

bool cfi_checksum(const struct loaded *object, uint64_t distance,
                  uint32_t *ret_sum) {
    struct reader fde;
    struct reader cie;
    if (!read_entry(object, object->start + distance, &fde))
        return false;
    struct reader r = fde;
    if (!read_entry(object, cie_of(&r), &cie))
        return false;
    uint64_t sum = sum_entry(&cie, sum_entry(&fde, object->start));
    *ret_sum = (uint32_t)sum ^ (uint32_t)(sum >> 32);
    return true;
}

// Instructions.

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
    const struct cie *cie;
    uintptr_t pc;  // of interest
    uintptr_t loc; // that the row holds from
    struct reader r;
    struct cfi_row *row;
    struct cfi_row initial;
    struct cfi_row remembered[ROWS_REMEMBERED];
    unsigned nremembered;
};

static void set(struct machine *m, uint64_t reg, uint8_t rule, int64_t arg) {
    if (arg < INT32_MIN || arg > INT32_MAX) {
        m->r.bad = true;
    } else if (reg < CFI_REGISTERS) { // there are more, of vectors
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

// expression passes over one and returns its distance from the object.
static int64_t expression(struct machine *m) {
    int64_t distance = (int64_t)((uintptr_t)m->r.p - m->object->start);
    skip(&m->r, read_uleb(&m->r));
    return distance;
}

static int64_t factored(struct machine *m, int64_t n) {
    int64_t product;
    if (__builtin_mul_overflow(n, m->cie->data_align, &product))
        m->r.bad = true;
    return product;
}

static int64_t factored_uleb(struct machine *m) {
    return factored(m, (int64_t)read_uleb(&m->r));
}

static int64_t factored_sleb(struct machine *m) {
    return factored(m, read_sleb(&m->r));
}

static void restore_rule(struct machine *m, uint64_t reg) {
    if (reg < CFI_REGISTERS)
        set(m, reg, m->initial.rule[reg], m->initial.arg[reg]);
}

static void execute_other(struct machine *m, uint8_t op) {
    struct reader *r = &m->r;
    uint64_t reg;
    switch (op) {
    case CFA_NOP:
        break;
    case CFA_SET_LOC:
        m->loc = read_pointer(r, m->cie->encoding);
        break;
    case CFA_ADVANCE_1:
        m->loc += read_bytes(r, 1) * m->cie->code_align;
        break;
    case CFA_ADVANCE_2:
        m->loc += read_bytes(r, 2) * m->cie->code_align;
        break;
    case CFA_ADVANCE_4:
        m->loc += read_bytes(r, 4) * m->cie->code_align;
        break;
    case CFA_OFFSET_EXTENDED:
        reg = read_uleb(r);
        set(m, reg, CFI_AT_CFA, factored_uleb(m));
        break;
    case CFA_OFFSET_EXTENDED_SF:
        reg = read_uleb(r);
        set(m, reg, CFI_AT_CFA, factored_sleb(m));
        break;
    case CFA_GNU_NEGATIVE_OFFSET:
        reg = read_uleb(r);
        set(m, reg, CFI_AT_CFA, -factored_uleb(m));
        break;
    case CFA_VAL_OFFSET:
        reg = read_uleb(r);
        set(m, reg, CFI_IS_CFA, factored_uleb(m));
        break;
    case CFA_VAL_OFFSET_SF:
        reg = read_uleb(r);
        set(m, reg, CFI_IS_CFA, factored_sleb(m));
        break;
    case CFA_RESTORE_EXTENDED:
        restore_rule(m, read_uleb(r));
        break;
    case CFA_UNDEFINED:
        set(m, read_uleb(r), CFI_UNDEFINED, 0);
        break;
    case CFA_SAME_VALUE:
        set(m, read_uleb(r), CFI_SAME_VALUE, 0);
        break;
    case CFA_REGISTER:
        reg = read_uleb(r);
        set(m, reg, CFI_REGISTER, (int64_t)(read_uleb(r) & INT32_MAX));
        break;
    case CFA_EXPRESSION:
        reg = read_uleb(r);
        set(m, reg, CFI_AT_EXPRESSION, expression(m));
        break;
    case CFA_VAL_EXPRESSION:
        reg = read_uleb(r);
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
        set_cfa_register(m, read_uleb(r));
        set_cfa_offset(m, (int64_t)read_uleb(r));
        break;
    case CFA_DEF_CFA_SF:
        set_cfa_register(m, read_uleb(r));
        set_cfa_offset(m, factored_sleb(m));
        break;
    case CFA_DEF_CFA_REGISTER:
        set_cfa_register(m, read_uleb(r));
        break;
    case CFA_DEF_CFA_OFFSET:
        set_cfa_offset(m, (int64_t)read_uleb(r));
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
        read_uleb(r);
        break;
    default:
        r->bad = true;
        break;
    }
}

// execute runs to the end of the instructions, or to the first row above pc.
static bool execute(struct machine *m, struct reader instructions) {
    m->r = instructions;
    while (m->r.p < m->r.end && !m->r.bad && m->loc <= m->pc) {
        uint8_t op = (uint8_t)read_bytes(&m->r, 1);
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
    enum { FORMAT_OF_SIZE = PE_FORMAT };
    struct reader fde;
    struct cie cie;
    uintptr_t table = find_entry(object, pc);
    if (table == 0 || !read_entry(object, table, &fde) ||
        !read_cie(object, cie_of(&fde), &cie))
        return false;
    uintptr_t start = read_pointer(&fde, cie.encoding);
    uintptr_t nbytes = read_pointer(&fde, cie.encoding & FORMAT_OF_SIZE);
    if (cie.augmented)
        skip(&fde, read_uleb(&fde));
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

// Expressions.

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

// struct calculator: bad once anything could not be done.
struct calculator {
    struct reader r;
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
    int64_t offset = read_sleb(&c->r);
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
    int64_t distance = read_signed(&c->r, 2);
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
        c->r.bad = true; // divisions, which nobody needs
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
    struct reader *r = &c->r;
    uint8_t op = (uint8_t)read_bytes(r, 1);
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
        return push(c, read_bytes(r, 8));
    case OP_CONST1U:
        return push(c, read_bytes(r, 1));
    case OP_CONST1S:
        return push(c, (uintptr_t)read_signed(r, 1));
    case OP_CONST2U:
        return push(c, read_bytes(r, 2));
    case OP_CONST2S:
        return push(c, (uintptr_t)read_signed(r, 2));
    case OP_CONST4U:
        return push(c, read_bytes(r, 4));
    case OP_CONST4S:
        return push(c, (uintptr_t)read_signed(r, 4));
    case OP_CONSTU:
        return push(c, read_uleb(r));
    case OP_CONSTS:
        return push(c, (uintptr_t)read_sleb(r));
    case OP_DUP:
        return pick(c, 0);
    case OP_OVER:
        return pick(c, 1);
    case OP_PICK:
        return pick(c, read_bytes(r, 1));
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
        return push(c, pop(c) + read_uleb(r));
    case OP_BREGX:
        return push_register(c, read_uleb(r));
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
    c.r = reader_at(object, object->start + (uintptr_t)(intptr_t)distance);
    uint64_t nbytes = read_uleb(&c.r);
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
