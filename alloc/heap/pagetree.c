// pagetree.c: see pagetree.h.
#include "heap/pagetree.h"

#include "os/mem.h"
#include "os/sys.h"

enum {
    FAN_LOG2 = 3,
    FAN = 1 << FAN_LOG2,
    TOP = 5, // the highest level
    ENTRIES_LOG2 = ADDR_BITS - ARENA_SHIFT,
    TOP_ENTRIES = 1 << (ENTRIES_LOG2 - FAN_LOG2 * TOP),
};
_Static_assert(TOP_ENTRIES >= FAN && TOP_ENTRIES <= 4 * FAN,
               "a node, or few, at the top");
_Static_assert((uint64_t)ARENA_PAGES << (FAN_LOG2 * TOP) >> 32 == 0,
               "runs fit in a summary");

static size_t nentries(unsigned level) {
    return (size_t)1 << (ENTRIES_LOG2 - FAN_LOG2 * level);
}

// unit returns the pages of an entry.
static uint32_t unit(unsigned level) {
    return (uint32_t)ARENA_PAGES << (FAN_LOG2 * level);
}

static struct palloc_sum *level_of(const struct pagetree *t, unsigned level) {
    size_t before = 0;
    for (unsigned k = TOP; k > level; k--)
        before += nentries(k);
    return t->sums + before;
}

size_t pagetree_start(struct pagetree *t) {
    size_t n = 0;
    for (unsigned k = 0; k <= TOP; k++)
        n += nentries(k);
    size_t nbytes = align_up(n * sizeof *t->sums, sys_page_size());
    t->sums = mem_map(nbytes);
    return t->sums == NULL ? 0 : nbytes;
}

void pagetree_set(struct pagetree *t, uintptr_t base, struct palloc_sum sum,
                  bool anew) {
    size_t i = base >> ARENA_SHIFT;
    for (unsigned k = 0;; k++) {
        struct palloc_sum *sums = level_of(t, k);
        if (!anew && palloc_sum_equal(sum, sums[i]))
            return;
        sums[i] = sum;
        if (k == TOP)
            return;
        i /= FAN;
        sum = palloc_sum_merge(&sums[i * FAN], FAN, unit(k));
    }
}

enum palloc_found pagetree_find(const struct pagetree *t, size_t npages,
                                uintptr_t *ret_addr) {
    size_t first = 0; // entry of the node
    for (unsigned k = TOP;; k--) {
        size_t at = 0;
        enum palloc_found found =
            palloc_sum_find(level_of(t, k) + first,
                            k == TOP ? TOP_ENTRIES : FAN, unit(k), npages, &at);
        if (found == PALLOC_FOUND)
            *ret_addr = (first * unit(k) + at) << PAGE_SHIFT;
        if (found == PALLOC_INSIDE && k == 0)
            *ret_addr = (first + at) << ARENA_SHIFT;
        if (found != PALLOC_INSIDE || k == 0)
            return found;
        first = (first + at) * FAN;
    }
}

uintptr_t pagetree_backed_from(const struct pagetree *t, uintptr_t base,
                               size_t npages) {
    size_t i = base >> ARENA_SHIFT;
    unsigned k = 0;
    // Up, node by node, to the next entry that may have such a run; then down.
    while (i < nentries(k) && level_of(t, k)[i].backed < npages) {
        i++;
        if (i % FAN == 0 && k < TOP) {
            i /= FAN;
            k++;
        }
    }
    if (i == nentries(k))
        return 0;
    for (; k > 0; k--)
        for (i *= FAN; level_of(t, k - 1)[i].backed < npages;)
            i++;
    return i << ARENA_SHIFT;
}

uint32_t pagetree_backed_most(const struct pagetree *t) {
    uint32_t most = 0;
    for (unsigned i = 0; i < TOP_ENTRIES; i++)
        most = (uint32_t)max_size(most, level_of(t, TOP)[i].backed);
    return most;
}

unsigned pagetree_verify(const struct pagetree *t, uintptr_t base,
                         struct palloc_sum sum) {
    unsigned nwrong = 0;
    size_t i = base >> ARENA_SHIFT;
    for (unsigned k = 0; k <= TOP; k++) {
        const struct palloc_sum *sums = level_of(t, k);
        nwrong += !palloc_sum_equal(sum, sums[i]);
        i /= FAN;
        if (k < TOP)
            sum = palloc_sum_merge(&sums[i * FAN], FAN, unit(k));
    }
    return nwrong;
}
