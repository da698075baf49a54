// start.c: what runs when a process starts, in three steps. Each runs once, when it is
// first needed:
//
//   start_heap           by the first call of the malloc family or by the
//                        constructor, whichever is first; usually that call is the
//                        loader's or is made by a constructor of the C library
//   process_start        by the constructor: registers handlers for forks, for ends of
//                        threads and of the process, and copies descriptors for output
//                        at the end
//   runtime_start_late   by the first slow path after the C library's own
//                        constructor: what needs the loader
#include <pthread.h>

#include "base/check.h"
#include "base/stdfd.h"
#include "hardened.h"
#include "heap/hugepages.h"
#include "heap/memlimit.h"
#include "heap/scavenger.h"
#include "life/exit.h"
#include "life/fork.h"
#include "life/process.h"
#include "life/signals.h"
#include "life/threadend.h"
#include "malloc_slow.h"
#include "os/filter.h"
#include "os/helper.h"
#include "os/memname.h"
#include "os/memwatch.h"
#include "os/sys.h"
#include "prof/report.h"
#include "runtime/emergency.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/sizes.h"
#include "runtime/thread.h"
#include "watch/control.h"
#include "watch/dump.h"
#include "watch/guards.h"
#include "watch/origin.h"
#include "watch/page.h"
#include "watch/profile.h"
#include "watch/profilefile.h"
#include "watch/unwinder.h"

extern char **environ;

// 1. The heap.

static void set_options(struct mheap *h) {
    h->half_life_ns = options->half_life_ns;
    memlimit_set(h, options->memlimit);
    h->help_always = options->help_always;
    h->trace = options->trace_scav;
    h->helper.open = options->trace_scav; // it prints
    h->holes.off = options->hardened > 1; // see holes.h
    if (options->control && !options->off && helper_possible())
        control_init();
}

static COLD void start_heap(char **envp) {
    static AT_START _Atomic bool begun;
    // acquire: partner: the exchanges of other starters; the heap is seen by
    // runtime_started
    if (atomic_exchange_explicit(&begun, true, memory_order_acquire)) {
        // Another thread is doing it. (Threads exist before the first malloc only if
        // the program made them by raw system calls.)
        while (!runtime_started())
            sys_spin();
        return;
    }
    options_read(envp);
    if (options->names)
        memname_start();
    mheap_init(&mound_heap, &mound_stats, sizeof(struct mcache));
    scavenger_init(&mound_heap);
    set_options(&mound_heap);
    mound_heap.misuse = slow_misuse;
    hugepages_init(&mound_heap, options->thp);
    emergency_init(slow_free_inside);
    hardened_init(sys_secret());
    report_set_action(options->misuse);
    runtime_set_started(sys_pid());
}

// start_heap_first runs start_heap within a slow path, as malloc does: functions that
// start_heap calls may be interposed and allocate. Such a call is then served without
// the heap and does not wait for its own thread.
static void start_heap_first(char **envp) {
    if (runtime_started())
        return;
    bool entered = thread_enter();
    start_heap(envp);
    if (entered)
        thread_leave();
}

void runtime_enter_slow(void) {
    if (!runtime_started())
        start_heap(environ);
    switch (runtime_state()) {
    case RUNTIME_FORKED:
        fork_repair_child();
        break;
    case RUNTIME_ORPHANS:
        runtime_set_state(RUNTIME_GOOD);
        thread_orphan_others();
        break;
    case RUNTIME_GOOD:
        break;
    }
}

// 2. The process.

// keep_stderr keeps copies of standard error for output after the program may have
// closed it.
static void keep_stderr(void) {
    if (options->off)
        return;
    if (options->misuse == REPORT_GO_ON || options->hardened > 0 ||
        options->guard > 0)
        stdfd_keep(2, /* waiters= */ true); // for reports
    if (options->trace_scav)
        stdfd_keep(2, /* waiters= */ false);
}

// prepare_late requests the third step if it has something to do.
static void prepare_late(void) {
    if (!profile_wanted() && !options->unwind_asked)
        return;
    outname_init();
    profilefile_look();
    runtime_late = true;
    thread_slow_once();
    runtime_start_late();
}

COLD void process_start(char **envp) {
    static AT_START bool done; // constructors run one after the other
    if (done)
        return;
    done = true;
    start_heap_first(envp);
    exit_find_lock_counts(envp); // in builds that count locks
    threadend_start();           // frees caches
    memwatch_start(thread_go_away, thread_come_back);
    stdfd_start(); // notes what stdout and stderr are now
    keep_stderr();
    if (options_write_stats(options) || options->watch != WATCH_OFF)
        sizes_start();
    dump_init();    // complains at once if the file cannot be written
    filter_start(); // notes whether system calls are filtered already
    fork_start();
    exit_start();
    page_start();
    report_set_describe(origin_describe); // reports name the allocating stack
    prepare_late();
    signals_start();
}

// start: with -z initfirst it runs before every other constructor, libc's included; even
// so, malloc may have been called before. Any slow path refers to this file
// (runtime_enter_slow), so every program that links the archive contains it.
__attribute__((constructor)) static void start(int argc, char **argv,
                                               char **envp) {
    (void)argc;
    (void)argv;
    process_start(envp);
}

// 3. What needs the loader.

// With -z initfirst our constructor runs before the C library's own. Loading a library
// then would run that constructor too, without arguments and environment, and it would
// not run again. So the first slow path after it loads libunwind.
void runtime_start_late(void) {
    // The loader needs stack, and this may be a signal handler's. While another malloc
    // serves, a later call may still become ours.
    if (!sys_libc_ready() || thread_tls.depth > 0 || !sys_on_first_stack() ||
        runtime_passive())
        return;
    runtime_late = false;
    if (filter_noted())
        return;
    unwinder_load();
    if (!profile_wanted())
        return;
    if (options->guard != 0 && guards_init())
        signals_watch_faults();
    profilefile_start();
    profile_start(options->profile_rate);
    profilefile_look_at_growth();
}
