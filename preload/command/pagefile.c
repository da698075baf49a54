// pagefile.c: see pagefile.h.
#include "pagefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// A writer needs some microseconds for a section: 50 tries, 50 us apart.
enum { TRIES = 50, PAUSE_NS = 50 * 1000 };

static bool refuse(struct pagefile_why *ret, const char *why) {
    snprintf(ret->s, sizeof ret->s, "%s", why);
    return false;
}

// read_at copies nbytes from an offset and says whether all were read.
static bool read_at(int fd, void *to, size_t nbytes, size_t offset,
                    struct pagefile_why *ret_why) {
    for (size_t n = 0; n < nbytes;) {
        ssize_t got =
            pread(fd, (char *)to + n, nbytes - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(ret_why, strerror(errno));
        if (got == 0)
            return refuse(ret_why, "too short for a page of mound");
        n += (size_t)got;
    }
    return true;
}

// read_section copies a section that begins with its sequence count.
static bool read_section(int fd, void *to, size_t nbytes, size_t offset,
                         bool *torn, struct pagefile_why *ret_why) {
    for (int try = 0; try < TRIES; try++) {
        uint32_t begin, end;
        if (!read_at(fd, &begin, sizeof begin, offset, ret_why) ||
            !read_at(fd, to, nbytes, offset, ret_why) ||
            !read_at(fd, &end, sizeof end, offset, ret_why))
            return false;
        if (begin % 2 == 0 && begin == end)
            return true;
        nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
    }
    *torn = true;
    return true;
}

#define READ_SECTION(fd, page, name, torn, why)                                \
    read_section(fd, &(page)->name, sizeof(page)->name,                        \
                 offsetof(struct mound_page, name), torn, why)

static void clean_text(char *text, size_t nbytes) {
    text[nbytes - 1] = '\0';
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static void clean(struct mound_page *page) {
    struct mound_page_identity *who = &page->identity;
    clean_text(who->program, sizeof who->program);
    if (who->serves > MOUND_PAGE_BEHIND)
        who->serves = MOUND_PAGE_SERVES;
    if (who->state > MOUND_PAGE_SIGNALLED)
        who->state = MOUND_PAGE_RUNNING;
    struct mound_page_range *r = page->ranges.ranges;
    for (unsigned i = 0; i < MOUND_PAGE_RANGES; i++)
        if (r[i].begin >= r[i].end)
            r[i] = (struct mound_page_range){0};
}

static bool read_page(int fd, struct mound_page *ret, struct pagefile *about,
                      struct pagefile_why *ret_why) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return refuse(ret_why, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(ret_why, "not a regular file");
    *about = (struct pagefile){.owner = st.st_uid,
                               .dev = st.st_dev,
                               .ino = st.st_ino,
                               .nbytes = (uint64_t)st.st_size};
    ret->magic = 0; // it is written last
    bool begun = read_at(fd, &ret->magic, sizeof ret->magic, 0, ret_why);
    about->unfinished = ret->magic == 0;
    if (!begun ||
        !read_at(fd, ret, offsetof(struct mound_page, now), 0, ret_why))
        return false;
    if (ret->magic != MOUND_PAGE_MAGIC)
        return refuse(ret_why, "not a page of mound");
    if (ret->version != MOUND_PAGE_VERSION || ret->nbytes != sizeof *ret) {
        snprintf(ret_why->s, sizeof ret_why->s,
                 "a page of version %u with %u bytes; this command reads "
                 "version %u with %zu",
                 ret->version, ret->nbytes, MOUND_PAGE_VERSION, sizeof *ret);
        return false;
    }
    if (!READ_SECTION(fd, ret, now, &about->torn, ret_why) ||
        !READ_SECTION(fd, ret, stats, &about->torn, ret_why) ||
        !READ_SECTION(fd, ret, ranges, &about->torn, ret_why) ||
        !read_at(fd, &ret->control, sizeof ret->control,
                 offsetof(struct mound_page, control), ret_why))
        return false;
    clean(ret);
    return true;
}

bool pagefile_read(int dir, const char *name, struct mound_page *ret,
                   struct pagefile *ret_about, struct pagefile_why *ret_why) {
    // Opening a FIFO must not block, nor a terminal become the controlling one.
    int fd = openat(dir, name,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return refuse(ret_why,
                      errno == ELOOP ? "is a symbolic link" : strerror(errno));
    bool ok = read_page(fd, ret, ret_about, ret_why);
    close(fd);
    return ok;
}

bool pagefile_is(const char *path) {
    uint64_t magic = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = read(fd, &magic, sizeof magic) == (ssize_t)sizeof magic &&
              magic == MOUND_PAGE_MAGIC;
    close(fd);
    return ok;
}
