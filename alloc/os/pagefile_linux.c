// pagefile_linux.c: see pagefile.h.
#include "os/pagefile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/str.h"
#include "os/file.h"
#include "os/sys.h"
#include "os/syscall.h"

#define ROOT "/dev/shm/mound-"

enum {
    FOLDER_MODE = 0700,
    FILE_MODE = 0600,
    OTHERS_MODE = 0077,
    DIGITS_MAX = 20,
};

static char *add(char *to, const char *text) {
    while (*text != '\0')
        *to++ = *text++;
    *to = '\0';
    return to;
}

static char *add_number(char *to, uint64_t n) {
    char digits[DIGITS_MAX + 1];
    char *p = digits + DIGITS_MAX;
    *p = '\0';
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return add(to, p);
}

void pagefile_name(struct pagefile *f) {
    add_number(add(f->folder, ROOT), f->uid);
    char *p = add_number(add(add(f->path, f->folder), "/"), f->pid);
    p = add_number(add(p, "-"), f->start_ticks);
    if (f->number > 0)
        p = add_number(add(p, "."), f->number);
    add(p, ".page");
}

static int folder_status(const struct pagefile *f, struct stat *ret) {
    return (int)syscall4(SYS_newfstatat, AT_FDCWD, f->folder, ret,
                         AT_SYMLINK_NOFOLLOW);
}

const char *pagefile_folder(const struct pagefile *f) {
    struct stat st;
    int error = folder_status(f, &st);
    if (error == -ENOENT) {
        error = (int)syscall3(SYS_mkdirat, AT_FDCWD, f->folder, FOLDER_MODE);
        if (error == 0 || error == -EEXIST)
            error = folder_status(f, &st);
    }
    if (error != 0)
        return file_error_text(error);
    if (!S_ISDIR(st.st_mode))
        return "is not a directory";
    if (st.st_uid != f->uid)
        return "belongs to another user";
    if ((st.st_mode & OTHERS_MODE) != 0)
        return "is open to other users; chmod 700 closes it";
    return NULL;
}

// A write beyond RLIMIT_FSIZE ends the process by SIGXFSZ, so it is checked
// before.
static bool exceeds_limit(size_t nbytes) {
    struct rlimit limit;
    return syscall4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) == 0 &&
           limit.rlim_cur < nbytes;
}

// reserve gives the file memory, so that no later write to the mapping can
// fail.
static int reserve(int fd, size_t nbytes) {
    static const char zeros[256];
    int error = (int)syscall4(SYS_fallocate, fd, 0, 0, nbytes);
    if (error != -EOPNOTSUPP && error != -ENOSYS)
        return error;
    for (size_t n = 0; n < nbytes; n += sizeof zeros) {
        error = sys_write(fd, zeros, sizeof zeros);
        if (error != 0)
            return error;
    }
    return 0;
}

static int map(int fd, size_t nbytes, void *at, void **ret_memory) {
    long ret =
        syscall6(SYS_mmap, (long)at, (long)nbytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | (at != NULL ? MAP_FIXED : 0), fd, 0);
    if ((unsigned long)ret > (unsigned long)-4096)
        return (int)ret;
    *ret_memory = (void *)ret;
    return 0;
}

int pagefile_map(const struct pagefile *f, size_t nbytes, void *at,
                 void **ret_memory) {
    int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    if (exceeds_limit(nbytes))
        return -EFBIG;
    int fd = (int)syscall4(SYS_openat, AT_FDCWD, f->path, flags, FILE_MODE);
    if (fd < 0)
        return fd;
    int error = reserve(fd, nbytes);
    if (error == 0)
        error = map(fd, nbytes, at, ret_memory);
    sys_close(fd);
    if (error != 0)
        pagefile_remove(f);
    return error;
}

int pagefile_peek(const struct pagefile *f, void *buf, size_t n) {
    int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = (int)syscall4(SYS_openat, AT_FDCWD, f->path, flags, 0);
    if (fd < 0)
        return fd;
    long got = sys_read(fd, buf, n);
    sys_close(fd);
    if (got < 0)
        return (int)got;
    return (size_t)got == n ? 0 : -ENODATA;
}

int pagefile_remove(const struct pagefile *f) {
    return (int)syscall3(SYS_unlinkat, AT_FDCWD, f->path, 0);
}
