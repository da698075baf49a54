// control.c: see control.h.
#include "watch/control.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/bits.h"
#include "base/print.h"
#include "heap/keptspans.h"
#include "heap/scavenger.h"
#include "heap/scavenger_visit.h"
#include "mound.h"
#include "os/filter.h"
#include "os/helper.h"
#include "os/mem.h"
#include "os/sys.h"
#include "out/outfile.h"
#include "prof/peak.h"
#include "runtime/mode.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"
#include "watch/profile.h"

enum {
    // Given back between two checks whether the helper is to end.
    RELEASE_PAGES = (256 << 20) / PAGE_SIZE,
    BUSY_TRIES = 200, // while another thread returns memory
    BUSY_NS = 1000 * 1000,
    // A thread that is about to leave a slow path may miss that a profile is due.
    HURRIED_MAX = 10,
    HURRY_NS = 20 * 1000 * 1000,
    PATH_BYTES = 96,
};

// struct control: others write to the part that is in the page, too.
//   (s) written by control_start, before there is a helper   (h) by the helper
//   (a) atomic, see each use
static struct {
    struct mound_page_control *_Atomic box; // (a) in the page; NULL: no control
    void (*publish)(bool whole);            // (s)
    uint32_t answered;                      // (h) number of the last request
    _Atomic uint32_t due;  // (a) enum mound_page_op of a profile, or 0
    _Atomic bool writing;  // (a) by a thread of the program
    uint64_t nwritten;     // profiles; written by the thread that has writing
    char path[PATH_BYTES]; // (s) of the profiles, see outname.h
} control;

static struct mound_page_control *box_now(void) {
    // acquire: sees the rest of control; partner: release in control_start
    return atomic_load_explicit(&control.box, memory_order_acquire);
}

static void set_listening(struct mound_page_control *box,
                          enum mound_page_listening listening) {
    if (box == NULL)
        return; // there is no page: none was requested, or none could be made
    __atomic_store_n(&box->listening, listening, __ATOMIC_RELEASE);
}

// Requests.

// release_runs gives free pages back, in steps.
static void release_runs(struct mheap *h) {
    int nbusy = 0;
    for (;;) {
        mutex_lock(&h->lock);
        uint64_t nbacked = h->pages.nbacked;
        mutex_unlock(&h->lock);
        size_t n = scavenger_release(h, min_size(nbacked, RELEASE_PAGES));
        bool busy = n == 0 &&
                    atomic_load_explicit(&h->scavenging, memory_order_relaxed);
        if (nbacked == 0 || (n == 0 && (!busy || ++nbusy == BUSY_TRIES)) ||
            !helper_sleep_ns(&h->helper, busy ? BUSY_NS : 0))
            return;
    }
}

// absent_bytes returns how much of the heap has no memory.
static uint64_t absent_bytes(void) {
    static struct mound_memstats st; // the helper's; too large for small stacks
    mound_read_memstats(&st, sizeof st);
    return st.heap_released + st.heap_holes;
}

// release does what mound_malloc_trim does, except for the caches of threads, which only
// those can empty. It takes its result from the counters, because pages that become free
// on the way may be released by the scavenger at once.
static int64_t release(void) {
    struct mheap *h = &mound_heap;
    if (!mem_can_release())
        return -ENOTSUP; // functions of the program would have to be called
    uint64_t before = absent_bytes();
    while (thread_drain_orphan())
        continue;
    runtime_reclaim();
    mheap_drop_held(h);
    atomic_store_explicit(&h->release_refused, false, memory_order_relaxed);
    release_runs(h);
    scavenger_release_holes(h);
    uint64_t after = absent_bytes();
    return after > before ? (int64_t)(after - before) : 0;
}

static int64_t start_profile(uint64_t rate) {
    if (rate != 0 && !profile_begun())
        peak_keep(&profile_table);
    return profile_request(rate);
}

