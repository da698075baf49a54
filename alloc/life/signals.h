// signals.h: the signals that this library handles.
#ifndef MOUND_SIGNALS_H
#define MOUND_SIGNALS_H

// signals_start, in the constructor, has MOUND_PROFILE_SIGNAL write a profile.
void signals_start(void);

// signals_watch_faults has SIGSEGV looked at for guarded objects.
void signals_watch_faults(void);

#endif // MOUND_SIGNALS_H
