// largewait.c: see largewait.h.
#include "largewait.h"

#include <string.h>

#include "heap/largespans.h"
#include "os/mem.h"
#include "os/sys.h"
#include "prof/quarantine.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "watch/sampled.h"

enum {
    WAITING = 64,              // objects
    WAITING_BYTES = 256 << 20, // of address space; or
    LIMIT_SHARE = 16,          // 1/16 of RLIMIT_AS
};

static struct quarantine waiting;

void largewait_init(void) {
    size_t most =
        min_size(WAITING_BYTES,
                 align_down(sys_address_limit() / LIMIT_SHARE, PAGE_SIZE));
    quarantine_init(&waiting, WAITING, most);
}

// let_in makes free pages of a large object that leaves the quarantine. If the memory
// cannot be committed (at a limit), the object stays reserved for ever.
static void let_in(const struct quarantined *o) {
    uintptr_t start = (uintptr_t)o->p;
    struct mspan *s = pagemap_span(&mound_heap.pagemap, start);
    if (mem_commit(start, o->room))
        mheap_free_kept(&mound_heap, s, /* scavenged= */ true);
}

bool largewait_release(bool all) {
    struct quarantined o;
    bool any = false;
    while (options->hardened > 0 && quarantine_take(&waiting, all, &o)) {
        let_in(&o);
        any = true;
    }
    return any;
}

bool largewait_takes(size_t npages) {
    return options->hardened > 0 && PAGE_SIZE % sys_page_size() == 0 &&
           npages <= waiting.most_bytes >> PAGE_SHIFT;
}

void largewait_put_kept(struct mspan *s) {
    uintptr_t start = mspan_start(s);
    size_t nbytes = s->npages << PAGE_SHIFT;
    if (!mem_protect(start, nbytes)) {
        bool scavenged = mem_release(start, nbytes);
        if (!scavenged && options->hardened > 1)
            memset((void *)start, 0, nbytes);
        mheap_free_kept(&mound_heap, s, scavenged);
        return;
    }
    const struct quarantined o = {(void *)start, nbytes, NULL};
    if (!quarantine_put(&waiting, &o))
        let_in(&o);
    largewait_release(/* all= */ false);
}

bool largewait_put(struct mspan *s, void *p) {
    void *sample;
    if (!largewait_takes(s->npages) ||
        !mheap_keep_large(&mound_heap, s, (uintptr_t)p, &sample))
        return false;
    if (sample != NULL)
        sampled_freed(p, sample);
    largewait_put_kept(s);
    return true;
}

struct mutex *largewait_mutex(void) {
    return &waiting.lock;
}

void largewait_repair(void) {
    quarantine_reset(&waiting);
}
