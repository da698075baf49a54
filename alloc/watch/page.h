// page.h: the page of this process (MOUND_WATCH), a file in which others read its
// figures, also after it was killed. mound_page.h says what is in it.
//
// It is made at the start; in a child of fork, by the first of its slow paths that ends
// 20 ms after the fork or later: most children exec or exit soon, and a child that
// lives has such a slow path as soon as it needs memory. Until then it has no page, and
// never writes to that of its parent: page_here is NULL there.
//
// `now` is written whenever pages come or go, `stats` at times, when a slow path ends:
//
//   - when 100 ms went by since the last time; a thread looks at every 64th of its slow
//     paths, and at its end;
//   - when pages in use and idle ones differ from what was written by more than 1/64 of
//     them and 1 MiB;
//
// and in either case not before 100 times as long as the last one took: some 5 ms. Of
// the counters of all threads a slow path reads what takes 10 us, and the next one
// goes on. Where more than 1 024 threads have caches they are not read by slow paths:
// the figures of classes are then as of the last request, or the end. publish.h is what
// is written and when, this the life of the file.
#ifndef MOUND_PAGE_WATCH_H
#define MOUND_PAGE_WATCH_H

#include "mound_page.h"
#include "runtime/runtime.h"

// page_watched says whether there is a page, or will be when a child needs one.
extern bool page_watched HIDDEN;

// page_here returns the page of this process, or NULL.
struct mound_page *page_here(void);

// page_start makes it, in the constructor, if that is set. Where it cannot be made, one
// line says why.
void page_start(void);

// page_tick, at every 64th slow path, sees whether it is to be written; page_due, in a
// slow path as the other, writes it if so, or a part of what that takes.
void page_tick(void);
void page_due(void);

// page_thread_ends is both, where a thread ends.
void page_thread_ends(void);

// page_publish writes all of stats now, with huge pages if whole is set: those take
// some milliseconds a GiB. Within a slow path. It waits for a thread that does the same.
void page_publish(bool whole);

// page_mode_changed notes that another malloc serves now, or that this one does.
void page_mode_changed(void);

// page_exiting notes that the process ends, with an exit status or -1, and removes the
// file unless it is to be kept. page_note_signal notes that a signal ends it, and leaves
// the file. Both write all figures first if they can; in a slow path or not.
void page_exiting(int status);
void page_note_signal(int signal);

// Forks. The lock is taken before all others of the heap. page_forked is for the child
// of any kind of fork; page_repair, before it, for one that was made without handlers.
struct mutex *page_mutex(void);
void page_repair(void);
void page_forked(void);

#endif // MOUND_PAGE_WATCH_H
