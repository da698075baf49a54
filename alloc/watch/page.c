// page.c: see page.h.
#include "watch/page.h"

#include <errno.h>

#include "base/mutex.h"
#include "base/print.h"
#include "os/exitstatus.h"
#include "os/file.h"
#include "os/filter.h"
#include "os/pagefile.h"
#include "runtime/options.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/control.h"
#include "watch/publish.h"
#include "watch/snapshot.h"

enum {
    CHILD_NS = 20 * 1000 * 1000,
    NAMES_MAX = 100, // pid namespaces with the same number
};

AT_START bool page_watched;

// Guards stats, also for readers. It is held while a file is open, too, which a child of
// fork would inherit.
static struct mutex lock = {.rank = LOCKRANK_PAGE};
static struct pagefile file; // (lock)
static void *mapping;        // (lock) of this file, or of the parent's
static bool child;           // a child of fork that has no page yet
static uint64_t forked_ns;   // when that began

struct mound_page *page_here(void) {
    return runtime_page_now();
}

void page_tick(void) {
    const struct mound_page *page = page_here();
    if (page != NULL)
        publish_tick(page);
}

void page_mode_changed(void) {
    struct mound_page *page = page_here();
    if (page != NULL)
        __atomic_store_n(&page->identity.serves, snapshot_serves(),
                         __ATOMIC_RELAXED);
}

void page_publish(bool whole) {
    // Too large for small stacks. Only the helper calls with whole set.
    static struct mound_page_stats walks;
    struct mound_page *page = page_here();
    if (page == NULL)
        return;
    if (whole) {
        // The walks take long, so without the lock, which forks wait for.
        walks.records = page->stats.records;
        snapshot_read_walks(&walks, sys_now_ns());
    }
    mutex_lock(&lock);
    publish_all_locked(page, whole ? &walks : NULL);
    mutex_unlock(&lock);
}

// Making it.

// is_ours says whether the file is a page of this very process, left by the program that
// exec replaced.
static bool is_ours(const struct mound_page_identity *id) {
    struct {
        uint64_t magic;
        uint32_t version, nbytes;
        struct mound_page_identity identity;
    } old;
    return pagefile_peek(&file, &old, sizeof old) == 0 &&
           old.magic == MOUND_PAGE_MAGIC && id->pid_namespace != 0 &&
           old.identity.pid_namespace == id->pid_namespace &&
           old.identity.start_ticks == id->start_ticks;
}

// map_file maps a new file. It leaves alone a name that a process of another pid
// namespace uses.
static int map_file(const struct mound_page_identity *id) {
    int error;
    file = (struct pagefile){
        .uid = id->uid, .pid = id->pid, .start_ticks = id->start_ticks};
    do {
        pagefile_name(&file);
        error =
            pagefile_map(&file, sizeof(struct mound_page), mapping, &mapping);
        if (error == -EEXIST && is_ours(id)) {
            pagefile_remove(&file);
            error = pagefile_map(&file, sizeof(struct mound_page), mapping,
                                 &mapping);
        }
    } while (error == -EEXIST && ++file.number < NAMES_MAX);
    return error;
}

// make_locked makes the page, or returns why it cannot and the file or folder concerned.
static const char *make_locked(const char **ret_what) {
    static char text[SNAPSHOT_TEXT_BYTES]; // (lock) too large for small stacks
    struct mound_page_identity id = {.pid = 0};
    snapshot_identity_by(&id, text);
    file = (struct pagefile){.uid = id.uid};
    pagefile_name(&file);
    *ret_what = file.folder;
    const char *why = pagefile_folder(&file);
    if (why != NULL)
        return why;
    int error = map_file(&id);
    *ret_what = file.path;
    if (error != 0)
        return file_error_text(error);
    struct mound_page *page = mapping;
    page->version = MOUND_PAGE_VERSION;
    page->nbytes = sizeof *page;
    page->identity = id;
    // A reader that comes before the helper runs has to wait for it.
    if (mound_heap.helper.answers)
        page->control.listening = MOUND_PAGE_PAUSED;
    // release: partner in runtime_page_now
    atomic_store_explicit(runtime_page(), page, memory_order_release);
    publish_begin();
    publish_all_locked(page, NULL); // so that no page is without figures
    // release: a reader that sees it sees all that was written before
    __atomic_store_n(&page->magic, MOUND_PAGE_MAGIC, __ATOMIC_RELEASE);
    return NULL;
}