// want_profile makes the next thread that allocates or frees write a profile.
static int64_t want_profile(enum mound_page_op op) {
    if (!profile_begun() ||
        (op == MOUND_PAGE_PROFILE_PEAK && !peak_is_kept(&profile_table)))
        return -ENODATA;
    // release: partner in control_write
    atomic_store_explicit(&control.due, op, memory_order_release);
    runtime_set_chore(RUNTIME_CHORE_PROFILE, true);
    profile_hurry();
    return 0;
}

static int64_t publish(void) {
    if (!thread_enter())
        return -EBUSY;
    runtime_enter();
    control.publish(/* whole= */ true);
    thread_leave();
    return 0;
}

static int64_t answer(uint32_t op, uint64_t arg) {
    if (runtime_passive() && op != MOUND_PAGE_PUBLISH)
        return -ENOTSUP;
    switch (op) {
    case MOUND_PAGE_PUBLISH:
        return publish();
    case MOUND_PAGE_RELEASE:
        return release();
    case MOUND_PAGE_PROFILE_START:
        return start_profile(arg);
    case MOUND_PAGE_PROFILE_STOP:
        return profile_unrequest();
    case MOUND_PAGE_PROFILE_WRITE:
    case MOUND_PAGE_PROFILE_PEAK:
        return want_profile((enum mound_page_op)op);
    default:
        return -EINVAL;
    }
}

void control_answer(void) {
    struct mound_page_control *box = box_now();
    if (box == NULL)
        return;
    // acquire: sees op and arg; partner: the release of the requesting process
    uint32_t requested = __atomic_load_n(&box->requested, __ATOMIC_ACQUIRE);
    if (requested == control.answered)
        return;
    control.answered = requested;
    // Each is read once: another process may change it at any time.
    uint32_t op = __atomic_load_n(&box->op, __ATOMIC_RELAXED);
    uint64_t arg = __atomic_load_n(&box->arg, __ATOMIC_RELAXED);
    int64_t result = answer(op, arg);
    __atomic_store_n(&box->result, result, __ATOMIC_RELAXED);
    // release: a process that waits for done sees the result
    __atomic_store_n(&box->done, requested, __ATOMIC_RELEASE);
    sys_futex_wake_shared((_Atomic uint32_t *)&box->done);
}

// The file, by a thread of the program.

static int write_profile(int fd) {
    return profile_write(MPROF_PPROF, fd);
}

static int write_peak(int fd) {
    return mprof_write_peak(&profile_table, MPROF_PPROF, fd, 0);
}

static void write_due(struct mound_page_control *box) {
    // acquire: sees what was written before the request; partner: release in want_profile
    uint32_t op =
        atomic_exchange_explicit(&control.due, 0, memory_order_acq_rel);
    if (op == 0)
        return;
    const struct outfile file = {
        .path = control.path,
        .write = op == MOUND_PAGE_PROFILE_PEAK ? write_peak : write_profile};
    uint64_t number = ++control.nwritten;
    int error = outfile_write(&file, number);
    __atomic_store_n(&box->profile_result, (int64_t)error, __ATOMIC_RELAXED);
    // release: a process that sees the number sees the result
    __atomic_store_n(&box->profile_done, number, __ATOMIC_RELEASE);
    sys_futex_wake_shared((_Atomic uint32_t *)&box->profile_done);
}

void control_write(void) {
    struct mound_page_control *box = box_now();
    // A child of vfork leaves it to its parent. If one is being written, the next is
    // written after it. acquire: partner: release below
    if (box == NULL || filter_came() || runtime_is_borrowed() ||
        atomic_exchange_explicit(&control.writing, true, memory_order_acquire))
        return;
    runtime_set_chore(RUNTIME_CHORE_PROFILE, false);
    write_due(box);
    atomic_store_explicit(&control.writing, false, memory_order_release);
    if (atomic_load_explicit(&control.due, memory_order_relaxed) != 0)
        runtime_set_chore(RUNTIME_CHORE_PROFILE, true);
}

// The helper.

