// file_linux.c: file.h on Linux, by raw system calls.
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>

#include "os/syscall.h"

enum { FILE_MODE = 0600 };

static int open_at(int dir, const char *name, int flags) {
    long ret;
    do {
        ret = syscall4(SYS_openat, dir == FILE_NO_DIR ? AT_FDCWD : dir, name,
                       flags | O_CLOEXEC, FILE_MODE);
    } while (ret == -EINTR);
    return (int)ret;
}

int file_open_dir(int dir, const char *path) {
    return open_at(dir, path, O_PATH | O_DIRECTORY);
}

static enum file_kind kind_of(mode_t mode) {
    if (S_ISREG(mode))
        return FILE_REGULAR;
    if (S_ISLNK(mode))
        return FILE_LINK;
    if (S_ISDIR(mode))
        return FILE_FOLDER;
    return S_ISFIFO(mode) || S_ISCHR(mode) ? FILE_STREAM : FILE_OTHER;
}

static int status(int dir, const char *name, int flags,
                  struct file_status *ret) {
    struct stat st;
    int error = (int)syscall4(SYS_newfstatat, dir, name, &st, flags);
    if (error != 0)
        return error;
    ret->kind = kind_of(st.st_mode);
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    return 0;
}

int file_status_of(int dir, const char *name, struct file_status *ret) {
    return status(dir == FILE_NO_DIR ? AT_FDCWD : dir, name,
                  AT_SYMLINK_NOFOLLOW, ret);
}

int file_status_at_fd(int fd, struct file_status *ret) {
    // With an empty path it is fstat on every architecture.
    return status(fd, "", AT_EMPTY_PATH, ret);
}

int file_read_link(int dir, const char *name, char *buf, size_t n) {
    long ret = syscall4(SYS_readlinkat, dir, name, buf, n);
    if (ret < 0)
        return (int)ret;
    if ((size_t)ret >= n)
        return -ENAMETOOLONG;
    buf[ret] = '\0';
    return 0;
}

int file_may_create(int dir) {
    return (int)syscall3(SYS_faccessat, dir, ".", W_OK | X_OK);
}

int file_create(int dir, const char *name) {
    return open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
}

int file_create_unnamed(int dir) {
    return open_at(dir, ".", O_WRONLY | O_TMPFILE);
}

int file_open_stream(int dir, const char *name) {
    return open_at(dir, name, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
}

int file_close(int fd) {
    int error = (int)syscall1(SYS_close, fd);
    return error == -EINTR ? 0 : error; // the descriptor is closed even so
}

int file_name(int fd, int dir, const char *name) {
    // An unprivileged process needs /proc. Without /proc, linkat with
    // AT_EMPTY_PATH works for a privileged process, and since Linux 6.10 for
    // the process that opened the file.
    char path[] = "/proc/self/fd/0123456789";
    char *p = path + sizeof path - 1;
    unsigned n = (unsigned)fd;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    size_t nprefix = sizeof "/proc/self/fd/" - 1;
    memmove(path + nprefix, p, (size_t)(path + sizeof path - p));
    int error =
        (int)syscall5(SYS_linkat, AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
    return error != -ENOENT
               ? error
               : (int)syscall5(SYS_linkat, fd, "", dir, name, AT_EMPTY_PATH);
}

int file_rename(int dir, const char *from, const char *to) {
    return (int)syscall5(SYS_renameat2, dir, from, dir, to, 0);
}

int file_rename_new(int dir, const char *from, const char *to) {
    int error =
        (int)syscall5(SYS_renameat2, dir, from, dir, to, RENAME_NOREPLACE);
    if (error != -EINVAL && error != -ENOSYS)
        return error;
    error = (int)syscall5(SYS_linkat, dir, from, dir, to, 0);
    if (error == 0)
        return file_remove(dir, from);
    if (error == -EEXIST)
        return error;
    // The filesystem has no hard links either: create an empty file of that
    // name and replace it at once.
    int fd = file_create(dir, to);
    if (fd < 0)
        return fd;
    file_close(fd);
    return file_rename(dir, from, to);
}

int file_remove(int dir, const char *name) {
    return (int)syscall3(SYS_unlinkat, dir, name, 0);
}

const char *file_error_text(int error) {
    const char *text = strerrordesc_np(-error);
    return text != NULL ? text : "unknown error";
}
