// firstpages.c: see firstpages.h.
#include "heap/firstpages.h"

enum { SCAVENGED = 1 };

bool firstpages_trim(struct firstpages *f, struct pagealloc *pa, size_t most) {
    bool any = f->n > most;
    while (f->n > most) {
        uintptr_t page = f->pages[f->first].addr;
        f->first = (f->first + 1) % FIRSTPAGES_MAX;
        f->n--;
        pagealloc_free(pa, page & ~(uintptr_t)SCAVENGED, 1,
                       (page & SCAVENGED) != 0);
    }
    return any;
}

void firstpages_free(struct firstpages *f, struct pagealloc *pa, uintptr_t addr,
                     size_t npages, bool scavenged) {
    firstpages_trim(f, pa, FIRSTPAGES_MAX - 1);
    f->pages[(f->first + f->n) % FIRSTPAGES_MAX] =
        (struct firstpage){addr | (scavenged ? SCAVENGED : 0), npages};
    f->n++;
    if (npages > 1)
        pagealloc_free(pa, addr + PAGE_SIZE, npages - 1, scavenged);
}

uintptr_t firstpages_again(struct firstpages *f, struct pagealloc *pa,
                           size_t npages) {
    if (f->n == 0)
        return 0;
    const struct firstpage *last =
        &f->pages[(f->first + f->n - 1) % FIRSTPAGES_MAX];
    size_t nscavenged;
    if (last->npages != npages || (last->addr & SCAVENGED) != 0 ||
        (npages > 1 && !pagealloc_alloc_at(pa, last->addr + PAGE_SIZE,
                                           npages - 1, &nscavenged)))
        return 0;
    f->n--;
    return last->addr;
}

bool firstpages_holds(const struct firstpages *f, uintptr_t addr) {
    uintptr_t page = align_down(addr, PAGE_SIZE);
    for (uint32_t i = 0; i < f->n; i++)
        if ((f->pages[(f->first + i) % FIRSTPAGES_MAX].addr &
             ~(uintptr_t)SCAVENGED) == page)
            return true;
    return false;
}
