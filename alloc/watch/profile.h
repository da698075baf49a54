// profile.h: the heap profile of this process: its table, its start and its stop.
// prof/mprof.h describes profiles, watch/sampled.h which objects are in one,
// watch/profilefile.h when it is written.
//
// Choosing the mallocs to sample costs the fast paths one test of a count that they
// raise anyway (duemalloc_after). Allocations outside of magazines, mostly large
// objects, are chosen by a countdown of bytes in each thread. A sampled object is in a
// span for samples, whose class byte is 0, or is large. So its free takes the slow
// path, and frees of other objects cost nothing more.
#ifndef MOUND_PROFILE_H
#define MOUND_PROFILE_H

#include "prof/mprof_write.h"

// profile_table is all zero until profile_begin.
extern struct mprof profile_table HIDDEN;

// profile_wanted says whether the environment asks for samples: a profile, or guards.
bool profile_wanted(void);

// profile_start begins to sample with a mean of rate bytes between samples, or
// changes the rate, and returns 0 or -errno. Threads outside of slow paths see it
// after a barrier (membarrier); if the kernel has none, at their next slow path.
// profile_stop stops: existing samples stay in the profile, and frees of them are
// still counted.
int profile_start(uint64_t rate);
int profile_stop(void);

// profile_request does so for another process, and profile_unrequest ends the request.
// With several requests sampling goes on at the rate of the first until the last one
// ends. They return 0 or -errno; or 1: the program itself is sampling, which continues;
// profile_unrequest also if other requests are left.
int profile_request(uint64_t rate);
int profile_unrequest(void);

// profile_follow starts sampling for a tracer, if none is active; profile_unfollow stops
// it, unless the program or a request has started or stopped sampling since. In a slow
// path, without locks.
void profile_follow(uint64_t rate);
void profile_unfollow(void);

// profile_begin makes an empty table, so that a program that took no sample can write a
// profile. It returns false if it cannot.
bool profile_begin(void);

// profile_begun says whether there is a table. profile_write writes it to fd and
// returns 0 or -errno: -ENODATA if there is none.
bool profile_begun(void);
int profile_write(enum mprof_format format, int fd);

// profile_hurry makes the next malloc or free of each thread take the slow path, except
// in a thread that is about to leave one. It starts a new epoch; sampling goes on if it
// is active.
void profile_hurry(void);

// Forks. The lock on starts and stops is separate from the table's lock and is taken
// before all others. profile_repair is for a child whose fork ran no handlers.
struct mutex *profile_starts_mutex(void);
void profile_repair(void);

#endif // MOUND_PROFILE_H
