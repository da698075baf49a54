// report.c: see report.h.
#include "prof/report.h"

#include "base/print.h"
#include "base/stdfd.h"
#include "heap/spansearch.h"
#include "os/sys.h"
#include "os/unwind.h"
#include "prof/stacktext.h"

static AT_START _Atomic int current_action; // written once at start

COLD void report_set_action(enum report_action action) {
    atomic_store_explicit(&current_action, (int)action, memory_order_relaxed);
}

bool report_begin(void) {
    return atomic_load_explicit(&current_action, memory_order_relaxed) !=
           REPORT_IGNORE;
}

void report_end(void) {
    if (atomic_load_explicit(&current_action, memory_order_relaxed) ==
        REPORT_ABORT)
        sys_abort();
}

static void (*current_describe)(struct print *out, const void *p); // likewise

COLD void report_set_describe(void (*describe)(struct print *out,
                                               const void *p)) {
    current_describe = describe;
}

static void print_stacks(struct print *out, const void *p) {
    uintptr_t pcs[UNWIND_MAX];
    stacktext_print(out, pcs, unwind_stack(pcs, UNWIND_MAX));
    if (current_describe != NULL)
        current_describe(out, p);
}

static void print_block(struct print *out, const char *before, size_t size) {
    print_str(out, before);
    print_str(out, " a block of ");
    print_count(out, size, "byte");
}

static void print_what(struct print *out, enum misuse misuse,
                       const struct report *r) {
    switch (misuse) {
    case MISUSE_DOUBLE_FREE:
        print_str(out, "double free or never allocated");
        break;
    case MISUSE_INTERIOR:
        print_str(out, "interior pointer");
        break;
    case MISUSE_FREED_SPAN:
        print_str(out, "already freed");
        break;
    case MISUSE_SIZE:
        print_str(out, "size mismatch (given ");
        print_u64(out, r->given);
        print_str(out, ")");
        break;
    case MISUSE_OVERFLOW:
        print_str(out, "heap overflow: ");
        print_count(out, r->nbytes, "byte");
        print_block(out, " written past the end of", r->size);
        break;
    case MISUSE_UNDERFLOW:
        print_str(out, "heap underflow: ");
        print_count(out, r->nbytes, "byte");
        print_block(out, " written before the beginning of", r->size);
        break;
    case MISUSE_BROKEN:
        print_str(out, "heap overflow: written before and after a block");
        break;
    case MISUSE_WRITTEN:
        print_str(out, "use after free: byte ");
        if ((ptrdiff_t)r->given < 0)
            print_str(out, "-");
        print_u64(out, (ptrdiff_t)r->given < 0 ? 0 - r->given : r->given);
        print_block(out, " of", r->size);
        print_str(out, " was written since");
        break;
    default:
        print_str(out, "not allocated by mound");
    }
}

static void print_span(struct print *out, const struct mspan *s,
                       uintptr_t addr) {
    uintptr_t offset = addr - mspan_start(s);
    unsigned slot = 0;
    print_str(out, "(span ");
    print_hex(out, mspan_start(s));
    if (s->sizeclass == 0) {
        print_str(out, ", large of ");
        print_u64(out, (uint64_t)s->npages << PAGE_SHIFT);
    } else {
        print_str(out, ", class ");
        print_u64(out, s->sizeclass);
        print_str(out, " of ");
        print_u64(out, s->elemsize);
        slot = (unsigned)(offset / s->elemsize);
        offset -= (uintptr_t)slot * s->elemsize;
    }
    print_str(out, " bytes, slot ");
    print_u64(out, slot);
    print_str(out, ", offset ");
    print_u64(out, offset);
    print_str(out, ")\n");
}

void report_misuse(struct mheap *h, const char *call, enum misuse misuse,
                   const void *p, size_t size) {
    report_block(h, &(struct report){call, misuse, p, .given = size});
}

void report_block(struct mheap *h, const struct report *r) {
    if (!report_begin())
        return;
    enum misuse misuse = r->misuse;
    uintptr_t addr = (uintptr_t)r->p;
    struct mspan *s = mheap_span_containing(h, addr);
    // The page map has no entry for the inside of a large object: the walk finds it.
    if (s != NULL && misuse >= MISUSE_FREED_SPAN && misuse <= MISUSE_FOREIGN)
        misuse = MISUSE_INTERIOR;
    if (s == NULL && misuse == MISUSE_FOREIGN && mheap_page_is_free(h, addr))
        misuse = MISUSE_FREED_SPAN;
    struct print out = print_to(stdfd_err());
    print_str(&out, "mound: ");
    print_str(&out, r->call);
    print_str(&out, "(): ");
    print_what(&out, misuse, r);
    print_str(&out, ": ");
    print_hex(&out, addr);
    print_str(&out, " ");
    if (s == NULL)
        print_str(&out, "(no span)\n");
    else
        print_span(&out, s, addr);
    print_stacks(&out, r->block != NULL ? r->block : r->p);
    print_flush(&out);
    if (!r->goes_on)
        report_end();
}
