// origin.h: what reports of misuse say about a sampled object: the stacks that allocated
// and freed it.
#ifndef MOUND_ORIGIN_H
#define MOUND_ORIGIN_H

#include "base/print.h"

struct mbucket;

// origin_freed remembers that p, a sampled object, was freed; freed is NULL if the stack
// is not known. Any thread, no lock.
void origin_freed(const void *p, struct mbucket *allocated,
                  struct mbucket *freed);

// origin_describe prints what is known about p: the stack of the live object that
// contains it, or those of the last object that was freed at p. p may have any value;
// for report_set_describe.
void origin_describe(struct print *out, const void *p);

#endif // MOUND_ORIGIN_H
