// gzip.c: what gzip itself makes of it.
#include "prof/gzip.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

enum { LARGE = 5 * GZIP_BLOCK + 1234 };

static struct gzip z;
static unsigned char data[LARGE];
static unsigned char back[LARGE + 1];

// pack_and_unpack writes n bytes of data in pieces and returns the size of the
// file; what gzip read from it has to be the same.
static long pack_and_unpack(size_t n, size_t piece) {
    char path[] = "/tmp/mound-gzip-XXXXXX";
    char command[sizeof path + 20];
    int fd = mkstemp(path);
    gzip_start(&z, fd, GZIP_PACKED);
    for (size_t i = 0; i < n; i += piece)
        gzip_write(&z, data + i, n - i < piece ? n - i : piece);
    cr_assert(zero(int, gzip_end(&z)));
    long nbytes = lseek(fd, 0, SEEK_END);
    close(fd);
    snprintf(command, sizeof command, "gzip -dc <%s", path);
    FILE *pipe = popen(command, "r");
    size_t nback = fread(back, 1, sizeof back, pipe);
    int status = pclose(pipe);
    unlink(path);
    cr_assert(zero(int, status), "gzip refused it");
    cr_assert(eq(sz, nback, n));
    cr_assert(zero(int, memcmp(back, data, n)));
    return nbytes;
}

Test(gzip, nothing_is_a_file_of_twenty_bytes) {
    cr_assert(eq(long, pack_and_unpack(0, 1), 20));
}

Test(gzip, files_of_all_sizes_near_a_block_come_back) {
    struct random r = random_from(1);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)random_below(&r, 3);
    static const size_t sizes[] = {1,
                                   2,
                                   3,
                                   4,
                                   5,
                                   300,
                                   GZIP_BLOCK - 1,
                                   GZIP_BLOCK,
                                   GZIP_BLOCK + 1,
                                   2 * GZIP_BLOCK,
                                   LARGE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        pack_and_unpack(sizes[i], 1000);
    pack_and_unpack(LARGE, 1);
    pack_and_unpack(LARGE, LARGE);
}

Test(gzip, what_repeats_becomes_small) {
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)(i % 50);

    cr_assert(lt(long, pack_and_unpack(LARGE, LARGE), LARGE / 50));
}

Test(gzip, noise_becomes_little_larger) {
    struct random r = random_from(2);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (unsigned char)random_next(&r);

    cr_assert(lt(long, pack_and_unpack(LARGE, LARGE), LARGE + LARGE / 8));
}

// Repeats of every length at every distance there are codes for.
Test(gzip, all_lengths_and_distances_come_back) {
    struct random r = random_from(3);
    size_t n = 0;
    while (n < 20000)
        data[n++] = (unsigned char)random_next(&r);
    while (n + 600 < LARGE) {
        size_t length = 3 + random_below(&r, 520);
        size_t far = n < 40000 ? n : 40000;
        size_t distance = 1 + random_below(&r, random_below(&r, 2) ? far : 300);
        for (size_t i = 0; i < length; i++, n++)
            data[n] = data[n - distance];
        data[n++] = (unsigned char)random_next(&r);
    }

    pack_and_unpack(n, LARGE);
}

Test(gzip, plain_bytes_arrive_as_they_are) {
    int fds[2];
    cr_assert(zero(int, pipe(fds)));
    gzip_start(&z, fds[1], GZIP_PLAIN);
    gzip_write(&z, "one", 3);
    gzip_write(&z, "two", 3);

    cr_assert(zero(int, gzip_end(&z)));

    cr_assert(eq(sz, (size_t)read(fds[0], back, sizeof back), 6));
    cr_assert(zero(int, memcmp(back, "onetwo", 6)));
}

Test(gzip, the_first_error_is_told_at_the_end_and_errno_is_not_touched) {
    int full = open("/dev/full", O_WRONLY);
    errno = 77;
    for (int mode = GZIP_PACKED; mode <= GZIP_PLAIN; mode++) {
        gzip_start(&z, full, (enum gzip_mode)mode);
        gzip_write(&z, data, LARGE);
        cr_assert(eq(int, gzip_end(&z), -ENOSPC));
    }
    cr_assert(eq(int, errno, 77));
}
