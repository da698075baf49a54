// sizes.h: how much larger slots are than the objects in them (rounding), from a sample
// of mallocs. Gathered only if the result may be read (MOUND_STATS, MOUND_WATCH);
// otherwise it costs nothing.
//
// Only malloc knows the size of an object, and a hit has no time to record it. So some
// mallocs of each class are made due (heap/duemalloc.h), at random distances that are
// uniform around a mean. The mean grows with the number of mallocs looked at, which is
// about 5.6 * sqrt(n) of n mallocs, and at least one in 4096. Each counts for as many
// mallocs as the mean at its time. A class's estimate, its live objects times its mean
// loss, is off by some 4 % after 1000 mallocs and 2 % after 10 000 (one standard
// deviation, sizes uniform between 0 and a whole slot). It does not see whether objects
// that live long have other sizes than those that are freed soon, nor objects that
// realloc left in place. Large objects are all counted except those from a thread's
// cache.
#ifndef MOUND_SIZES_H
#define MOUND_SIZES_H

#include "base/compiler.h"

struct mcache;

// sizes_start begins. Called by the constructor.
void sizes_start(void);

// sizes_arm makes the next malloc of each class that the cache has used due. Within a
// slow path of its owner.
void sizes_arm(struct mcache *c);

// sizes_due handles a malloc of size bytes that is due while no profile is taken: it
// records the size, makes the next one due, and says whether this one is to run the
// scavenger. It also makes some frees of the class checked, as often as freecheck.h says.
bool sizes_due(struct mcache *c, unsigned sizeclass, uint64_t size,
               uint64_t *random);

// sizes_note counts a malloc of size bytes that got slot bytes: a slot, or pages.
void sizes_note(unsigned sizeclass, uint64_t size, uint64_t slot);

// sizes_rounding estimates the bytes of the slots of live objects of a class beyond the
// requested sizes; UINT64_MAX: no malloc of it was looked at. Any thread.
uint64_t sizes_rounding(unsigned sizeclass, uint64_t live);

#endif // MOUND_SIZES_H
