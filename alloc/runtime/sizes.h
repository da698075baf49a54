// sizes.h: what mallocs request, from a part of them: how much slots are larger than the
// objects in them. Gathered while somebody will read it (MOUND_STATS, MOUND_WATCH);
// otherwise it costs nothing.
//
// The size of an object is known in its malloc alone, and a hit has no time to note it.
// So some mallocs are made due (heap/duemalloc.h), of each class at distances that are
// random, uniform around a mean that grows with the square root of what was looked at:
// of n mallocs some 5.6 * sqrt(n), and at least one in 4096. Each counts for as many as
// the mean at its time. A class's estimate, live objects times the mean loss, is off by
// some 4 % after 1000 mallocs and 2 % after 10 000 (one standard deviation, sizes uniform
// between 0 and a whole slot). What it cannot know: whether objects that stay have other
// sizes than those that go soon, and objects that realloc left in place. Large objects
// are all counted but those that come out of a thread's cache.
#ifndef MOUND_SIZES_H
#define MOUND_SIZES_H

#include "base/compiler.h"

struct mcache;

// sizes_start begins, in the constructor.
void sizes_start(void);

// sizes_arm makes the next malloc of each class that the cache has used due. Within a
// slow path of its owner.
void sizes_arm(struct mcache *c);

// sizes_due is what a malloc of size bytes that is due does, if no profile is taken: it
// looks at the size, makes the next one due, and says whether this one shall go to the
// scavenger. Sometimes the next free of the class is checked, about as often as without.
bool sizes_due(struct mcache *c, unsigned sizeclass, uint64_t size,
               uint64_t *random);

// sizes_note counts a malloc of size bytes that has a slot, or pages, of so many bytes.
void sizes_note(unsigned sizeclass, uint64_t size, uint64_t slot);

// sizes_rounding returns an estimate of the bytes of so many live objects of a class that
// nobody requested, or UINT64_MAX: no malloc of it was looked at. Any thread.
uint64_t sizes_rounding(unsigned sizeclass, uint64_t live);

#endif // MOUND_SIZES_H
