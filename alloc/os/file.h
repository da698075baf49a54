// file.h: files by their name in a directory. No function follows a symbolic
// link in the last component unless it says so. No function allocates, takes a
// lock or changes errno; those that can fail return -errno.
#ifndef MOUND_OS_FILE_H
#define MOUND_OS_FILE_H

#include "base/compiler.h"

enum { FILE_NO_DIR = -1 }; // for absolute paths

enum file_kind {
    FILE_REGULAR,
    FILE_LINK,
    FILE_FOLDER,
    FILE_STREAM, // a pipe, a terminal, another character device
    FILE_OTHER,  // a disk, a socket: cannot be printed to
};

struct file_status {
    enum file_kind kind;
    uint64_t device;
    uint64_t inode;
};

// file_open_dir opens a directory for the functions below, without needing
// permission to read it. dir may be FILE_NO_DIR.
int file_open_dir(int dir, const char *path);

// file_status_of returns the status of name in dir, file_status_at_fd that of
// fd.
int file_status_of(int dir, const char *name, struct file_status *ret);
int file_status_at_fd(int fd, struct file_status *ret);

// file_read_link writes the target of a link, ended by a NUL. A text that does
// not fit is -ENAMETOOLONG.
int file_read_link(int dir, const char *name, char *buf, size_t n);

// file_may_create returns 0 if this process may create files in the directory.
int file_may_create(int dir);

// file_create creates an empty file; the name must be new. file_create_unnamed
// creates one without a name, which is deleted if it is closed before it has
// one; not every filesystem supports that.
int file_create(int dir, const char *name);
int file_create_unnamed(int dir);

// file_open_stream opens an existing file for writing and follows links.
// Neither the open nor the writes wait for a pipe's reader: -ENXIO, -EAGAIN.
int file_open_stream(int dir, const char *name);

// file_close returns errors that some filesystems report only now (no space).
int file_close(int fd);

// file_name names an unnamed file. The name must be new: -EEXIST.
int file_name(int fd, int dir, const char *name);

// file_rename replaces an existing file named to; file_rename_new does not:
// -EEXIST. Both are atomic where the filesystem supports it.
int file_rename(int dir, const char *from, const char *to);
int file_rename_new(int dir, const char *from, const char *to);

int file_remove(int dir, const char *name);

// file_error_text returns errno's text for -error, such as "No such file or
// directory".
const char *file_error_text(int error);

#endif // MOUND_OS_FILE_H
