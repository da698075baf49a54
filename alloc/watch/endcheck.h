// endcheck.h: the marks of objects that are live when the process ends, with
// MOUND_HARDENED=2: who wrote past one that nobody frees is found here.
#ifndef MOUND_ENDCHECK_H
#define MOUND_ENDCHECK_H

// endcheck_live looks at live objects, at most 2^17 of them, and reports the first
// few whose marks were written to. Within a slow path; other threads may go on. It
// holds mheap.lock while it looks: some 20 ms at most.
void endcheck_live(void);

#endif // MOUND_ENDCHECK_H
