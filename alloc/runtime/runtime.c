// runtime.c: see runtime.h.
#include "runtime/runtime.h"

#include <stdatomic.h>

#include "heap/mcentral_drain.h"
#include "os/mem.h"
#include "os/sys.h"

struct mheap mound_heap;

// A second name, exported by libmound.so for readers outside the process. No code uses
// it, so code that uses mound_heap is as if it were not exported.
extern struct mheap mound_layout_heap
    __attribute__((alias("mound_heap"), visibility("default")));

bool runtime_late;

AT_START _Atomic uint32_t *_Atomic runtime_stamp;
AT_START _Atomic uint32_t runtime_chores;
static _Atomic uint32_t plain_stamp; // where the kernel wipes no pages
static AT_START int owner_pid;       // written while there is one thread

COLD void runtime_set_started(int pid) {
    _Atomic uint32_t *stamp = mem_fork_stamp();
    owner_pid = pid;
    if (stamp == NULL)
        stamp = &plain_stamp;
    atomic_store_explicit(stamp, RUNTIME_GOOD, memory_order_relaxed);
    // release: partner in runtime_enter and runtime_started
    atomic_store_explicit(&runtime_stamp, stamp, memory_order_release);
}

bool runtime_started(void) {
    return atomic_load_explicit(&runtime_stamp, memory_order_acquire) != NULL;
}

static _Atomic uint32_t *stamp_now(void) {
    return atomic_load_explicit(&runtime_stamp, memory_order_relaxed);
}

// struct wiped is the beginning of the page that the kernel wipes in a child.
struct wiped {
    _Atomic uint32_t stamp;
    struct mound_page *_Atomic page;
};

struct mound_page *_Atomic *runtime_page(void) {
    _Atomic uint32_t *stamp = stamp_now();
    if (stamp == NULL || stamp == &plain_stamp)
        return NULL;
    return &((struct wiped *)(void *)stamp)->page;
}

struct mound_page *runtime_page_now(void) {
    struct mound_page *_Atomic *here = runtime_page();
    // acquire: sees the page filled in; partner: release in watch/page.c
    return here == NULL ? NULL
                        : atomic_load_explicit(here, memory_order_acquire);
}

enum runtime_state runtime_state(void) {
    return (enum runtime_state)atomic_load_explicit(stamp_now(),
                                                    memory_order_relaxed);
}

void runtime_set_state(enum runtime_state state) {
    atomic_store_explicit(stamp_now(), state, memory_order_relaxed);
}

int runtime_pid(void) {
    return owner_pid;
}

void runtime_set_pid(int pid) {
    owner_pid = pid;
}

bool runtime_is_borrowed(void) {
    return owner_pid != 0 && sys_pid() != owner_pid;
}

void runtime_reclaim(void) {
    for (unsigned i = mheap_next_used(&mound_heap, 0);
         i < mheap_ncentrals(&mound_heap);
         i = mheap_next_used(&mound_heap, i + 1))
        mcentral_drain(mheap_central(&mound_heap, i));
}
