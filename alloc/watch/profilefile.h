// profilefile.h: when this process writes its heap profile to a file, by MOUND_PROFILE and
// its like: at its end, on a signal, when the heap has grown, near the memory limit, and
// for the moment with the most in use.
#ifndef MOUND_PROFILEFILE_H
#define MOUND_PROFILEFILE_H

#include <stdbool.h>

// profilefile_look, in the constructor, complains if the file cannot be written.
void profilefile_look(void);

// profilefile_on_signal, a signal handler, writes one with the next number.
void profilefile_on_signal(int signal);

// profilefile_start, before sampling starts, makes the table keep the peak if needed.
void profilefile_start(void);

// profilefile_look_at_growth, after a sampled malloc, writes a profile with the next
// number if the heap has grown by MOUND_PROFILE_EVERY since the last one was due, and one
// (NAME.limit.ENDING) when it first passes the percentage of the memory limit that
// MOUND_PROFILE_AT names. With no lock of the heap held.
void profilefile_look_at_growth(void);

// profilefile_look_at_fall, after a sampled free, writes the profile of the peak
// (NAME.peak.ENDING), if requested, once the heap has fallen below a peak that was not
// written yet. With no lock of the heap held.
void profilefile_look_at_fall(void);

// profilefile_forked is for the child of a fork, which writes files of its own.
void profilefile_forked(void);

// profilefile_is_due_at_exit says whether one is to be written at the end, and
// profilefile_at_exit writes it: process_exiting calls it, once in each process.
bool profilefile_is_due_at_exit(void);
void profilefile_at_exit(void);

#endif // MOUND_PROFILEFILE_H
