// profile.h: the heap profile of this process: which objects are sampled, and
// when a profile is written. What a profile is: prof/mprof.h.
//
// Which malloc is sampled costs the fast paths one test of a count that they
// raise anyway (mcache_sample_after); what is outside of magazines, large objects
// above all, is chosen by a countdown of bytes in each thread. A sampled object
// lies in a span of its own kind, with class byte 0, or is a large one: so its
// free takes the slow path, and that of any other object knows nothing of it.
#ifndef MOUND_PROFILE_H
#define MOUND_PROFILE_H

#include <stdatomic.h>

#include "base/compiler.h"

struct mcache;
struct mspan;

// profile_epoch is 0 until a profile is started, rises with each start and stop,
// and is odd while one is taken.
extern _Atomic uint16_t profile_epoch HIDDEN;

ALWAYS_INLINE bool profile_on(void) {
    return atomic_load_explicit(&profile_epoch, memory_order_relaxed) & 1;
}

// profile_init, in the constructor, does what the environment asks for. It may
// allocate and load libunwind. Once.
void profile_init(void);

// profile_start begins to sample with a mean of rate bytes between samples, or
// changes the rate, and returns 0 or -errno. Threads that are in no slow path
// are told by a barrier (membarrier); where the kernel has none they begin with
// their next slow path. profile_stop ends sampling: what was sampled stays, and
// frees of it are still counted.
int profile_start(uint64_t rate);
int profile_stop(void);

// profile_begin_pending is for each slow path, before it is entered: the first one
// after the C library's constructor loads libunwind and starts what profile_init
// found wanted.
COLD void profile_begin(void);
extern bool profile_pending HIDDEN;
ALWAYS_INLINE void profile_begin_pending(void) {
    if (UNLIKELY(profile_pending))
        profile_begin();
}

// profile_prepare_thread is thread_leave's, for a thread that has not seen the
// present epoch.
COLD void profile_prepare_thread(void);

// What slow paths call, with no lock held and within thread_enter. They leave the
// slow path for as long as the stack is taken: nested calls of malloc are served,
// and not sampled.

// profile_small returns a sampled object of a class, or NULL: the caller goes on
// as without a profile. profile_small_due is for a magazine whose next malloc
// is due, which is not due any more when NULL is returned. size and align are
// what was asked for.
void *profile_small(unsigned sizeclass, size_t size, size_t align);
void *profile_small_due(struct mcache *c, unsigned sizeclass, size_t size,
                        size_t align);

// profile_wants counts nbytes that are allocated outside of magazines and says
// whether that object is to be sampled.
bool profile_wants(size_t nbytes);

// profile_large samples a large object. profile_resized is for one whose number
// of pages changed, maybe with its place, which was old: in the profile it is freed
// and allocated again.
void profile_large(struct mspan *s);
void profile_resized(struct mspan *s, const void *old);

// profile_freed counts the free of a sampled object and remembers it for reports.
void profile_freed(const void *p, void *sample);

// Forks. The tables are locked with everything else that is shared; before and
// after come what starts and stops it, and the child's stacks. profile_repair is
// for a child that was made without handlers.
void profile_before_fork(void);
void profile_after_fork(bool child);
void profile_lock_tables(void);
void profile_unlock_tables(void);
void profile_repair(void);

// profile_writes_at_exit says whether MOUND_PROFILE asks for a profile, and
// profile_at_exit writes it. process_exiting calls it, once in each process.
bool profile_writes_at_exit(void);
void profile_at_exit(void);

#endif // MOUND_PROFILE_H
