// guard.h: objects between inaccessible pages. A few allocations are placed
// here; code that runs over the end of its object, or uses it after its free,
// faults at that very instruction, and the report has the stacks. The idea is
// that of GWP-ASan.
//
//   | guard |      object 0 | guard |object 1 .......| guard |  ...  | guard |
//           '---- slot 0 ---'       '---- slot 1 ----'
//
// Each slot and each guard is one system page. An object is at the right end of
// its slot or at the left end. The rest of the page holds a pattern that is
// checked when the object is freed: that finds writes too close to fault. A
// free slot is inaccessible, and is not reused until all slots freed before it
// were.
//
// Costs a page of memory for each live object, about 600 bytes a slot for
// records, and two system calls an object.
#ifndef MOUND_PROF_GUARD_H
#define MOUND_PROF_GUARD_H

#include "base/mutex.h"
#include "base/print.h"
#include "os/fault.h"

enum {
    GUARD_PCS = 32,         // of a stack that is kept
    GUARD_FAULT_PCS = 64,   // of the one that faulted
    GUARD_SLOTS_MAX = 4096, // each live object splits a mapping in three
};

enum guard_verdict {
    GUARD_OK,          // freed
    GUARD_OVERWRITTEN, // freed; the pattern around it was no longer whole
    GUARD_DOUBLE_FREE, // the object that was there is freed
    GUARD_INTERIOR,    // inside an object, or beside one: freed or not
    GUARD_NEVER,       // no object was ever there
};

enum guard_state {
    GUARD_FRESH, // never used
    GUARD_LIVE,
    GUARD_FREED,
};

// struct guard_trace says which thread did something, and its stack. Written by
// one thread at a time, read by reports at any time.
struct guard_trace {
    int tid;
    _Atomic uint32_t npcs;
    uintptr_t pcs[GUARD_PCS];
};

// struct guard_slot is the record of the object in a slot, or of its last one.
//   (o) written by the thread that owns the slot
struct guard_slot {
    _Atomic uint32_t state; // enum guard_state; setting FREED takes it
    _Atomic uint32_t told;  // the state that a fault was reported in, or FRESH
    uint32_t next;          // (l) in the queue
    uintptr_t addr;         // (o)
    size_t size;            // (o) as requested
    uintptr_t damage;       // (o) the byte found overwritten at the free, or 0
    struct guard_trace allocated; // (o)
    struct guard_trace freed;     // (o)
};

// struct guard_pool is a pool; all zero is one that owns nothing.
//   (c) constant after guard_init   (l) lock   (a) atomic, relaxed
struct guard_pool {
    struct mutex lock; // rank LOCKRANK_SPECIAL; held for a few steps only, and
                       // by fork: a slot that another thread owned is
                       // lost to the child
    uintptr_t start;   // (c) of the first guard
    _Atomic size_t nbytes;    // (c) 0 until the pool is made
    size_t page_size;         // (c)
    struct guard_slot *slots; // (c)
    uint32_t nslots;          // (c)
    size_t record_bytes;      // (c) of the memory for slots
    uint32_t first;           // (l) of the queue of free slots
    uint32_t last;            // (l)
    uint64_t random;          // (l)

    _Atomic uint64_t nmallocs;    // (a)
    _Atomic uint64_t nfrees;      // (a)
    _Atomic uint64_t live_bytes;  // (a) as requested
    _Atomic uint64_t total_bytes; // (a) as requested, of all objects ever
    _Atomic uint64_t nlost;       // (a) slots that could not be protected again

    // Of the report of a fault: a signal stack may be small.
    _Atomic uint32_t reporting; // 1 while a thread writes one
    _Atomic uint32_t told_wild; // 1 once a fault was reported near no object
    struct print out;
    uintptr_t pcs[GUARD_FAULT_PCS];
};

// guard_init makes a pool of nslots slots, 1 to GUARD_SLOTS_MAX. It returns
// false, with nothing changed, when there is no memory. Once.
bool guard_init(struct guard_pool *g, unsigned nslots);

// guard_alloc returns a zeroed object of exactly size bytes, aligned to align
// (a power of two) and at least to 16; NULL when no slot is free, the object
// does not fit a page, or the system refuses. pcs is the stack of the caller.
//
// Takes the pool's lock, for a moment. Calls the system without it.
void *guard_alloc(struct guard_pool *g, size_t size, size_t align,
                  const uintptr_t *pcs, unsigned npcs);

// guard_owns says whether p is in the pool, whether it is an object or not.
ALWAYS_INLINE bool guard_owns(const struct guard_pool *g, const void *p) {
    // relaxed: a thread that got p from the pool sees the pool
    return (uintptr_t)p - g->start <
           atomic_load_explicit(&g->nbytes, memory_order_relaxed);
}

// guard_usable_size returns the size that was requested for the object at p; 0
// if p is no live object. p is owned.
size_t guard_usable_size(const struct guard_pool *g, const void *p);

// guard_free ends the object at p, which is owned: from then on it cannot be
// touched. With any verdict but GUARD_OK and GUARD_OVERWRITTEN nothing was
// changed. Threads that free the same object at once get GUARD_OK once. A slot
// that the system does not let us protect is never used again.
enum guard_verdict guard_free(struct guard_pool *g, void *p,
                              const uintptr_t *pcs, unsigned npcs);

// guard_describe_free prints what a verdict means, for p and the stack that
// guard_free was called with:
//
//   mound: CALL(): double free: 0x... is 0 bytes into the object of 24 bytes at
//   0x...                                                        (one line)
//     by thread 12:
//       #0 0x... /usr/bin/prog+0x1234
//     freed by thread 11:
//       ...
//     allocated by thread 10:
//       ...
void guard_describe_free(const struct guard_pool *g, enum guard_verdict verdict,
                         const char *call, const void *p, const uintptr_t *pcs,
                         unsigned npcs, struct print *out);

// guard_describe prints what a fault at addr, which is owned, was: in the same
// form, "mound: heap overflow: ...", "heap underflow", "use after free" or
// "wild access". pcs is the stack that faulted, access the kind of access.
// Takes no lock.
void guard_describe(const struct guard_pool *g, uintptr_t addr,
                    enum fault_access access, const uintptr_t *pcs,
                    unsigned npcs, struct print *out);

// guard_fault is for the function that fault_watch calls: if addr is owned, it
// writes the report to descriptor 2 and returns true. An object gets one report
// while it is live and one after its free: a program that handles the fault by
// doing nothing repeats it for ever. While another thread writes a report it
// waits, up to a second, so that the process does not end in the middle of
// that. Taking the stack may call malloc (libunwind does): the caller guards
// against that.
bool guard_fault(struct guard_pool *g, uintptr_t addr, const void *context);

// guard_forked_bare is for a child made without handlers. If the lock was held,
// the pool makes no new objects; live ones can be used and freed.
void guard_forked_bare(struct guard_pool *g);

#endif // MOUND_PROF_GUARD_H
