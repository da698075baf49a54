// sampled.h: objects that the heap profile samples, from malloc to free.
//
// Slow paths call these, with no lock held and within thread_enter. They leave the
// slow path while the stack is taken: nested calls of malloc are served, but not
// sampled.
#ifndef MOUND_SAMPLED_H
#define MOUND_SAMPLED_H

#include "base/compiler.h"

struct mcache;
struct mspan;

// sampled_small returns a sampled object of a class; NULL: allocate as without a
// profile. sampled_small_due is for a magazine whose next malloc is due; if it
// returns NULL, that malloc is not due any more. size and align are those of the
// request.
void *sampled_small(unsigned sizeclass, size_t size, size_t align);
void *sampled_small_due(struct mcache *c, unsigned sizeclass, size_t size,
                        size_t align);

// sampled_wants counts an allocation of nbytes outside of magazines and says whether it
// is to be sampled.
bool sampled_wants(size_t nbytes);

// sampled_large samples a large object. sampled_resized is called when its number of
// pages changed, and perhaps its address, which was old: the profile counts a free and
// an allocation.
void sampled_large(struct mspan *s);
void sampled_resized(struct mspan *s, const void *old);

// sampled_freed counts the free of a sampled object and remembers it for reports.
void sampled_freed(const void *p, void *sample);

// sampled_forked, in the child of a fork: no other thread is taking a stack.
void sampled_forked(void);

#endif // MOUND_SAMPLED_H
