// threadend.c: what runs when a thread ends. It is a destructor of thread-specific
// data. The C library calls those in any order, in rounds:
//
//   rounds 1 and 2   nothing: other destructors may still allocate and free
//   round 3          frees the cache (thread_drop_cache) and writes the page if it is
//                    due; when that slow path ends, does the frees that handlers
//                    deferred. From then on the thread is served one slot at a time
//
// A thread that ends by a raw system call runs nothing; its cache is lost.
#include "life/threadend.h"

#include "os/threadexit.h"
#include "runtime/thread.h"
#include "watch/page.h"

enum { LAST_ROUND = 3 };

static void at_end(void) {
    struct thread_tls *t = &thread_tls;
    if (++t->nrounds < LAST_ROUND && threadexit_arm())
        return;
    if (!thread_enter())
        return;
    thread_drop_cache();
    if (UNLIKELY(page_watched))
        page_thread_ends();
    t->state = THREAD_DEAD;
    thread_leave();
}

COLD void threadend_start(void) {
    thread_init_exit(at_end);
}
