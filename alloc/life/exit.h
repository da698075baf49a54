// exit.h: the end of this process.
#ifndef MOUND_EXIT_H
#define MOUND_EXIT_H

// exit_start, in the constructor, registers process_exiting for quick_exit. exit.c's
// destructor and preload/startup.c's _exit are the other callers.
void exit_start(void);

// exit_by_signal does what process_exiting does, for a process that is about to die of a
// signal. Not within a slow path.
void exit_by_signal(int signal);

// exit_find_lock_counts finds the file that a build that counts locks writes to.
void exit_find_lock_counts(char **envp);

#endif // MOUND_EXIT_H
