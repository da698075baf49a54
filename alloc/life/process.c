// process.c: see process.h.
#include "life/process.h"

#include "heap/scavenger_help.h"
#include "os/filter.h"
#include "os/helper.h"
#include "runtime/emergency.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/control.h"
#include "watch/page.h"
#include "watch/profile.h"

bool process_pause_helper(void) {
    return helper_pause(&mound_heap.helper);
}

void process_resume_helper(bool ran) {
    helper_resume(&mound_heap.helper);
    if (control_resume() || !ran || !thread_enter())
        return;
    runtime_enter();
    scavenger_resume(&mound_heap);
    thread_leave();
}

void process_filtered(void) {
    // A child made by a raw system call finds out here that it is a child.
    if (runtime_started() && thread_enter()) {
        runtime_enter();
        thread_leave();
    }
    // A child of vfork shares its parent's memory, but its filter is not the parent's.
    if (runtime_is_borrowed())
        return;
    // For good: a filter for all threads cannot be set on the helper.
    process_pause_helper();
    profile_stop(); // before filter_note: its barrier is a system call
    filter_note();
    control_filtered();
}

bool process_off(void) {
    return options->off;
}

bool process_keep_deepbind(void) {
    return options->keep_deepbind;
}

void process_go_passive(const struct runtime_next *next) {
    runtime_set_mode(RUNTIME_PASSIVE, next);
    page_mode_changed();
    profile_stop();
    if (!thread_enter())
        return;
    thread_drop_cache();
    thread_leave();
}

// process_go_behind drops the cache, so that the next malloc takes the slow path, which
// notices the mode.
void process_go_behind(const struct runtime_next *next) {
    runtime_set_mode(RUNTIME_UNCALLED, next);
    page_mode_changed();
    if (!thread_enter())
        return;
    thread_give_cache_back();
    thread_leave();
}

bool process_serves(size_t (*usable_size)(void *)) {
    void *p = emergency_slot();
    return usable_size(p) == emergency_usable_size(p);
}
