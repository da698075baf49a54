// shim.c: see shim.h.
#include "shim.h"

#include "dump.h"
#include "thread.h"

void shim_start(char **envp) {
    runtime_start_from(envp);
    thread_init_exit();
    dump_init();
}

void shim_exiting(void) {
    dump_at_exit();
}

void shim_finish(void) {
    dump_at_exit();
    if (!runtime_started() || runtime_passive() || !thread_enter())
        return;
    struct mcache *c = thread_tls.own;
    if (c != NULL)
        mcache_flush(c, &mound_heap);
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        mcentral_drain(&mound_heap.central[i]);
    thread_leave();
}

bool shim_off(void) {
    return options->off;
}

bool shim_keep_deepbind(void) {
    return options->keep_deepbind;
}

void shim_go_passive(const struct runtime_next *next) {
    runtime_set_passive(next);
    if (!thread_enter())
        return;
    thread_drop_cache();
    thread_leave();
}

bool shim_owns(const void *p) {
    return pagemap_span(&mound_heap.pagemap, (uintptr_t)p) != NULL;
}
