// sample.h: chooses the objects to sample.
//
// An object of size bytes is sampled with probability 1 - e^(-size/rate), the
// formula by which Go's and other tools scale profiles. Go draws each gap anew
// from the exponential distribution (a Poisson process); here gaps are between
// 0.5 and 1.5 times their mean. Each object's probability is the same, and
// estimates are much closer: a site that allocated 50 MB at a rate of 512 KiB
// has 100 samples, +- 10 by a Poisson process (so one site in eight is off by
// more than 15 %), +- 3 by this one. The jitter, and the random start of each
// thread and size class, prevent resonance with a program's loops. Of objects
// that are nearly always sampled, the exceptions are chosen this way. Source:
// systematic sampling with unequal probabilities (Madow 1949), as a renewal
// process.
#ifndef MOUND_PROF_SAMPLE_H
#define MOUND_PROF_SAMPLE_H

#include "base/compiler.h"

// sample_chance returns 1 - e^(-size/rate), to a few units of the last place; 1
// when rate is 0 or 1.
double sample_chance(uint64_t size, uint64_t rate);

// For objects with equal probabilities: sample_first returns the index of the
// first sampled one, from 1, sample_gap the distance to the next.
uint64_t sample_first(uint64_t *random, double chance);
uint64_t sample_gap(uint64_t *random, double chance);

// struct sampler chooses among objects of many sizes. All zero is not started.
struct sampler {
    double left; // sum of chances to the next sample
    double out;  // sum of chances to the next large object without a sample
};
void sampler_start(struct sampler *s, uint64_t *random);

// sampler_wants says whether the next object, with this probability, is
// sampled.
bool sampler_wants(struct sampler *s, uint64_t *random, double chance);

#endif // MOUND_PROF_SAMPLE_H
