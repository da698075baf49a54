// mcentral_sample.h: prof/'s records of the objects in a store of sampled ones: a
// pointer for each slot, in an array beside its span.
#ifndef MOUND_HEAP_MCENTRAL_SAMPLE_H
#define MOUND_HEAP_MCENTRAL_SAMPLE_H

#include "heap/mcentral.h"
#include "heap/mheap.h"

// mcentral_add_samples gives n spans that were not published yet such arrays, moves those
// to the front for which there was memory, and returns how many; the others are given
// back. mcentral_free_samples returns the array of a span.
size_t mcentral_add_samples(struct mheap *heap, struct mspan **spans, size_t n);
void mcentral_free_samples(struct mheap *heap, struct mspan *s);

// mcentral_sample_put notes prof/'s record of an object that
// mcentral_alloc_one of a store of sampled objects returned.
// mcentral_sample_take takes it back, once: NULL says that p is no such object,
// or was freed before.
void mcentral_sample_put(struct mcentral *mc, void *p, void *sample);
void *mcentral_sample_take(struct mcentral *mc, void *p);

#endif // MOUND_HEAP_MCENTRAL_SAMPLE_H
