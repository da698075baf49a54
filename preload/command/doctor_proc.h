// doctor_proc.h: what verb doctor reads about one process in /proc.
#ifndef MOUND_COMMAND_DOCTOR_PROC_H
#define MOUND_COMMAND_DOCTOR_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DOCTOR_LIBRARIES = 256 };

struct doctor_proc {
    pid_t pid, parent;
    char name[64];
    uid_t uid; // effective
    gid_t gid;
    char state;        // as in /proc/PID/status: R, S, Z ...
    bool secure;       // AT_SECURE
    bool thp_disabled; // by prctl
    int seccomp;       // 0: no filter, 1 strict, 2 filters
    uint64_t vm_bytes; // address space
    uint64_t data_bytes;
    uint64_t locked_bytes;
    uint64_t nmaps; // mappings
    char exe[4096]; // target of /proc/PID/exe; "": none, a thread of the kernel
    char *environment_text;
    char **environment; // NULL at its end
    // Files that are mapped to be executed, in the order of their addresses.
    char *libraries[DOCTOR_LIBRARIES];
    unsigned nlibraries;
    unsigned nlibc; // copies of the C library
};

// doctor_proc_file reads a whole file of /proc or /sys; NULL and errno, or memory that
// the caller frees, with a 0 at its end.
char *doctor_proc_file(const char *path, size_t *ret_nbytes);

// doctor_proc_word reads the first word of a file into ret, "" if there is none.
bool doctor_proc_word(const char *path, char *ret, size_t nbytes);

// doctor_proc_number reads a number; false: there is none ("max").
bool doctor_proc_number(const char *path, uint64_t *ret);

// doctor_proc_status reads only what any user may read; false and errno.
bool doctor_proc_status(pid_t pid, struct doctor_proc *ret);

// doctor_proc_environment reads the environment of the start; false and errno.
bool doctor_proc_environment(pid_t pid, struct doctor_proc *ret);

// doctor_proc_read reads everything; false and errno.
bool doctor_proc_read(pid_t pid, struct doctor_proc *ret);
void doctor_proc_end(struct doctor_proc *p);

// doctor_proc_variable returns the value of a variable, or NULL.
const char *doctor_proc_variable(char *const *environment, const char *name);

#endif // MOUND_COMMAND_DOCTOR_PROC_H
