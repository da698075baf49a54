// output.c: see output.h.
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "store.h"

static bool write_all(int fd, const char *data, size_t n) {
    while (n > 0) {
        ssize_t written = write(fd, data, n);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data += written;
            n -= (size_t)written;
        }
    }
    return true;
}

// write_over writes to a file that is not regular: a device, a pipe.
static bool write_over(const char *path, const void *data, size_t n) {
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, data, n);
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

// write_new writes a file beside path and renames it to path; its mode is that of the
// file it replaces, or that of a new file.
static bool write_new(const char *path, const void *data, size_t n,
                      mode_t mode) {
    char *temporary = store_printf("%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    bool ok = fd >= 0 && write_all(fd, data, n) && fchmod(fd, mode) == 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok && fd >= 0)
        unlink(temporary);
    free(temporary);
    errno = error;
    return ok;
}

bool output_write(const char *path, const void *data, size_t n) {
    struct stat st;
    bool ok;
    if (strcmp(path, "-") == 0) {
        ok = fwrite(data, 1, n, stdout) == n;
    } else if (stat(path, &st) == 0) {
        char *real = S_ISREG(st.st_mode) ? realpath(path, NULL) : NULL;
        ok = real != NULL ? write_new(real, data, n, st.st_mode & 07777)
                          : write_over(path, data, n);
        free(real);
    } else {
        mode_t mask = umask(0);
        umask(mask);
        ok = write_new(path, data, n, 0666 & ~mask);
    }
    if (!ok)
        message_error("%s: %s", path, strerror(errno));
    return ok;
}
