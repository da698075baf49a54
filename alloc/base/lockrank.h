// lockrank.h: the order in which locks may be taken, lowest first. A thread
// that holds a lock takes only locks of a higher rank. Debug builds check it
// at every lock (lockrank_acquire); two locks of mcentral are held at once only
// by fork and by memstats' walk, in ascending order of class.
#ifndef MOUND_BASE_LOCKRANK_H
#define MOUND_BASE_LOCKRANK_H

enum lockrank {
    LOCKRANK_FORK,
    LOCKRANK_PAGE,
    LOCKRANK_THREADS,
    LOCKRANK_SCAVENGER,
    LOCKRANK_MCENTRAL,
    LOCKRANK_MHEAP,
    LOCKRANK_SPECIAL,
    LOCKRANK_MPROF,
    LOCKRANK_PERSISTENT,
    LOCKRANK_COUNT,
};

#endif // MOUND_BASE_LOCKRANK_H
