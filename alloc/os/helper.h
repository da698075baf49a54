// helper.h: one thread of our own. It is short-lived in programs that have
// threads, and permanent in a process that answers requests from outside
// (MOUND_CONTROL).
//
// It is not made by the C library, which would wait for it when the last other
// thread ends, take locks to create it, and allocate. It has its own stack and
// thread-local memory, blocks all signals, and may call nothing that uses errno
// or other thread-local variables.
//
// It has the credentials of the thread that started it. The C library, which
// changes those of all its threads together (setuid and its family), does not
// know it, and the kernel refuses unshare and setns in a process with another
// thread. So it is paused for such calls (preload/rights.c): it has ended when
// they are made.
//
// Its stack is writable by every thread, as all stacks are. To be of no use to
// an attacker, it confines itself by a seccomp filter to giving memory back and
// ending, and it takes a root and current directory of its own ("/"), which
// keeps no filesystem busy. If the process is under a filter already, which may
// kill for the calls this needs, it does not confine itself: it is created by
// the system calls of pthread_create, with the same flags, and makes only
// system calls of malloc and exit, which such a filter permits. It sets no
// thread name.
//
// A helper that answers requests may also map memory without execute
// permission, make all threads pass a barrier, and open for reading the four
// files of /proc/self named below.
// are named here, for reading.
#ifndef MOUND_OS_HELPER_H
#define MOUND_OS_HELPER_H

#include "base/compiler.h"

// struct helper: all zero means not running.
struct helper {
    _Atomic uint32_t tid;     // 0: not running; the kernel clears it at the end
    _Atomic uint32_t npaused; // how many paused it; it sleeps on this word
    int pid;                  // of the process that started it
    bool open;                // it does not confine itself
    bool answers;             // it answers requests: its filter permits more
    char *memory;             // its stack and thread-local memory, kept
    bool stale; // a copy in the child of a fork, made while it ran
    // The word it sleeps on in helper_wait unless npaused is set; may be shared
    // with others.
    _Atomic uint32_t *_Atomic bell;
    _Atomic bool resting; // it sleeps for long: ring it when there is work
};

// The files that an answering helper may open. The filter compares these
// pointers.
extern const char helper_path_status[] HIDDEN;  // /proc/self/status
extern const char helper_path_rollup[] HIDDEN;  // /proc/self/smaps_rollup
extern const char helper_path_pagemap[] HIDDEN; // /proc/self/pagemap
extern const char helper_path_stat[] HIDDEN;    // /proc/self/stat

// helper_possible says whether a process can have a permanent helper. It cannot
// with a sanitizer's runtime, which intercepts memcpy, clone and other
// functions of the C library and there uses thread-local variables that only
// the threads of pthread_create have.
bool helper_possible(void);

// helper_start runs run(arg) in a helper thread. It returns false if one is
// running, if it cannot be created or is paused, or if a filter is noted
// (os/filter.h). Any thread, with or without locks.
bool helper_start(struct helper *h, void (*run)(void *arg), void *arg);

// helper_sleep_ns, for run, sleeps; it returns false if run is to return.
bool helper_sleep_ns(struct helper *h, uint64_t delay_ns);

// helper_wait, for run, sleeps until another thread rings after helper_listen, or for
// delay_ns. Call helper_listen before looking for work. It returns false if run
// is to return. A helper that waits HELPER_REST_NS or longer is resting.
#define HELPER_REST_NS ((uint64_t)4 * 1000 * 1000 * 1000)
uint32_t helper_listen(const struct helper *h);
bool helper_wait(struct helper *h, uint32_t heard, uint64_t delay_ns);

// helper_ring_resting wakes a resting helper. If several threads find it
// resting, one of them rings. Any thread, with or without locks.
void helper_ring_resting(struct helper *h);

// helper_end_if_left, for run, ends the process if no other thread is left: the
// last one ended by the bare system call, which runs no exit handlers.
void helper_end_if_left(void);

// helper_pause ends the helper and prevents further starts until helper_resume
// was called as often. It waits until the kernel has removed the thread, for at
// most a second, and says whether there was one. Any thread, without locks of
// the heap; also in a signal handler, and in the child of vfork, where it does
// not touch the parent's helper.
bool helper_pause(struct helper *h);
void helper_resume(struct helper *h);

// helper_here says whether the calling thread is the helper.
bool helper_here(void);

// helper_forked is for the child of a fork, in which no helper runs.
void helper_forked(struct helper *h);

#endif // MOUND_OS_HELPER_H
