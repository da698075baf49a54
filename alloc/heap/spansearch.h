// spansearch.h: finds the span of an address by a walk over all spans, for
// addresses that the page map does not have: inside a large object, or in free
// memory. For reports; one step for each span, under the lock.
#ifndef MOUND_HEAP_SPANSEARCH_H
#define MOUND_HEAP_SPANSEARCH_H

#include "heap/mheap.h"

// mheap_span_containing returns the live span that addr lies in, or NULL.
struct mspan *mheap_span_containing(struct mheap *h, uintptr_t addr);

// mheap_page_is_free says whether addr is in a page of the heap that no live span
// has.
bool mheap_page_is_free(struct mheap *h, uintptr_t addr);

#endif // MOUND_HEAP_SPANSEARCH_H