// let_control is called without the lock, after a page was made.
static void let_control(void) {
    struct mound_page *page = page_here();
    if (options->control && page != NULL)
        control_start(page, page_publish);
}

// complain says why there is no page. Not for ENOSYS, which a filter returns: man and
// file filter each of their helper processes, and each would print the line.
static void complain(const char *what, const char *why) {
    if (why == file_error_text(-ENOSYS))
        return;
    struct print out = print_to(2);
    print_str(&out, "mound: MOUND_WATCH: ");
    print_str(&out, what);
    print_str(&out, ": ");
    print_str(&out, why);
    print_str(&out, "; this process cannot be seen from outside\n");
    print_flush(&out);
}

// exited fills in the status, which is not known when the end is noted: exit handlers run
// after our destructor, and destructors do not get the status.
static void exited(int status) {
    struct mound_page *page = page_here();
    if (page != NULL && page->identity.state == MOUND_PAGE_EXITED &&
        !runtime_is_borrowed())
        page->identity.status = status & 0xff;
}

COLD void page_start(void) {
    const char *what, *why;
    if (options->watch == WATCH_OFF || options->off || !thread_enter())
        return;
    runtime_enter();
    snapshot_start(/* forked= */ false);
    if (runtime_page() == NULL) {
        complain("madvise", "the kernel does not support MADV_WIPEONFORK");
    } else {
        mutex_lock(&lock);
        why = make_locked(&what);
        page_watched = why == NULL;
        mutex_unlock(&lock);
        if (page_watched && options->watch == WATCH_KEEP)
            exitstatus_tell(exited);
        if (why != NULL)
            complain(what, why);
        let_control();
    }
    thread_leave();
}

// make_child_locked makes the page of a child of fork that runs long enough, if it can.
static bool make_child_locked(void) {
    const char *what;
    if (sys_now_ns() - forked_ns < CHILD_NS || runtime_is_borrowed())
        return false;
    page_watched = !filter_came() && make_locked(&what) == NULL;
    child = false;
    if (!page_watched)
        runtime_set_chore(RUNTIME_CHORE_PAGE, false);
    return page_watched;
}

void page_due(void) {
    // It does not wait: another thread may have the lock, or this one may be forking.
    if (!mutex_trylock(&lock))
        return;
    bool made = child && make_child_locked();
    struct mound_page *page = page_here();
    if (page != NULL && !made)
        publish_part_locked(page);
    mutex_unlock(&lock);
    if (made)
        let_control();
}

void page_thread_ends(void) {
    page_tick();
    if (runtime_chores_now() & RUNTIME_CHORE_PAGE)
        page_due();
}

// Forks.

struct mutex *page_mutex(void) {
    return &lock;
}

void page_repair(void) {
    mutex_reset(&lock);
}

void page_forked(void) {
    if (!page_watched)
        return;
    snapshot_start(/* forked= */ true);
    child = true;
    forked_ns = sys_now_ns();
    publish_forked();
    runtime_set_chore(RUNTIME_CHORE_PAGE, true);
}

// Ends.

static void note_end(struct mound_page *page, enum mound_page_state state,
                     int status) {
    page->identity.status = status;
    page->identity.end_unix_ns = sys_unix_ns();
    // release: a reader that sees the state sees the rest
    __atomic_store_n(&page->identity.state, (uint32_t)state, __ATOMIC_RELEASE);
}

// end notes an end, after the last figures. In a handler that interrupted a slow path it
// takes no lock and writes no figures.
static void end(enum mound_page_state state, int status, bool keeps) {
    bool entered = thread_enter();
    if (entered) {
        runtime_enter();
        mutex_lock(&lock);
    }
    child = false; // too late for one
    struct mound_page *page = page_here();
    if (page != NULL) {
        if (keeps && entered)
            publish_all_locked(page, NULL);
        note_end(page, state, status);
        if (!keeps)
            pagefile_remove(&file);
    }
    if (entered) {
        mutex_unlock(&lock);
        thread_leave();
    }
}

void page_exiting(int status) {
    if (page_watched)
        end(MOUND_PAGE_EXITED, status, options->watch == WATCH_KEEP);
}

void page_note_signal(int signal) {
    if (page_watched)
        end(MOUND_PAGE_SIGNALLED, signal, /* keeps= */ true);
}
