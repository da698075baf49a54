// pagefile.h: a file in shared memory that other processes of the same user can
// read: /dev/shm/mound-UID/PID-START.page. Its contents: mound_page.h.
//
// No function allocates, takes a lock or changes errno; those that can fail
// return -errno. None may be called once a filter of system calls is noted
// (os/filter.h).
#ifndef MOUND_OS_PAGEFILE_H
#define MOUND_OS_PAGEFILE_H

#include "base/compiler.h"

enum { PAGEFILE_PATH_MAX = 96 };

// struct pagefile is the name of a page file. If a process in another pid
// namespace has the same PID and start time, the name is PID-START.N.page, N =
// number.
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

// pagefile_folder creates the directory with mode 0700, or checks that it is a
// directory of this user that no other user may access. It returns NULL, or why
// it cannot be used. It follows no symbolic link. Because /dev/shm has the
// sticky bit, no other user can replace the directory later.
const char *pagefile_folder(const struct pagefile *f);

// pagefile_map creates the file with mode 0600; it must be new (-EEXIST). It
// reserves nbytes for it (-ENOSPC: /dev/shm is full; -EFBIG: RLIMIT_FSIZE) and
// maps it: over the mapping at, which an earlier call returned, or anywhere if
// at is NULL. It reads as zero. When it fails, no file remains.
int pagefile_map(const struct pagefile *f, size_t nbytes, void *at,
                 void **ret_memory);

// pagefile_peek reads the first n bytes of that file; -ENODATA if it has fewer.
int pagefile_peek(const struct pagefile *f, void *buf, size_t n);

int pagefile_remove(const struct pagefile *f);

#endif // MOUND_OS_PAGEFILE_H
