// summary.h: the statistics of a process as text for people and as JSON, from a
// page (mound_page.h): in the process itself, or in the mound command, also for
// a process that has ended. Nothing here allocates, locks or reads a global.
#ifndef MOUND_PROF_SUMMARY_H
#define MOUND_PROF_SUMMARY_H

struct mound_page;

// summary_write writes about ten lines: who and how long; RSS and what it is made of
// (parts.h), in one unit, so that sizes and percentages add up; mallocs and frees; the
// three classes with the most waste. Where mound does not serve malloc: one line that
// says who does. Returns 0, or -errno of the first write that failed; so do all.
int summary_write(const struct mound_page *page, int fd);

// summary_write_classes writes a table of the size classes that were used, the one with
// the most waste first; nothing where mound does not serve malloc.
int summary_write_classes(const struct mound_page *page, int fd);

// summary_write_json writes the form of Go's expvar: {"cmdline": [...], "memstats":
// {...}, "mound": {...}}. The command line is that of process cmdline_pid of this
// machine (0: this process); -1: the program's name. A page does not say what each kind
// of record takes: in memstats all are in OtherSys.
int summary_write_json(const struct mound_page *page, int cmdline_pid, int fd);

#endif // MOUND_PROF_SUMMARY_H
