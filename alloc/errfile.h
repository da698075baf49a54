// errfile.h: the stderr that the program was started with, for what is said when
// it ends: coreutils close theirs in an exit handler that runs before us.
#ifndef MOUND_ERRFILE_H
#define MOUND_ERRFILE_H

// errfile_keep takes a copy of descriptor 2, in the constructor.
void errfile_keep(void);

// errfile_fd returns a descriptor of what stderr was when it was kept, or -1:
// nobody reads that any more, and the number may be another file's by now. If
// nothing was kept it is 2.
int errfile_fd(void);

#endif // MOUND_ERRFILE_H
