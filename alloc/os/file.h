// file.h: names in a folder, and the files behind them. Nothing here follows a
// link in the last name unless it says so. No function allocates, takes a lock or
// changes errno; those that can fail return -errno.
#ifndef MOUND_OS_FILE_H
#define MOUND_OS_FILE_H

#include "base/compiler.h"

enum { FILE_NO_DIR = -1 }; // for absolute paths

enum file_kind {
    FILE_REGULAR,
    FILE_LINK,
    FILE_FOLDER,
    FILE_STREAM, // a pipe, a terminal, another device of characters
    FILE_OTHER,  // a disk, a socket: nothing to print to
};

struct file_status {
    enum file_kind kind;
    uint64_t device;
    uint64_t inode;
};

// file_open_dir opens a folder as a place for names: no right to read it is needed.
// dir may be FILE_NO_DIR.
int file_open_dir(int dir, const char *path);

// file_status_of tells what name in dir is; file_status_at_fd what is behind fd.
int file_status_of(int dir, const char *name, struct file_status *ret);
int file_status_at_fd(int fd, struct file_status *ret);

// file_read_link writes where a link leads, ended by a NUL. A text that does not
// fit is -ENAMETOOLONG.
int file_read_link(int dir, const char *name, char *buf, size_t n);

// file_may_create returns 0 if a file could be made in that folder.
int file_may_create(int dir);

// file_create makes an empty file of that name, which must be new. file_create_
// unnamed makes one that has no name yet and is gone when closed without one: not
// every filesystem has those.
int file_create(int dir, const char *name);
int file_create_unnamed(int dir);

// file_open_stream opens what is there for writing, links followed. It does not
// wait for a reader of a pipe, and neither do writes: -ENXIO, -EAGAIN.
int file_open_stream(int dir, const char *name);

// file_close returns what a filesystem may say only now, that there is no room.
int file_close(int fd);

// A name for a file that has none, which must be new: -EEXIST.
int file_name(int fd, int dir, const char *name);

// file_rename replaces what has the name to; file_rename_new does not: -EEXIST.
// It is one step where the filesystem can do that at all.
int file_rename(int dir, const char *from, const char *to);
int file_rename_new(int dir, const char *from, const char *to);

int file_remove(int dir, const char *name);

// file_error_text returns errno's text for -error, such as "No such file or
// directory".
const char *file_error_text(int error);

#endif // MOUND_OS_FILE_H
