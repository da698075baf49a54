// signals.h: the signals that this library handles.
#ifndef MOUND_SIGNALS_H
#define MOUND_SIGNALS_H

// signals_start, in the constructor, installs the handlers: MOUND_PROFILE_SIGNAL writes a
// profile, MOUND_STATS_SIGNAL the statistics, and the signals of MOUND_STATS_ON write both
// before the process dies. The last are only set where the disposition is the default.
void signals_start(void);

// signals_watch_faults makes SIGSEGV report faults at guarded objects.
void signals_watch_faults(void);

#endif // MOUND_SIGNALS_H
