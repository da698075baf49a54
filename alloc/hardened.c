// hardened.c: see hardened.h.
#include "hardened.h"

#include <string.h>

#include "alloc_inside.h"
#include "block.h"
#include "free_inside.h"
#include "largewait.h"
#include "os/mem.h"
#include "os/sys.h"
#include "prof/quarantine.h"
#include "runtime/options.h"
#include "runtime/zerosize.h"
#include "watch/guards.h"

static struct quarantine waiting; // freed objects, filled: level 2

COLD void hardened_init(uint64_t secret) {
    canary_init(secret);
    quarantine_set_secret(~secret);
    if (options->hardened == 0)
        return;
    quarantine_init(&waiting, QUARANTINE_SLOTS, QUARANTINE_BYTES);
    largewait_init();
}

// alloc_marked is alloc_inside with marks around the object, or a guarded object.
static void *alloc_marked(size_t size, size_t align, bool *ret_zero) {
    if (size > CANARY_SIZE_MAX)
        return NULL;
    void *base = alloc_inside(size + block_marks(align), align, ret_zero);
    if (base == NULL || guards_own(base))
        return base;
    const struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)base);
    size_t room =
        mspan_state(s) == MSPAN_LARGE ? s->npages << PAGE_SHIFT : s->elemsize;
    return canary_set(base, room, canary_front(align), size);
}

void *hardened_alloc(size_t size, size_t align, bool *ret_zero) {
    void *p = NULL;
    if (size == 0 && align == MIN_ALIGN)
        p = zerosize_alloc();
    if (p != NULL)
        return p;
    return options->hardened > 1 ? alloc_marked(size, align, ret_zero)
                                 : alloc_inside(size, align, ret_zero);
}

// canary_front_at returns the offset of the object in a block of the quarantine.
static size_t canary_front_at(const struct quarantined *o) {
    size_t offset = (size_t)((char *)o->keep - (char *)o->p);
    return offset == o->room - CANARY_END_BYTES ? 0
                                                : offset + CANARY_HEAD_BYTES;
}

// release frees a block that leaves the quarantine or was not accepted by it. The
// memory is zeroed before it can be allocated again.
static void release(const struct quarantined *o) {
    size_t offset;
    if (quarantine_intact(o, &offset)) {
        memset(o->p, 0, o->room);
        free_inside(o->p, "free");
        return;
    }
    // A freed block that was written to is not used again: its writer may go on.
    size_t front = canary_front_at(o);
    struct canary_object found = {.size = 0};
    canary_look(o->p, o->room, (char *)o->p + front, &found);
    report_block(&mound_heap, &(struct report){.call = "free",
                                               .misuse = MISUSE_WRITTEN,
                                               .p = (char *)o->p + front,
                                               .block = o->p,
                                               .given = offset - front,
                                               .size = found.size});
}

void hardened_release(bool all) {
    struct quarantined o;
    while (quarantine_take(&waiting, all, &o))
        release(&o);
}

// free_marked frees an object that has marks.
static void free_marked(void *p, const char *call) {
    struct block b = block_find_size(p);
    if (b.span == NULL && (b.misuse == MISUSE_NONE || guards_own(p))) {
        // In the emergency store, or guarded: a guard detects more than a quarantine.
        free_inside(p, call);
        return;
    }
    if (b.misuse != MISUSE_NONE) {
        block_report(call, &b, p, 0);
        block_forget(&b, p);
        return;
    }
    if (mspan_state(b.span) == MSPAN_LARGE && largewait_put(b.span, b.base))
        return;
    size_t front = block_front(&b, p);
    size_t room = block_find(p).usable;
    if (!canary_free(b.base, room, front, b.usable)) { // another thread did
        report_misuse(&mound_heap, call, MISUSE_DOUBLE_FREE, p, 0);
        return;
    }
    const struct quarantined o = {b.base, room,
                                  canary_state_at(b.base, room, front)};
    if (room <= QUARANTINE_OBJECT_MAX) {
        quarantine_fill(&o);
        if (!quarantine_put(&waiting, &o))
            release(&o);
        hardened_release(/* all= */ false);
        return;
    }
    if (PAGE_SIZE % sys_page_size() != 0 ||
        !mem_release((uintptr_t)b.base, room))
        memset(b.base, 0, room);
    free_inside(b.base, call);
}

void hardened_free(void *p, const char *call) {
    if (options->hardened > 1) {
        free_marked(p, call);
        return;
    }
    // No other thread changes the bit of a live object, so no lock to read it.
    struct block b = block_find(p);
    if (b.misuse == MISUSE_NONE && b.span != NULL) {
        if (mspan_state(b.span) == MSPAN_SMALL)
            memset(p, 0, b.usable);
        else if (largewait_put(b.span, p))
            return;
    }
    free_inside(p, call);
}

struct mutex *hardened_mutex(void) {
    return &waiting.lock;
}

void hardened_repair(void) {
    quarantine_reset(&waiting);
    largewait_repair();
}
