// page.h: the page of this process (MOUND_WATCH): a file that shows its figures to other
// processes, also after it was killed. mound_page.h describes its contents.
//
// It is made at the start; in a child of fork, by the first slow path that ends 20 ms or
// more after the fork. Most children exec or exit sooner; a child that lives longer has
// such a slow path when it needs memory. Until then page_here is NULL there: the child
// has no page and never writes to its parent's.
//
// `now` is written whenever pages are taken or freed. A slow path writes `stats` when it
// ends, if
//
//   - 100 ms have passed since the last time (each thread checks that at every 64th of
//     its slow paths and at its end), or
//   - pages in use and idle differ from what was written by more than 1/64 of them and
//     by more than 1 MiB,
//
// in either case not before 100 times the duration of the last write has passed: some
// 5 ms. Each slow path reads the counters of threads for at most 10 us; the next one
// continues. With more than 1 024 threads slow paths do not read them: then the figures
// of classes are as of the last request, or the end. publish.h has what is written and
// when; this file has the life cycle of the page.
#ifndef MOUND_PAGE_WATCH_H
#define MOUND_PAGE_WATCH_H

#include "mound_page.h"
#include "runtime/runtime.h"

// page_watched says whether there is a page, or will be when a child has run for long
// enough.
extern bool page_watched HIDDEN;

// page_here returns the page of this process, or NULL.
struct mound_page *page_here(void);

// page_start makes it, in the constructor, if MOUND_WATCH is set. If it cannot, it
// prints one line that says why.
void page_start(void);

// page_tick, at every 64th slow path, checks whether stats are due; page_due writes them,
// or does a part of the reading that they need. Both within a slow path.
void page_tick(void);
void page_due(void);

// page_thread_ends does both when a thread ends.
void page_thread_ends(void);

// page_publish writes all of stats now, and huge pages if whole is set, which takes
// some milliseconds a GiB. Within a slow path. It waits for a thread that does the same.
void page_publish(bool whole);

// page_mode_changed notes which malloc serves now.
void page_mode_changed(void);

// page_exiting notes that the process ends, with an exit status or -1, and removes the
// file unless it is to be kept. page_note_signal notes that a signal ends it, and keeps
// the file. A kept file gets the last figures first, if locks can be taken. Within a slow
// path or not.
void page_exiting(int status);
void page_note_signal(int signal);

// Forks. The lock is taken before all others of the heap. page_forked is for the child
// of any kind of fork; page_repair comes before it if the fork ran no handlers.
struct mutex *page_mutex(void);
void page_repair(void);
void page_forked(void);

#endif // MOUND_PAGE_WATCH_H
