// helper.h: one thread of our own: short-lived, in programs that have threads; for good
// in a process that answers requests from outside (MOUND_CONTROL).
//
// It is none of the C library's threads: the C library would wait for it when
// the last other thread ends, take locks while making it, and allocate. So it
// has a stack and thread-local memory of its own, all signals blocked, and may
// call nothing that uses errno or other thread-local variables.
//
// It has the rights of the thread that started it, and the C library, which lets all
// its threads change theirs together (setuid and its family), does not know it; and
// the kernel refuses unshare and setns where there is another thread. So it is paused
// for such calls: it is gone when they are made (preload/rights.c).
//
// Its stack is memory that every thread can write to, as all stacks are. It is of no
// use to who does: it puts itself under a filter that lets it give memory back and
// end, and nothing else, and it has a root and a current folder of its own ("/"), so
// that it holds no file system in use. Where the process is under a filter already,
// which may kill for what that takes, it does without: it is made by the system calls
// that pthread_create makes, with the same flags, and in its life then makes those of
// malloc and exit, so that such a filter lets it be. It sets no name of its own.
//
// One that answers requests may do what these take, too: map memory without the right to
// execute it, make all threads pass a barrier, and open the four files of /proc/self that
// are named here, for reading.
#ifndef MOUND_OS_HELPER_H
#define MOUND_OS_HELPER_H

#include "base/compiler.h"

// struct helper: all zero is one that does not run.
struct helper {
    _Atomic uint32_t tid;     // 0: not running; the kernel clears it at the end
    _Atomic uint32_t npaused; // who paused it; it sleeps on this word
    int pid;                  // of the process that it runs in
    bool open;                // it does not confine itself
    bool answers;             // requests: its filter lets it do more
    char *memory;             // its stack and thread-local memory, kept
    bool stale;               // of a process that forked while it ran
    // The word that it sleeps on in helper_wait, if not npaused: others may have it, too.
    _Atomic uint32_t *_Atomic bell;
    _Atomic bool resting; // it waits long: whoever has work for it rings
};

// What a helper that answers may open: by these pointers, not by their text.
extern const char helper_path_status[] HIDDEN;  // /proc/self/status
extern const char helper_path_rollup[] HIDDEN;  // /proc/self/smaps_rollup
extern const char helper_path_pagemap[] HIDDEN; // /proc/self/pagemap
extern const char helper_path_stat[] HIDDEN;    // /proc/self/stat

// helper_possible says whether a process can have one for good. With the runtime of a
// sanitizer it cannot: that follows memcpy, clone and others of the C library in each
// thread, by thread-local variables which only the threads of pthread_create have.
bool helper_possible(void);

// helper_start lets run(arg) run in a thread, unless it runs already. It returns
// false if it does, or cannot be made, or is paused, or a filter came (os/filter.h).
// Any thread, with or without locks.
bool helper_start(struct helper *h, void (*run)(void *arg), void *arg);

// helper_sleep_ns is for run: it sleeps, and returns false if run is to return.
bool helper_sleep_ns(struct helper *h, uint64_t delay_ns);

// helper_wait is for run as well: it sleeps until somebody rings after helper_listen,
// which comes before run looks for work; or for so long. It returns as helper_sleep_ns.
// From HELPER_REST_NS on it rests.
#define HELPER_REST_NS ((uint64_t)4 * 1000 * 1000 * 1000)
uint32_t helper_listen(const struct helper *h);
bool helper_wait(struct helper *h, uint32_t heard, uint64_t delay_ns);

// helper_ring_resting wakes a helper that rests: once, however many find that it does.
// Any thread, with or without locks.
void helper_ring_resting(struct helper *h);

// helper_end_if_left, for run, ends the process if no other thread of it is left: the
// last one has ended by a bare system call, of which nobody hears.
void helper_end_if_left(void);

// helper_pause ends it and keeps it from being started until as many calls of
// helper_resume. It waits until the kernel has forgotten the thread, for a second at
// most, and says whether there was one. Any thread, without locks of the heap; also in
// a signal handler, and in a child of vfork, where it leaves the parent's alone.
bool helper_pause(struct helper *h);
void helper_resume(struct helper *h);

// helper_here says whether this is that thread.
bool helper_here(void);

// helper_forked is for the child of a fork, where it does not run.
void helper_forked(struct helper *h);

#endif // MOUND_OS_HELPER_H
