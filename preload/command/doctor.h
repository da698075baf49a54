// doctor.h: finds out why mound is not loaded, or does not work. verb_doctor.c chooses
// among these checks:
//
//   doctor_machine.c  settings of the kernel
//   doctor_limits.c   limits of a process and of its control groups
//   doctor_program.c  a program before it is started
//   doctor_process.c  a process; if it has not loaded mound, why
//   doctor_served.c   a process that has: who serves malloc, and what disturbs it
//   doctor_page.c     the page of such a process
//   doctor_preload.c  a value of LD_PRELOAD
//   doctor_options.c  variables MOUND_…
//
// Each finding is one line on stdout: what, why, what to do.
#ifndef MOUND_COMMAND_DOCTOR_H
#define MOUND_COMMAND_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "doctor_proc.h"

struct doctor {
    unsigned nfound;
    const char *root; // the root directory of the process concerned, such as
                      // "/proc/7/root", or ""
    uid_t uid;        // of the process concerned
    gid_t gid;
};

// doctor_found prints "THING: WHY: WHAT TO DO" and counts it; doctor_note prints
// information that is no fault; doctor_say prints such lines with any bytes in names.
void doctor_found(struct doctor *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void doctor_note(struct doctor *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// doctor_path returns path below d's root, in static memory.
const char *doctor_path(const struct doctor *d, const char *path);

void doctor_machine(struct doctor *d);

// doctor_shm checks the folder of the pages.
void doctor_shm(struct doctor *d);

// doctor_limits checks the limits of a process and of its control groups; p is NULL for
// a process that this shell starts.
void doctor_limits(struct doctor *d, const struct doctor_proc *p);

// doctor_program checks the program file and its interpreters. path is for messages,
// file is opened. False: mound cannot be loaded into it at all.
bool doctor_program(struct doctor *d, const char *path, const char *file);

// doctor_program_libc returns the C library beside the loader of a program, in static
// memory, or NULL: not known.
const char *doctor_program_libc(const char *path);

// doctor_preload checks each library of an LD_PRELOAD for a program that uses the C
// library libc (a path, or NULL: not known). It returns whether mound is among them.
bool doctor_preload(struct doctor *d, const char *value, const char *libc);

// doctor_options prints the library's complaints about an environment, which NULL ends.
void doctor_options(struct doctor *d, char *const *environment);

// doctor_process returns false after a complaint if the process cannot be read.
bool doctor_process(struct doctor *d, pid_t pid);
void doctor_served(struct doctor *d, const struct doctor_proc *p);
void doctor_page(struct doctor *d, const struct doctor_proc *p);

#endif // MOUND_COMMAND_DOCTOR_H
