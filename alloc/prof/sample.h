// sample.h: which object is the next to be sampled.
//
// An object of size bytes has the chance 1 - e^(-size/rate), as if samples fell
// on the bytes that are allocated like rain, a rate of bytes apart: Go's and
// everybody's profiles are scaled up by that formula, here as there. But where Go
// draws each gap anew from the exponential distribution (a Poisson process), gaps
// here are between half and one and a half of their mean. Each object's chance is the same,
// and what is estimated is off by much less: a site that allocated 50 MB at a rate
// of 512 KiB has 100 samples, give or take 10 by a Poisson process (so one site in
// eight is off by more than 15 %), give or take 3 by this one. The jitter, and
// the random start of each thread and size class, keep it from falling into step
// with a program's loops. Of objects that nearly always have a sample, those that
// have none are chosen in this way. Source of the idea: systematic sampling with unequal probabilities (Madow
// 1949), as a renewal process.
#ifndef MOUND_PROF_SAMPLE_H
#define MOUND_PROF_SAMPLE_H

#include "base/compiler.h"

// sample_chance returns 1 - e^(-size/rate), to a few units of the last place; 1
// when rate is 0 or 1.
double sample_chance(uint64_t size, uint64_t rate);

// Of objects that all have one chance: sample_first returns which one is sampled
// first, counted from 1, and sample_gap which one after that.
uint64_t sample_first(uint64_t *random, double chance);
uint64_t sample_gap(uint64_t *random, double chance);

// struct sampler chooses among objects of many sizes. All zero is not started.
struct sampler {
    double left; // sum of chances to the next sample
    double out;  // sum of chances to the next large object that has none
};
void sampler_start(struct sampler *s, uint64_t *random);

// sampler_wants says whether the next object, with this chance, is sampled.
bool sampler_wants(struct sampler *s, uint64_t *random, double chance);

#endif // MOUND_PROF_SAMPLE_H
