// exit.h: the end of this process.
#ifndef MOUND_EXIT_H
#define MOUND_EXIT_H

// exit_start, in the constructor, has process_exiting called by quick_exit. Other ways
// out: exit.c's destructor, and preload/startup.c's _exit.
void exit_start(void);

// exit_by_signal is process_exiting for a process that is about to die of a signal.
// Outside of a slow path.
void exit_by_signal(int signal);

// exit_find_lock_counts finds out where a build that counts locks writes them.
void exit_find_lock_counts(char **envp);

#endif // MOUND_EXIT_H
