// cfi.c: see cfi.h. The formats: DWARF 4, section 6.4, and the Linux Standard
// Base on .eh_frame and .eh_frame_hdr; register numbers: the System V ABI for
// x86-64.
//
// There are two ways to step over a frame. Nearly all frames are plain: the
// caller's stack pointer is rsp or rbp plus a constant, the return address is
// the word below it, and rbp is saved at a constant distance or unchanged;
// outermost frames count as plain too. The table of known frames holds plain
// frames by address, each with a checksum of the unwind table that it was read
// from. For objects that can be unloaded the checksum is compared at each use,
// because another library may be loaded at the same address. For all other
// frames (signals, realigned stacks, assembler) the unwind tables are read each
// time, with all registers.
#include "os/cfi.h"

#include <stdatomic.h>
#include <string.h>

#include "os/cfi_entry.h"
#include "os/cfi_expression.h"
#include "os/cfi_read.h"
#include "os/loaded.h"

enum {
    WORD_BYTES = STACK_WORD_BYTES,
    FRAME_BYTES_MAX = 1 << 20, // largest distance between two frame pointers
    KNOWN_ENTRIES = 1 << 12,
    SHORT_MAX = INT16_MAX,
};

#define BIT(reg) ((uint32_t)1 << (reg))

// The registers that a function preserves for its caller.
static const uint32_t KEPT = BIT(CFI_RBX) | BIT(CFI_RBP) | BIT(CFI_R12) |
                             BIT(CFI_R12 + 1) | BIT(CFI_R12 + 2) |
                             BIT(CFI_R12 + 3);
// The registers that a quick walk keeps.
static const uint32_t QUICK = BIT(CFI_RBP) | BIT(CFI_RSP) | BIT(CFI_RIP);

// Known frames.

// struct plain is a frame of the common kind.
struct plain {
    int32_t cfa_offset;
    int16_t rbp_offset; // from the CFA; 0: rbp is unchanged
    bool cfa_by_rbp;
    bool outermost; // it has no caller
};

// struct entry: written and read word by word, without a lock. The three words
// are of one entry if pc_mixed ^ plain ^ source is the pc looked for.
struct entry {
    _Atomic uint64_t pc_mixed; // pc ^ plain ^ source
    _Atomic uint64_t plain;
    _Atomic uint64_t source; // distance from the object, checksum
};

static struct entry entries[KNOWN_ENTRIES];

static struct entry *entry_of(uintptr_t pc) {
    return &entries[pc * 0x9e3779b97f4a7c15u >> 52];
}
_Static_assert(KNOWN_ENTRIES == 1 << (64 - 52), "what the shift leaves");

static bool known_find(const struct loaded *object, uintptr_t pc,
                       struct plain *ret_plain) {
    const struct entry *e = entry_of(pc);
    // relaxed: the xor detects words of different entries
    uint64_t mixed = atomic_load_explicit(&e->pc_mixed, memory_order_relaxed);
    uint64_t plain = atomic_load_explicit(&e->plain, memory_order_relaxed);
    uint64_t source = atomic_load_explicit(&e->source, memory_order_relaxed);
    if ((mixed ^ plain ^ source) != pc || source == 0)
        return false;
    uint32_t sum;
    if (!object->stays &&
        (!cfi_checksum(object, source >> 32, &sum) || sum != (uint32_t)source))
        return false;
    memcpy(ret_plain, &plain, sizeof *ret_plain);
    return true;
}

static void known_add(const struct loaded *object, uintptr_t pc,
                      uintptr_t table, const struct plain *p) {
    struct entry *e = entry_of(pc);
    uint64_t plain;
    uint32_t sum;
    if (table - object->start > UINT32_MAX ||
        !cfi_checksum(object, table - object->start, &sum))
        return;
    memcpy(&plain, p, sizeof plain);
    uint64_t source = (table - object->start) << 32 | sum;
    atomic_store_explicit(&e->pc_mixed, pc ^ plain ^ source,
                          memory_order_relaxed);
    atomic_store_explicit(&e->plain, plain, memory_order_relaxed);
    atomic_store_explicit(&e->source, source, memory_order_relaxed);
}
_Static_assert(sizeof(struct plain) == sizeof(uint64_t), "is kept as a word");

