// profile_calls: a profile that is started and stopped by call, while threads
// run in loops of which nearly every malloc is a hit. Exit 0, or one line.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expect.h"

enum { NTHREADS = 3, SIZE = 64, ENOUGH = 20 * 1000 * 1000 };

static _Atomic bool stop;
static _Atomic unsigned long npairs[NTHREADS];

static void *hit(void *arg) {
    _Atomic unsigned long *n = arg;
    while (!stop) {
        void *p = malloc(SIZE);
        __asm__ volatile("" : "+r"(p));
        free(p);
        (*n)++;
    }
    return NULL;
}

static void wait_for_pairs(unsigned long more) {
    unsigned long from[NTHREADS];
    for (int i = 0; i < NTHREADS; i++)
        from[i] = npairs[i];
    for (int i = 0; i < NTHREADS; i++)
        while (npairs[i] < from[i] + more)
            usleep(1000);
}

// Sums what the profile's text says of objects of SIZE bytes.
static unsigned long sampled(int (*write_profile)(int, int)) {
    char path[] = "/tmp/profile_calls.XXXXXX";
    int fd = mkstemp(path);
    expect(fd >= 0, "no file");
    unlink(path);
    expect(write_profile(fd, 1) == 0, "see the line");
    FILE *f = fdopen(fd, "r");
    expect(f != NULL, "see the line");
    rewind(f);
    char line[8192];
    unsigned long total = 0, inuse, inuse_bytes, n, bytes;
    expect(fgets(line, sizeof line, f) != NULL, "see the line");
    expect(strncmp(line, "heap profile: ", 14) == 0, "see the line");
    while (fgets(line, sizeof line, f) &&
           sscanf(line, "%lu: %lu [%lu: %lu]", &inuse, &inuse_bytes, &n,
                  &bytes) == 4)
        if (n > 0 && bytes / n == SIZE)
            total += n;
    fclose(f);
    return total;
}

int main(void) {
    int (*start)(size_t) = NULL;
    int (*end)(void) = NULL;
    int (*write_profile)(int, int) = NULL;
    *(void **)&start = dlsym(RTLD_DEFAULT, "mound_memprofile_start");
    *(void **)&end = dlsym(RTLD_DEFAULT, "mound_memprofile_stop");
    *(void **)&write_profile = dlsym(RTLD_DEFAULT, "mound_memprofile_write");
    if (start == NULL || end == NULL || write_profile == NULL)
        return 77; // another malloc

    expect(write_profile(1, 1) == -1 && errno == ENODATA, "see the line");
    pthread_t threads[NTHREADS];
    for (int i = 0; i < NTHREADS; i++)
        expect(pthread_create(&threads[i], NULL, hit, (void *)&npairs[i]) == 0,
               "see the line");
    wait_for_pairs(1000);

    expect(start(8 << 10) == 0, "no start"); // a sample for 128 objects
    wait_for_pairs(100 * 1000);
    unsigned long first = sampled(write_profile);
    // 3 threads of 100 000 and more: 2 300 samples.
    expect(first > 1500, "see the line");

    expect(end() == 0, "see the line");
    wait_for_pairs(100 * 1000); // the last of them have seen it
    unsigned long second = sampled(write_profile);
    wait_for_pairs(200 * 1000);
    expect(sampled(write_profile) == second, "see the line");

    expect(start(1 << 10) == 0, "see the line");
    wait_for_pairs(100 * 1000);
    expect(sampled(write_profile) > second + 10000, "see the line");
    expect(write_profile(-1, 0) == -1 && errno == EBADF, "see the line");
    expect(write_profile(1, 99) == -1 && errno == EINVAL, "see the line");
    expect(start(0) == 0, "no stop");
    stop = true;
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
