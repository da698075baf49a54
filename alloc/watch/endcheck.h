// endcheck.h: checks the marks of objects that are live when the process ends, with
// MOUND_HARDENED=2. It finds overflows of objects that are never freed.
#ifndef MOUND_ENDCHECK_H
#define MOUND_ENDCHECK_H

// endcheck_live checks live objects, at most 2^17 of them, and reports the first 8
// whose marks were overwritten. Within a slow path; other threads may run. It
// holds mheap.lock meanwhile: some 20 ms at most.
void endcheck_live(void);

#endif // MOUND_ENDCHECK_H