static bool as_plain(const struct cfi_row *row, struct plain *ret_plain) {
    struct plain p = {.cfa_offset = row->cfa_arg};
    uint8_t rbp = row->rule[CFI_RBP];
    p.cfa_by_rbp = row->cfa_register == CFI_RBP;
    p.outermost = row->rule[CFI_RIP] == CFI_UNDEFINED;
    if (p.outermost) {
        *ret_plain = p;
        return true;
    }
    if (row->signal || row->cfa_expression ||
        (!p.cfa_by_rbp && row->cfa_register != CFI_RSP) ||
        row->rule[CFI_RIP] != CFI_AT_CFA || row->arg[CFI_RIP] != -WORD_BYTES ||
        row->rule[CFI_RSP] != CFI_SAME_VALUE)
        return false;
    if (rbp == CFI_AT_CFA) {
        if (row->arg[CFI_RBP] == 0 || row->arg[CFI_RBP] < -SHORT_MAX ||
            row->arg[CFI_RBP] > SHORT_MAX)
            return false;
        p.rbp_offset = (int16_t)row->arg[CFI_RBP];
    } else if (rbp != CFI_SAME_VALUE) {
        return false;
    }
    *ret_plain = p;
    return true;
}

// Steps. A step that fails leaves r unchanged.

enum step {
    STEP_DONE,
    STEP_END,     // outermost frame, or no way further
    STEP_UNKNOWN, // needs a register that the quick walk did not keep
};

static enum step step_plain(struct cfi_walk *w, const struct plain *p) {
    struct cfi_registers *r = &w->r;
    uintptr_t cfa = r->value[p->cfa_by_rbp ? CFI_RBP : CFI_RSP] +
                    (uintptr_t)(intptr_t)p->cfa_offset;
    uintptr_t rbp = r->value[CFI_RBP];
    uintptr_t rip;
    if (p->outermost || cfa <= r->value[CFI_RSP] ||
        !stack_read(&w->view, cfa - WORD_BYTES, &rip) ||
        (p->rbp_offset != 0 &&
         !stack_read(&w->view, cfa + (uintptr_t)(intptr_t)p->rbp_offset, &rbp)))
        return STEP_END;
    r->value[CFI_RSP] = cfa;
    r->value[CFI_RBP] = rbp;
    r->value[CFI_RIP] = rip;
    r->known &= QUICK;
    w->exact = false;
    return STEP_DONE;
}

// step_pointer follows rbp through code that has no tables.
static enum step step_pointer(struct cfi_walk *w) {
    struct cfi_registers *r = &w->r;
    uintptr_t fp = r->value[CFI_RBP];
    uintptr_t rbp;
    uintptr_t rip;
    if (!(r->known & BIT(CFI_RBP)) || fp < r->value[CFI_RSP] ||
        fp - r->value[CFI_RSP] > FRAME_BYTES_MAX ||
        !stack_read(&w->view, fp, &rbp) ||
        !stack_read(&w->view, fp + WORD_BYTES, &rip))
        return STEP_END;
    r->value[CFI_RSP] = fp + 2 * WORD_BYTES;
    r->value[CFI_RBP] = rbp;
    r->value[CFI_RIP] = rip;
    r->known &= KEPT | QUICK;
    w->exact = false;
    return STEP_DONE;
}

// restore computes one register of the caller; false if it cannot.
static bool restore(struct cfi_walk *w, const struct cfi_row *row, unsigned reg,
                    uintptr_t cfa, struct cfi_registers *to) {
    const struct cfi_registers *r = &w->r;
    uintptr_t value = 0;
    uintptr_t at = cfa + (uintptr_t)(intptr_t)row->arg[reg];
    bool ok = true;
    switch (row->rule[reg]) {
    case CFI_SAME_VALUE:
        return true;
    case CFI_UNDEFINED:
        ok = false;
        break;
    case CFI_AT_CFA:
        ok = stack_read(&w->view, at, &value);
        break;
    case CFI_IS_CFA:
        value = at;
        break;
    case CFI_REGISTER:
        ok = row->arg[reg] < CFI_REGISTERS && r->known & BIT(row->arg[reg]);
        value = ok ? r->value[row->arg[reg]] : 0;
        break;
    default:
        ok = cfi_evaluate(&w->object, row->arg[reg], r, &w->view, &cfa, &value);
        if (ok && row->rule[reg] == CFI_AT_EXPRESSION)
            ok = stack_read(&w->view, value, &value);
        break;
    }
    to->value[reg] = value;
    to->known = ok ? to->known | BIT(reg) : to->known & ~BIT(reg);
    return ok;
}

