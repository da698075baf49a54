// pagefile.h: a file in memory that other processes of the same user can read:
// /dev/shm/mound-UID/PID-START.page. What is in it: mound_page.h.
//
// No function allocates, takes a lock or changes errno; those that can fail return
// -errno. None may be called once a filter of system calls came (os/filter.h).
#ifndef MOUND_OS_PAGEFILE_H
#define MOUND_OS_PAGEFILE_H

#include "base/compiler.h"

enum { PAGEFILE_PATH_MAX = 96 };

// struct pagefile is the name of one. Of a process whose number another pid namespace
// has as well, from the second on: PID-START.N.page, N = number.
struct pagefile {
    uint32_t uid;
    uint32_t pid;
    uint64_t start_ticks;
    uint32_t number;                // 0: none in the name
    char folder[PAGEFILE_PATH_MAX]; // filled by pagefile_name
    char path[PAGEFILE_PATH_MAX];
};

// pagefile_name fills folder and path.
void pagefile_name(struct pagefile *f);

// pagefile_folder makes the folder, of mode 0700, or finds that it is a folder which
// belongs to this user and which nobody else may use, and returns NULL; else why not. No
// link is followed. In /dev/shm, whose names belong to who made them (its mode has the
// sticky bit), it remains so: no other user can put something else there.
const char *pagefile_folder(const struct pagefile *f);

// pagefile_map makes the file, which must be new (-EEXIST), of mode 0600, reserves
// nbytes for it (-ENOSPC: /dev/shm is full; -EFBIG: RLIMIT_FSIZE), and maps it: at a place that was returned
// earlier, which it replaces, or elsewhere if at is NULL. It reads as zero. When it
// fails there is no file.
int pagefile_map(const struct pagefile *f, size_t nbytes, void *at,
                 void **ret_memory);

// pagefile_peek reads the first n bytes of a regular file of that name, and returns 0
// if there are as many.
int pagefile_peek(const struct pagefile *f, void *buf, size_t n);

int pagefile_remove(const struct pagefile *f);

#endif // MOUND_OS_PAGEFILE_H
