// scavtrace.c: see scavtrace.h.
#include "heap/scavtrace.h"

#include "base/print.h"
#include "base/stdfd.h"
#include "os/sys.h"

uint64_t scavtrace_now_ns(const struct mheap *h) {
    return h->trace ? sys_unix_ns() : 0;
}

static void print_kib(struct print *out, uint64_t nbytes) {
    print_u64(out, nbytes >> 10);
    print_str(out, " KiB");
}

void scavtrace_print(struct mheap *h, const struct scavtrace *t) {
    if (!h->trace || t->nbytes == 0)
        return;
    uint64_t past_us = (sys_unix_ns() - t->begin_ns) / 1000;
    mutex_lock(&h->lock);
    uint64_t idle = h->pages.nbacked + h->kept_pages + h->first_pages.n;
    uint64_t inuse = h->stats->inuse_pages;
    mutex_unlock(&h->lock);
    struct print out = print_to(stdfd_err());
    print_str(&out, "mound: scav ");
    print_kib(&out, t->nbytes);
    print_str(&out, " in ");
    if (t->nruns > 0)
        print_count(&out, t->nruns, t->what);
    else
        print_str(&out, t->what);
    print_str(&out, " (");
    print_str(&out, helper_here() ? "helper" : t->who);
    print_str(&out, "), ");
    print_u64(&out, past_us);
    print_str(&out, " us, ");
    print_kib(&out, idle << PAGE_SHIFT);
    print_str(&out, " idle, ");
    print_kib(&out, inuse << PAGE_SHIFT);
    print_str(&out, " in use\n");
    print_flush(&out);
}
