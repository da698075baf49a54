// guard.c: see guard.h.
//
// A slot is in the queue, owned by one thread, or live. It changes owner under
// the lock (out of and into the queue) or by its state (from live to the thread
// that frees it), so the work on it needs no lock.
#include "prof/guard.h"

#include <string.h>

#include "base/bits.h"
#include "base/stdfd.h"
#include "os/mem.h"
#include "prof/stacktext.h"

enum {
    ALIGN_MIN = 16,
    PATTERN = 0xa5,
    LEFT_SHARE = 4, // one object in so many stands at the left end: code runs
                    // over the end far more often than over the beginning
    WAIT_MS = 1000,
};
static const uint32_t NO_SLOT = UINT32_MAX;
static const uint64_t MS_NS = 1000 * 1000;

static void count(_Atomic uint64_t *counter, uint64_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

// Pages from the pool's start: guard, slot 0, guard, slot 1, ..., guard.
static uintptr_t page_of(const struct guard_pool *g, uint32_t slot) {
    return g->start + (2 * (size_t)slot + 1) * g->page_size;
}

static uint32_t state_of(const struct guard_slot *s) {
    // acquire: sees the record of the object; partner: release in guard_alloc
    // and in guard_free
    return atomic_load_explicit(&s->state, memory_order_acquire);
}

static void push_locked(struct guard_pool *g, uint32_t slot) {
    mutex_assert_held(&g->lock);
    g->slots[slot].next = NO_SLOT;
    if (g->first == NO_SLOT)
        g->first = slot;
    else
        g->slots[g->last].next = slot;
    g->last = slot;
}

static void push(struct guard_pool *g, uint32_t slot) {
    mutex_lock(&g->lock);
    push_locked(g, slot);
    mutex_unlock(&g->lock);
}

// pop takes the slot that was free the longest, and a random number.
static uint32_t pop(struct guard_pool *g, uint64_t *ret_random) {
    mutex_lock(&g->lock);
    uint32_t slot = g->first;
    if (slot != NO_SLOT)
        g->first = g->slots[slot].next;
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    *ret_random = g->random;
    mutex_unlock(&g->lock);
    return slot;
}

bool guard_init(struct guard_pool *g, unsigned nslots) {
    size_t page_size = sys_page_size();
    size_t nbytes = (2 * (size_t)nslots + 1) * page_size;
    size_t record_bytes = align_up(nslots * sizeof *g->slots, page_size);
    check(nslots > 0 && nslots <= GUARD_SLOTS_MAX, "guard: number of slots");
    uintptr_t start = mem_reserve(0, nbytes, page_size);
    if (start == 0)
        return false;
    struct guard_slot *slots = mem_map(record_bytes);
    if (slots == NULL) {
        mem_unreserve(start, nbytes);
        return false;
    }
    mutex_init(&g->lock, LOCKRANK_SPECIAL);
    g->start = start;
    g->page_size = page_size;
    g->slots = slots;
    g->nslots = nslots;
    g->record_bytes = record_bytes;
    g->random = (start ^ sys_ticks() << 20) | 1; // never 0
    g->first = NO_SLOT;
    mutex_lock(&g->lock);
    for (uint32_t i = 0; i < nslots; i++)
        push_locked(g, i);
    mutex_unlock(&g->lock);
    // release: partner is whatever hands the first object to another thread
    atomic_store_explicit(&g->nbytes, nbytes, memory_order_release);
    return true;
}

static void trace_set(struct guard_trace *t, const uintptr_t *pcs,
                      unsigned npcs) {
    npcs = npcs < GUARD_PCS ? npcs : GUARD_PCS;
    // A report that reads meanwhile prints a mixture, but never beyond pcs.
    atomic_store_explicit(&t->npcs, 0, memory_order_relaxed);
    t->tid = fault_tid();
    if (npcs > 0)
        memcpy(t->pcs, pcs, npcs * sizeof *pcs);
    atomic_store_explicit(&t->npcs, npcs, memory_order_relaxed);
}

static void fill(uintptr_t from, uintptr_t to) {
    memset((void *)from, PATTERN, to - from);
}

// damaged returns the first byte of a range that is not of the pattern, or 0.
static uintptr_t damaged(uintptr_t from, uintptr_t to) {
    for (const unsigned char *p = (void *)from; p < (unsigned char *)to; p++)
        if (*p != PATTERN)
            return (uintptr_t)p;
    return 0;
}

// find_damage checks the bytes after the object first: overflows are the
// likelier.
static uintptr_t find_damage(const struct guard_pool *g,
                             const struct guard_slot *s, uintptr_t page) {
    uintptr_t found = damaged(s->addr + s->size, page + g->page_size);
    return found != 0 ? found : damaged(page, s->addr);
}

void *guard_alloc(struct guard_pool *g, size_t size, size_t align,
                  const uintptr_t *pcs, unsigned npcs) {
    uint64_t random;
    align = max_size(align, ALIGN_MIN);
    // acquire: sees the pool made; partner: release at its start
    if (atomic_load_explicit(&g->nbytes, memory_order_acquire) == 0 ||
        size > g->page_size || align > g->page_size)
        return NULL;
    uint32_t slot = pop(g, &random);
    if (slot == NO_SLOT)
        return NULL;
    struct guard_slot *s = &g->slots[slot];
    uintptr_t page = page_of(g, slot);
    if (!mem_commit(page, g->page_size)) {
        push(g, slot);
        return NULL;
    }
    // An object of no bytes has an address in its slot all the same.
    uintptr_t right = page + g->page_size - max_size(size, 1);
    s->addr = random % LEFT_SHARE == 0 ? page : align_down(right, align);
    s->size = size;
    s->damage = 0;
    fill(page, s->addr);
    fill(s->addr + size, page + g->page_size);
    trace_set(&s->allocated, pcs, npcs);
    atomic_store_explicit(&s->freed.npcs, 0, memory_order_relaxed);
    atomic_store_explicit(&s->told, GUARD_FRESH, memory_order_relaxed);
    count(&g->nmallocs, 1);
    count(&g->live_bytes, size);
    count(&g->total_bytes, size);
    // release: partner is the acquire in state_of
    atomic_store_explicit(&s->state, GUARD_LIVE, memory_order_release);
    return (void *)s->addr;
}

// slot_at returns the slot whose page holds addr, or NO_SLOT for a guard.
static uint32_t slot_at(const struct guard_pool *g, uintptr_t addr) {
    size_t page = (addr - g->start) / g->page_size;
    return page % 2 == 0 ? NO_SLOT : (uint32_t)(page / 2);
}

size_t guard_usable_size(const struct guard_pool *g, const void *p) {
    uint32_t slot = slot_at(g, (uintptr_t)p);
    if (slot == NO_SLOT || state_of(&g->slots[slot]) != GUARD_LIVE ||
        g->slots[slot].addr != (uintptr_t)p)
        return 0;
    return g->slots[slot].size;
}

static enum guard_verdict verdict_of(const struct guard_slot *s, uintptr_t p) {
    uint32_t state = state_of(s);
    if (state == GUARD_FRESH)
        return GUARD_NEVER;
    if (s->addr != p)
        return GUARD_INTERIOR;
    return state == GUARD_LIVE ? GUARD_OK : GUARD_DOUBLE_FREE;
}

enum guard_verdict guard_free(struct guard_pool *g, void *p,
                              const uintptr_t *pcs, unsigned npcs) {
    uint32_t slot = slot_at(g, (uintptr_t)p);
    if (slot == NO_SLOT)
        return GUARD_NEVER;
    struct guard_slot *s = &g->slots[slot];
    enum guard_verdict verdict = verdict_of(s, (uintptr_t)p);
    if (verdict != GUARD_OK)
        return verdict;
    uint32_t live = GUARD_LIVE;
    // acquire, release: this thread now owns the slot; partner: state_of
    if (!atomic_compare_exchange_strong_explicit(&s->state, &live, GUARD_FREED,
                                                 memory_order_acq_rel,
                                                 memory_order_relaxed))
        return GUARD_DOUBLE_FREE;
    uintptr_t page = page_of(g, slot);
    s->damage = find_damage(g, s, page);
    verdict = s->damage != 0 ? GUARD_OVERWRITTEN : GUARD_OK;
    trace_set(&s->freed, pcs, npcs);
    count(&g->nfrees, 1);
    count(&g->live_bytes, (uint64_t)0 - s->size);
    if (mem_protect(page, g->page_size))
        push(g, slot);
    else
        count(&g->nlost, 1);
    return verdict;
}

// print_place prints where addr is relative to the object of a slot.
static void print_place(struct print *out, const struct guard_slot *s,
                        uintptr_t addr) {
    bool before = addr < s->addr;
    bool after = addr >= s->addr + s->size;
    print_hex(out, addr);
    print_str(out, " is ");
    print_count(out,
                before  ? s->addr - addr
                : after ? addr - s->addr - s->size
                        : addr - s->addr,
                "byte");
    print_str(out, before ? " before" : after ? " after" : " into");
    print_str(out, " the object of ");
    print_count(out, s->size, "byte");
    print_str(out, " at ");
    print_hex(out, s->addr);
    print_char(out, '\n');
}

static void print_stack(struct print *out, const char *did, int tid,
                        const uintptr_t *pcs, unsigned npcs) {
    print_str(out, "  ");
    print_str(out, did);
    print_str(out, tid != 0 ? " thread " : " a thread");
    if (tid != 0)
        print_u64(out, (uint64_t)tid);
    print_str(out, ":\n");
    if (npcs == 0)
        print_str(out, "    (no stack)\n");
    else
        stacktext_print(out, pcs, npcs);
}

static void print_trace(struct print *out, const char *did,
                        const struct guard_trace *t) {
    uint32_t npcs = atomic_load_explicit(&t->npcs, memory_order_relaxed);
    print_stack(out, did, t->tid, t->pcs, npcs < GUARD_PCS ? npcs : GUARD_PCS);
}

static void print_history(struct print *out, const struct guard_slot *s) {
    if (state_of(s) == GUARD_FREED)
        print_trace(out, "freed by", &s->freed);
    print_trace(out, "allocated by", &s->allocated);
}

static const char *verdict_text(enum guard_verdict verdict,
                                const struct guard_slot *s) {
    switch (verdict) {
    case GUARD_OVERWRITTEN:
        return s->damage < s->addr ? "heap underflow found"
                                   : "heap overflow found";
    case GUARD_DOUBLE_FREE:
        return "double free";
    case GUARD_INTERIOR:
        return "interior pointer";
    default:
        return "never allocated";
    }
}

void guard_describe_free(const struct guard_pool *g, enum guard_verdict verdict,
                         const char *call, const void *p, const uintptr_t *pcs,
                         unsigned npcs, struct print *out) {
    uintptr_t addr = (uintptr_t)p;
    uint32_t slot = slot_at(g, addr);
    const struct guard_slot *s = slot == NO_SLOT ? NULL : &g->slots[slot];
    if (verdict == GUARD_OVERWRITTEN)
        addr = s->damage;
    print_str(out, "mound: ");
    print_str(out, call);
    print_str(out, "(): ");
    print_str(out, verdict_text(verdict, s));
    print_str(out, ": ");
    if (verdict == GUARD_NEVER) {
        print_hex(out, addr);
        print_str(out, " (guarded objects)\n");
    } else {
        print_place(out, s, addr);
    }
    // The stack of the call is that of the free if it was one.
    if (verdict != GUARD_OVERWRITTEN)
        print_stack(out, "by", fault_tid(), pcs, npcs);
    if (verdict != GUARD_NEVER)
        print_history(out, s);
    print_flush(out);
}

static size_t distance(const struct guard_slot *s, uintptr_t addr) {
    if (addr < s->addr)
        return s->addr - addr;
    return addr < s->addr + s->size ? 0 : addr - s->addr - s->size;
}

// nearest_slot returns the slot that a fault belongs to: that of its page; for
// a guard page, the neighbour whose object is nearer. NULL if there never was
// one.
static struct guard_slot *nearest_slot(const struct guard_pool *g,
                                       uintptr_t addr) {
    size_t page = (addr - g->start) / g->page_size;
    size_t first = page == 0 ? 0 : (page - 1) / 2;
    size_t last = page / 2 < g->nslots ? page / 2 : g->nslots - 1;
    struct guard_slot *found = NULL;
    for (size_t i = first; i <= last; i++) {
        struct guard_slot *s = &g->slots[i];
        if (state_of(s) != GUARD_FRESH &&
            (found == NULL || distance(s, addr) < distance(found, addr)))
            found = s;
    }
    return found;
}

static const char *fault_text(const struct guard_slot *s, uintptr_t addr) {
    if (state_of(s) == GUARD_FREED)
        return "use after free";
    if (distance(s, addr) == 0 && addr < s->addr + s->size)
        return "fault"; // the program protected its page
    return addr < s->addr ? "heap underflow" : "heap overflow";
}

static const char *access_text(enum fault_access access) {
    return access == FAULT_READ    ? "read by"
           : access == FAULT_WRITE ? "written by"
                                   : "accessed by";
}

// print_fault prints the first line. s is nearest_slot's.
static void print_fault(struct print *out, const struct guard_slot *s,
                        uintptr_t addr) {
    print_str(out, "mound: ");
    if (s == NULL) {
        print_str(out, "wild access: ");
        print_hex(out, addr);
        print_str(out,
                  " (in the memory of guarded objects, where no object was)\n");
        return;
    }
    print_str(out, fault_text(s, addr));
    print_str(out, ": ");
    print_place(out, s, addr);
}

static void print_stacks(struct print *out, const struct guard_slot *s,
                         enum fault_access access, const uintptr_t *pcs,
                         unsigned npcs) {
    print_stack(out, access_text(access), fault_tid(), pcs, npcs);
    if (s != NULL)
        print_history(out, s);
    print_flush(out);
}

void guard_describe(const struct guard_pool *g, uintptr_t addr,
                    enum fault_access access, const uintptr_t *pcs,
                    unsigned npcs, struct print *out) {
    const struct guard_slot *s = nearest_slot(g, addr);
    print_fault(out, s, addr);
    print_stacks(out, s, access, pcs, npcs);
}

// begin_report waits until no other thread writes a report; false: one still
// does. Separate from guard_fault, to keep its print buffer off that stack.
static NOINLINE bool begin_report(struct guard_pool *g) {
    for (int i = 0; i < WAIT_MS; i++) {
        // acquire: what reports share is ours; partner: release in guard_fault
        if (atomic_exchange_explicit(&g->reporting, 1, memory_order_acquire) ==
            0) {
            g->out = print_to(stdfd_err());
            return true;
        }
        sys_sleep_ns(MS_NS);
    }
    return false;
}

// told_before says whether such a fault has been reported, and notes that it now
// is.
static bool told_before(struct guard_pool *g, struct guard_slot *s) {
    if (s == NULL)
        return atomic_exchange_explicit(&g->told_wild, 1,
                                        memory_order_relaxed) == 1;
    uint32_t state = state_of(s);
    return atomic_exchange_explicit(&s->told, state, memory_order_relaxed) ==
           state;
}

bool guard_fault(struct guard_pool *g, uintptr_t addr, const void *context) {
    if (!guard_owns(g, (const void *)addr))
        return false;
    if (!begin_report(g))
        return true;
    struct guard_slot *s = nearest_slot(g, addr);
    if (!told_before(g, s)) {
        // The stack may be corrupted, and an unwinder may crash on it: what
        // is known without a stack is printed first.
        print_fault(&g->out, s, addr);
        print_flush(&g->out);
        unsigned npcs = fault_stack(context, g->pcs, GUARD_FAULT_PCS);
        print_stacks(&g->out, s, fault_access(context), g->pcs, npcs);
    }
    // release: partner is the acquire in begin_report
    atomic_store_explicit(&g->reporting, 0, memory_order_release);
    return true;
}

void guard_forked_bare(struct guard_pool *g) {
    if (mutex_reset(&g->lock))
        g->first = NO_SLOT;
    atomic_store_explicit(&g->reporting, 0, memory_order_relaxed);
}