// wait_for_work sleeps until a request comes, the scavenger has work, or threads are to
// be hurried again; false: the helper is to end.
static bool wait_for_work(struct mheap *h, uint32_t heard, int *nidle,
                          int *nhurried) {
    bool rests = *nidle >= SCAVENGER_HELP_IDLE;
    bool hurry = *nhurried < HURRIED_MAX &&
                 atomic_load_explicit(&control.due, memory_order_relaxed) != 0;
    uint64_t begin = sys_now_ns();
    if (!helper_wait(&h->helper, heard,
                     hurry   ? HURRY_NS
                     : rests ? HELPER_REST_NS
                             : SCAVENGER_HELP_NS))
        return false;
    uint64_t slept = sys_now_ns() - begin;
    if (slept >= HELPER_REST_NS - HELPER_REST_NS / 8) { // a coarse clock
        helper_end_if_left();
        return true;
    }
    *nhurried = hurry ? *nhurried + 1 : 0;
    if (hurry)
        profile_hurry();
    // A bell may mean that memory was freed. Not at each one: there may be many.
    else if (rests || slept >= SCAVENGER_HELP_NS / 2)
        *nidle = scavenger_help_look(h) || rests ? 0 : *nidle + 1;
    return true;
}

static void serve(void *arg) {
    struct mheap *h = arg;
    struct mound_page_control *box = box_now();
    int nidle = SCAVENGER_HELP_IDLE, nhurried = 0;
    uint32_t heard;
    set_listening(box, MOUND_PAGE_LISTENS);
    do {
        heard = helper_listen(&h->helper);
        control_answer();
    } while (wait_for_work(h, heard, &nidle, &nhurried));
    set_listening(box, MOUND_PAGE_PAUSED);
}

void control_init(void) {
    mound_heap.help = serve;
    mound_heap.help_always = true; // the helper exists anyway
    mound_heap.helper.answers = true;
}

// Only the numbers of id: its text may be from another process.
static void set_path(const struct mound_page_identity *id) {
    struct print out = print_to(PRINT_NOWHERE);
    print_str(&out, "/dev/shm/mound-");
    print_u64(&out, id->uid);
    print_str(&out, "/%p-");
    print_u64(&out, id->start_ticks);
    print_str(&out, ".pb.gz");
    print_char(&out, '\0');
    memcpy(control.path, out.buf, min_size(out.n, PATH_BYTES));
}

void control_start(struct mound_page *page, void (*to_publish)(bool whole)) {
    struct helper *helper = &mound_heap.helper;
    if (!helper->answers)
        return;
    helper_pause(helper); // it may serve another page, or none
    control.publish = to_publish;
    control.answered =
        __atomic_load_n(&page->control.requested, __ATOMIC_RELAXED);
    atomic_store_explicit(&control.due, 0, memory_order_relaxed);
    control.nwritten = 0;
    set_path(&page->identity);
    // release: partner in helper_listen
    atomic_store_explicit(&helper->bell,
                          (_Atomic uint32_t *)&page->control.bell,
                          memory_order_release);
    set_listening(&page->control, MOUND_PAGE_PAUSED); // until it runs
    // release: partner in box_now
    atomic_store_explicit(&control.box, &page->control, memory_order_release);
    helper_resume(helper);
    control_resume();
}

bool control_resume(void) {
    struct mound_page_control *box = box_now();
    if (box == NULL)
        return false;
    if (filter_noted())
        control_filtered();
    else
        helper_start(&mound_heap.helper, mound_heap.help, &mound_heap);
    return true;
}

void control_filtered(void) {
    struct mound_page_control *box = box_now();
    if (box != NULL)
        set_listening(box, MOUND_PAGE_FILTERED);
}

void control_forked(void) {
    // A request was the parent's, and the child does not write to that one's page.
    atomic_store_explicit(&control.box, NULL, memory_order_relaxed);
    atomic_store_explicit(&control.due, 0, memory_order_relaxed);
    atomic_store_explicit(&control.writing, false, memory_order_relaxed);
    runtime_set_chore(RUNTIME_CHORE_PROFILE, false);
}
