// signals.h: the signals that this library handles.
#ifndef MOUND_SIGNALS_H
#define MOUND_SIGNALS_H

// signals_start, in the constructor, has MOUND_PROFILE_SIGNAL write a profile,
// MOUND_STATS_SIGNAL the statistics, and the signals of MOUND_STATS_ON both before the
// process dies of them, as far as their disposition is the default.
void signals_start(void);

// signals_watch_faults has SIGSEGV looked at for guarded objects.
void signals_watch_faults(void);

#endif // MOUND_SIGNALS_H