// step_row steps over a frame with all registers.
static NOINLINE enum step step_row(struct cfi_walk *w,
                                   const struct cfi_row *row) {
    struct cfi_registers to = w->r;
    uintptr_t cfa;
    if (row->rule[CFI_RIP] == CFI_UNDEFINED)
        return STEP_END;
    if (row->cfa_expression) {
        if (!cfi_evaluate(&w->object, row->cfa_arg, &w->r, &w->view, NULL,
                          &cfa))
            return w->quick ? STEP_UNKNOWN : STEP_END;
    } else {
        if (!(w->r.known & BIT(row->cfa_register)))
            return w->quick ? STEP_UNKNOWN : STEP_END;
        cfa = w->r.value[row->cfa_register] + (uintptr_t)(intptr_t)row->cfa_arg;
    }
    if (!row->signal) { // a signal frame restores all of them
        to.known &= KEPT | QUICK;
        if (cfa <= w->r.value[CFI_RSP])
            return STEP_END;
    }
    to.value[CFI_RSP] = cfa;
    for (unsigned reg = 0; reg < CFI_REGISTERS; reg++)
        if (!restore(w, row, reg, cfa, &to) &&
            (reg == CFI_RIP || reg == CFI_RSP))
            return STEP_END;
    if (row->rule[CFI_RIP] == CFI_SAME_VALUE)
        return STEP_END; // a frame would be its own caller
    w->r = to;
    w->exact = row->signal;
    return STEP_DONE;
}

static NOINLINE enum step step_by_table(struct cfi_walk *w, uintptr_t pc) {
    struct cfi_row row;
    struct plain p;
    uintptr_t table;
    if (!cfi_find(&w->object, pc, &row, &table))
        return step_pointer(w);
    if (as_plain(&row, &p))
        known_add(&w->object, pc, table, &p);
    return step_row(w, &row);
}

static enum step step(struct cfi_walk *w) {
    uintptr_t pc = w->r.value[CFI_RIP] - !w->exact;
    struct plain p;
    if ((pc < w->object.start || pc >= w->object.end) &&
        !loaded_find(pc, &w->object)) {
        w->object.start = w->object.end = 0;
        return step_pointer(w);
    }
    if (w->quick && (w->r.known & QUICK) == QUICK &&
        known_find(&w->object, pc, &p))
        return step_plain(w, &p);
    return step_by_table(w, pc);
}

static bool looks_like_code(uintptr_t pc) {
    return pc >= 1 << 16 && pc < (uintptr_t)1 << 47;
}

static enum step walk(struct cfi_walk *w, struct stack_skip skip,
                      uintptr_t *ret_pcs, unsigned max, unsigned *ret_n) {
    enum step last = STEP_DONE;
    unsigned n = 0;
    while (n < max && skip.nskipped < STACK_SKIPPED_MAX &&
           (last = step(w)) == STEP_DONE &&
           looks_like_code(w->r.value[CFI_RIP]))
        if (!stack_skips(&skip, w->r.value[CFI_RIP]))
            ret_pcs[n++] = w->r.value[CFI_RIP];
    *ret_n = n;
    return last;
}

unsigned cfi_walk(struct cfi_walk *w, const struct stack_skip *skip,
                  uintptr_t *ret_pcs, unsigned max, bool *ret_lost) {
    unsigned n;
    w->object.start = w->object.end = 0;
    w->exact = true;
    *ret_lost = walk(w, *skip, ret_pcs, max, &n) == STEP_UNKNOWN;
    return n;
}
