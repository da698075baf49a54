// mspan.h: a span, a run of heap pages that is cut into equal slots or is one
// large object. The record is separate from the pages: a free slot is a bit in
// it, and the memory of a freed object is never written.
//
// A set bit means free and in no cache. A slot in a magazine or in a transfer
// store has its bit clear, like a live object.
#ifndef MOUND_HEAP_MSPAN_H
#define MOUND_HEAP_MSPAN_H

#include <stdatomic.h>

#include "base/bits.h"
#include "base/list.h"
#include "heap/sizeclass.h"

enum mspan_state {
    MSPAN_DEAD = 0, // the record is free, or its span is being given back
    MSPAN_SMALL,    // slots of a class
    MSPAN_LARGE,    // one object
    MSPAN_KEPT,     // one freed object, in a thread's cache or a quarantine
};

enum {
    // Two kinds of records, by the number of slots they have bits for. Most
    // classes need the small one.
    MSPAN_SMALL_WORDS = 2,
    MSPAN_WORDS = MAX_SLOTS / WORD_BITS,
};

struct mcentral;

// Records are type-stable (base/fixalloc.h): a stale pointer to one may be read
// at any time, but only what is read under the lock is reliable.
//   (h) mheap.lock   (l) lock of the span's class   (c) constant while the
//   state is not MSPAN_DEAD
struct mspan {
    struct list link;        // (l) in mcentral's lists; free records: (h)
    _Atomic uintptr_t start; // (c) address of the first page
    size_t npages;           // (c); (h) for a large span, which may grow
    _Atomic(struct mcentral *) home; // (c) where its slots go back; or NULL
    _Atomic uint8_t state; // (h), and (l) when MSPAN_SMALL is left or entered;
                           // between LARGE and KEPT its owner changes it
    uint8_t sizeclass;     // (c) 0 when large
    uint8_t nwords;        // never changes: words of freebits
    bool needzero;         // (c) pages may hold old data
    uint8_t bucket;        // (l) which list of mcentral
    union {
        bool moved;   // (c) a large object that mremap has put there
        uint8_t warm; // (l) walks until the holes of a small span are examined
    };
    uint16_t nelems;   // (c) slots
    uint16_t nfree;    // (l) set bits
    uint16_t nhollow;  // (l) of them, slots that overlap a released page
    uint32_t elemsize; // (c) bytes of a slot; small spans only
    uint32_t magic;    // (c) sizeclass_magic
    uint32_t released; // (l) pages of the system without memory, by number
    // prof/'s records of sampled objects, or NULL. Of a large one, here, (h) but
    // for its owner; of the slots of a span for sampled objects, which has class
    // byte 0, in an array (c) of nelems entries (l).
    _Atomic(void *) sample;
    void **samples;
    uint64_t freebits[]; // (l) nwords of them
};

static inline size_t mspan_record_bytes(unsigned nwords) {
    return sizeof(struct mspan) + nwords * sizeof(uint64_t);
}

static inline uintptr_t mspan_start(const struct mspan *s) {
    return atomic_load_explicit(&s->start, memory_order_relaxed);
}

static inline enum mspan_state mspan_state(const struct mspan *s) {
    // acquire: sees the fields of the span; partner: release in mheap
    return (enum mspan_state)atomic_load_explicit(&s->state,
                                                  memory_order_acquire);
}

static inline struct mcentral *mspan_home(const struct mspan *s) {
    return atomic_load_explicit(&s->home, memory_order_relaxed);
}

// mspan_class_byte returns what the page map says of the span's pages: 0 sends a
// free to the slow path.
static inline uint8_t mspan_class_byte(const struct mspan *s) {
    return s->samples != NULL ? 0 : s->sizeclass;
}

enum { SLOT_NONE = MAX_SLOTS };

// mspan_slot_of returns the slot that begins at addr, or SLOT_NONE when no
// slot of this small span begins there.
static inline unsigned mspan_slot_of(const struct mspan *s, uintptr_t addr) {
    uintptr_t offset = addr - mspan_start(s);
    if (offset >= s->npages << PAGE_SHIFT)
        return SLOT_NONE;
    unsigned slot = (unsigned)((uint64_t)offset * s->magic >> 32);
    if (slot >= s->nelems || (uintptr_t)slot * s->elemsize != offset)
        return SLOT_NONE;
    return slot;
}

static inline bool mspan_is_free(const struct mspan *s, unsigned slot) {
    return s->freebits[slot / WORD_BITS] >> (slot % WORD_BITS) & 1;
}

// mspan_peek_free is mspan_is_free without the lock. For a live object's slot
// the answer is always false, whatever happens to the other bits. Hidden from
// ThreadSanitizer, because the other bits are written under the lock meanwhile.
__attribute__((no_sanitize("thread"))) static inline bool
mspan_peek_free(const struct mspan *s, unsigned slot) {
    // volatile: clang's ThreadSanitizer sees every atomic access all the same
    uint64_t word = *(const volatile uint64_t *)&s->freebits[slot / WORD_BITS];
    return word >> (slot % WORD_BITS) & 1;
}

// mspan_set_free frees n slots whose bits are in one word and were clear.
static inline void mspan_set_free(struct mspan *s, unsigned word, uint64_t bits,
                                  unsigned n) {
    s->freebits[word] |= bits;
    s->nfree = (uint16_t)(s->nfree + n);
}

// mspan_init_slots cuts a run of pages into slots of a class, all free. The
// caller publishes the span.
void mspan_init_slots(struct mspan *s, uintptr_t start, size_t npages,
                      unsigned sizeclass);

// mspan_holes returns the system pages, as bits, that have memory and overlap
// free slots only. 0 if such pages are larger than a heap page.
uint32_t mspan_holes(const struct mspan *s);

// mspan_bytes_of returns the bytes of the system pages in a bit mask.
uint64_t mspan_bytes_of(uint32_t pages);

// mspan_set_released notes that holes went back to the system. They read as zero
// until a slot that overlaps one is taken.
void mspan_set_released(struct mspan *s, uint32_t holes);

// mspan_take takes up to want free slots, lowest first, and writes their
// addresses to end[-1], end[-2], ...: a magazine pops the lowest first. It
// returns how many: at least one if there is one and want is not 0. Slots on
// released pages are taken only when there are no others.
size_t mspan_take(struct mspan *s, void **end, size_t want);

// mspan_take_lines takes LINE_SLOTS adjacent free slots that share no cache
// line with others, of a class whose slots are smaller than a line, and writes
// them as mspan_take does. It returns how many: 0 if there are none.
enum { LINE_BYTES = 64, LINE_SLOTS = 8 };
size_t mspan_take_lines(struct mspan *s, void **end);

// mspan_recount makes the counts and the released pages what the free bits allow.
void mspan_recount(struct mspan *s);

// mspan_verify returns the number of contradictions in a small span's record.
unsigned mspan_verify(const struct mspan *s);

#endif // MOUND_HEAP_MSPAN_H
