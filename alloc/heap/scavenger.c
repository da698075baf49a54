// scavenger.c: see scavenger.h. Slow paths do this work. All threads of a
// program may go to sleep after the last free, so that free starts a helper
// (scavenger_help.c), which checks every 100 ms and ends after a second with
// nothing to do. A program with one thread, or with one left, gets no helper.
#include "heap/scavenger.h"

#include "heap/keptspans.h"
#include "heap/mcentral_drain.h"
#include "heap/memlimit.h"
#include "heap/scavenger_goal.h"
#include "heap/scavenger_visit.h"
#include "os/sys.h"

enum {
    TICK_NS = PAGECURSOR_AGE_NS,
    TICK_PAGES = 4 * CHUNK_PAGES,      // what one tick releases at most
    HELPER_TICKS = SYS_TICKS_STEP / 4, // of the helper
    AGE_TICKS = 10, // of TICK_NS: minimum age of a chunk's last use
    // When a walk over holes goes on in a tick: by so many ticks, and ns.
    SOON_TICKS = SYS_TICKS_STEP / 4,
    SOON_NS = 4 * 1000 * 1000,
};

// collect_idle frees pages that classes and the heap keep and that were not
// used since the last call, for as long as a visit may take. The next call
// continues with the class where this one ended.
static void collect_idle(struct mheap *h) {
    uint64_t begin = sys_ticks();
    unsigned n = mheap_ncentrals(h);
    unsigned at = atomic_load_explicit(&h->collect_at, memory_order_relaxed);
    bool late = false;
    for (unsigned i = 0; i < n && !late; i++, at++) {
        if (!mheap_is_used(h, at % n))
            continue;
        while (!late && mcentral_drain_idle(mheap_central(h, at % n)))
            late = sys_ticks() - begin > SCAVENGER_VISIT_TICKS;
        late = late || sys_ticks() - begin > SCAVENGER_VISIT_TICKS;
    }
    atomic_store_explicit(&h->collect_at, at % n, memory_order_relaxed);
    while (!late && mheap_drop_kept(h))
        late = sys_ticks() - begin > SCAVENGER_VISIT_TICKS;
}

// give_back gives back what is due at now_ns, for as long as the budget lasts.
// Returns how many free pages with memory are left.
static uint64_t give_back(struct mheap *h, uint64_t now_ns, uint64_t goal,
                          uint64_t nbacked, uint64_t budget_ticks) {
    uint64_t begin = sys_ticks();
    bool turn = atomic_load_explicit(&h->holes_first, memory_order_relaxed);
    atomic_store_explicit(&h->holes_first, !turn, memory_order_relaxed);
    struct holes_visit holes = {
        .most = SIZE_MAX, .begin_ticks = begin, .budget_ticks = budget_ticks};
    if (turn)
        scavenger_visit_holes(h, now_ns, holes);
    if (nbacked > goal)
        nbacked -= scavenger_visit(
            h, (struct scavenger_visit){
                   .npages = min_size(nbacked - goal, TICK_PAGES),
                   .least = 1,
                   .nshort = SIZE_MAX,
                   .age = AGE_TICKS,
                   .who = "tick",
                   .begin_ticks = begin,
                   .budget_ticks = budget_ticks,
               });
    if (!turn)
        scavenger_visit_holes(h, now_ns, holes);
    return nbacked;
}

// look does what is due at now_ns, and says whether more is left than a heap at
// rest keeps.
static bool look(struct mheap *h, uint64_t now_ns, uint64_t budget_ticks) {
    collect_idle(h);
    mutex_lock(&h->lock);
    uint64_t goal = scavenger_goal_locked(h, now_ns);
    if (memlimit_near_locked(h) && memlimit_may_spend(h))
        goal = SCAVENGER_FLOOR_PAGES;
    h->pages.now = pagecursor_age(now_ns);
    uint64_t nbacked = h->pages.nbacked;
    uint64_t rest = scavenger_rest_pages(h);
    mutex_unlock(&h->lock);
    nbacked = give_back(h, now_ns, goal, nbacked, budget_ticks);
    bool more = nbacked > rest ||
                atomic_load_explicit(&h->holes_left, memory_order_relaxed) !=
                    HOLES_NONE;
    atomic_store_explicit(&h->restless, more, memory_order_relaxed);
    return more;
}

void scavenger_tick(struct mheap *h) {
    // The clock is a system call; the counter of cycles says when to read it.
    uint64_t ticks = sys_ticks();
    uint64_t last = atomic_load_explicit(&h->tick_ticks, memory_order_relaxed);
    if (ticks - last < (scavenger_walking(h) ? SOON_TICKS : SYS_TICKS_STEP))
        return;
    atomic_store_explicit(&h->tick_ticks, ticks, memory_order_relaxed);
    uint64_t now = sys_now_ns();
    uint64_t due = atomic_load_explicit(&h->tick_ns, memory_order_relaxed);
    if (now < due)
        return;
    // Two threads may both find it due; both then run, which is harmless.
    atomic_store_explicit(&h->tick_ns, now + TICK_NS, memory_order_relaxed);
    if (atomic_load_explicit(&h->quiet_pages, memory_order_relaxed) > 0)
        return;
    look(h, now, SCAVENGER_VISIT_TICKS);
    if (scavenger_walking(h))
        atomic_store_explicit(&h->tick_ns, now + SOON_NS, memory_order_relaxed);
}

bool scavenger_help_look(struct mheap *h) {
    return look(h, sys_now_ns(), HELPER_TICKS) &&
           !atomic_load_explicit(&h->release_refused, memory_order_relaxed);
}

// help is the helper thread: it ends once there was nothing to do for a while.
static void help(void *arg) {
    struct mheap *h = arg;
    for (int nidle = 0; nidle < SCAVENGER_HELP_IDLE; nidle++) {
        if (!helper_sleep_ns(&h->helper, SCAVENGER_HELP_NS))
            return;
        if (scavenger_help_look(h))
            nidle = 0;
    }
}

COLD void scavenger_init(struct mheap *h) {
    h->help = help;
}
