// pprof_read.c: see pprof_read.h.
#include "pprof_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "message.h"
#include "pprof_parse.h"

// The largest profile that mound writes has some 100 MB. A few bytes of gzip can expand
// to any size.
enum { FILE_BYTES_MAX = 1 << 28 };

static const char *unpack(const void *data, size_t n, struct bytes *ret) {
    enum { CHUNK = 1 << 16, WINDOW_GZIP = 15 + 16 };
    static const char not_enough[] = "there is not enough memory to unpack it";
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)n};
    if (inflateInit2(&z, WINDOW_GZIP) != Z_OK)
        return not_enough;
    const char *wrong = NULL;
    int state = Z_OK;
    while (state == Z_OK && wrong == NULL) {
        Bytef chunk[CHUNK];
        z.next_out = chunk;
        z.avail_out = CHUNK;
        state = inflate(&z, Z_NO_FLUSH);
        bytes_add(ret, chunk, CHUNK - z.avail_out);
        if (ret->n > FILE_BYTES_MAX)
            wrong = "unpacked, it has more than 256 MiB, too many for a "
                    "profile";
    }
    if (wrong == NULL && state != Z_STREAM_END)
        wrong = state == Z_BUF_ERROR   ? "the gzip file is cut short"
                : state == Z_MEM_ERROR ? not_enough
                                       : "the gzip file is damaged";
    inflateEnd(&z);
    return wrong;
}

const char *pprof_parse(const void *data, size_t n, struct pprof *ret) {
    static const uint8_t gzip[] = {0x1f, 0x8b};
    *ret = (struct pprof){0};
    intern_init(&ret->strings);
    struct bytes unpacked = {0};
    const char *wrong = n < sizeof gzip || memcmp(data, gzip, sizeof gzip) != 0
                            ? "not gzip, so not a profile in pprof's form"
                            : unpack(data, n, &unpacked);
    if (wrong == NULL)
        wrong = pprof_parse_unpacked(&unpacked, ret);
    bytes_free(&unpacked);
    if (wrong != NULL)
        pprof_free(ret);
    return wrong;
}

// read_file returns NULL or what is wrong.
static const char *read_file(const char *path, struct bytes *ret) {
    enum { CHUNK = 1 << 16 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return strerror(errno);
    const char *wrong = NULL;
    ssize_t n = 1;
    while (n > 0 && wrong == NULL) {
        char chunk[CHUNK];
        n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno != EINTR)
            wrong = strerror(errno);
        if (n > 0)
            bytes_add(ret, chunk, (size_t)n);
        if (n < 0)
            n = 1;
        if (ret->n > FILE_BYTES_MAX)
            wrong = "it has more than 256 MiB, too many for a profile";
    }
    close(fd);
    return wrong;
}

bool pprof_read(const char *path, struct pprof *ret) {
    struct bytes data = {0};
    const char *wrong = read_file(path, &data);
    if (wrong == NULL)
        wrong = pprof_parse(data.at, data.n, ret);
    bytes_free(&data);
    if (wrong != NULL)
        message_error("%s: %s", path, wrong);
    return wrong == NULL;
}
