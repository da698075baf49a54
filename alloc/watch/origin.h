// origin.h: what reports of misuse say of a sampled object: who allocated it, and
// who freed it.
#ifndef MOUND_ORIGIN_H
#define MOUND_ORIGIN_H

#include "base/print.h"

struct mbucket;

// origin_freed remembers that p, a sampled object, was freed; NULL: not known by
// whom. Any thread, no lock.
void origin_freed(const void *p, struct mbucket *allocated,
                  struct mbucket *freed);

// origin_describe prints what is known of p: of the live object that it is in, or of
// the one freed lately that began there. Any value; for report_set_describe.
void origin_describe(struct print *out, const void *p);

#endif // MOUND_ORIGIN_H
