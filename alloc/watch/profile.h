// profile.h: the heap profile of this process: its table, its start and its stop.
// What a profile is: prof/mprof.h. Which objects are in it: watch/sampled.h. When it
// is written: watch/profilefile.h.
//
// Which malloc is sampled costs the fast paths one test of a count that they
// raise anyway (duemalloc_after); what is outside of magazines, large objects
// above all, is chosen by a countdown of bytes in each thread. A sampled object
// is in a span of a kind of its own, with class byte 0, or is a large one. So its
// free takes the slow path, and the free of any other object costs nothing more.
#ifndef MOUND_PROFILE_H
#define MOUND_PROFILE_H

#include "prof/mprof_write.h"

// profile_table is all zero until profile_begin.
extern struct mprof profile_table HIDDEN;

// profile_wanted says whether the environment names a use for samples.
bool profile_wanted(void);

// profile_start begins to sample with a mean of rate bytes between samples, or
// changes the rate, and returns 0 or -errno. Threads that are in no slow path
// see it after a barrier (membarrier); where the kernel has none they begin with
// their next slow path. profile_stop ends sampling: what was sampled stays, and
// frees of it are still counted.
int profile_start(uint64_t rate);
int profile_stop(void);

// profile_request does so for somebody outside, and profile_unrequest ends it. While there
// are several, samples go on at the rate of the first until the last one has ended it.
// They return 0 or -errno; or 1: the program takes samples by itself, and goes on; or, at
// the end, others still do.
int profile_request(uint64_t rate);
int profile_unrequest(void);

// profile_follow starts samples for a tracer, if none are taken; profile_unfollow stops
// these, if nobody else started or stopped any since. In a slow path, without locks.
void profile_follow(uint64_t rate);
void profile_unfollow(void);

// profile_begin makes the table of a program that has allocated nothing, so that an
// empty profile can be written. It returns false if it cannot.
bool profile_begin(void);

// profile_begun says whether there is a table. profile_write writes it to fd and
// returns 0 or -errno: -ENODATA if there is none.
bool profile_begun(void);
int profile_write(enum mprof_format format, int fd);

// profile_hurry makes the next call of malloc or free of each thread a slow one, but of
// one that is about to leave a slow path now. As at a start of samples; if such are taken,
// they go on.
void profile_hurry(void);

// Forks. The lock on starts and stops is apart from that of the table: it is taken
// before all others. profile_repair is for a child that was made without handlers.
struct mutex *profile_starts_mutex(void);
void profile_repair(void);

#endif // MOUND_PROFILE_H
