// control_races.c: requests (watch/control.h) while threads allocate and free: samples
// start and stop, profiles of now and of the peak are written, memory is given back. For
// sanitizers; one thread does what the helper does.
//
// usage: control_races [SECONDS]  2 seconds unless told; exit status 0 if each request
//                                 was answered, and the heap is sound at the end
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mound.h"
#include "watch/control.h"

enum { NWORKERS = 3, NOBJECTS = 500, SIZE_MAX_LOG2 = 16, PATH = 128 };
enum { START_TICKS = 1, RATE = 10000, HANG_S = 60 };

// The fast paths read the word by which others hide their cache without atomics: see
// struct thread_tls.
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "race:hide_caches\n";
}

static struct mound_page page;
static _Atomic bool stop;
static char folder[PATH];

static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 27;
}

static time_t seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void fail(const char *what) {
    fprintf(stderr, "control_races: %s\n", what);
    exit(1);
}

static void *work(void *arg) {
    static __thread void *objects[NOBJECTS];
    uint64_t random = (uintptr_t)arg;
    while (!atomic_load(&stop)) {
        void **o = &objects[next(&random) % NOBJECTS];
        mound_free(*o);
        *o =
            mound_malloc(next(&random) % (2u << next(&random) % SIZE_MAX_LOG2));
    }
    for (int i = 0; i < NOBJECTS; i++)
        mound_free(objects[i]);
    return NULL;
}

static void *read_figures(void *arg) {
    struct mound_memstats st;
    while (!atomic_load(&stop))
        mound_read_memstats(&st, sizeof st);
    return arg;
}

static void publish(bool whole) {
    (void)whole;
}

static void remove_profiles(uint64_t from) {
    char path[2 * PATH];
    for (uint64_t n = from;; n++) {
        snprintf(path, sizeof path, "%s/%d-%d.%" PRIu64 ".pb.gz", folder,
                 getpid(), START_TICKS, n);
        if (unlink(path) != 0)
            return;
    }
}

static void request(uint64_t *random) {
    struct mound_page_control *box = &page.control;
    box->op = (uint32_t)(1 + next(random) % MOUND_PAGE_PROFILE_PEAK);
    box->arg = RATE + next(random) % RATE;
    __atomic_add_fetch(&box->requested, 1, __ATOMIC_RELEASE);
    control_answer();
    if (box->done != box->requested)
        fail("a request was not answered");
}

int main(int argc, char **argv) {
    pthread_t threads[NWORKERS + 1];
    uint64_t random = 1;
    time_t begin = seconds_now(), limit = argc > 1 ? atoi(argv[1]) : 2;
    mound_free(mound_malloc(1));
    page.identity.uid = 4000000000u + (uint32_t)getpid();
    page.identity.start_ticks = START_TICKS;
    snprintf(folder, sizeof folder, "/dev/shm/mound-%" PRIu32,
             page.identity.uid);
    if (mkdir(folder, 0700) != 0)
        perror(folder);
    control_init();
    control_start(&page, publish);
    for (uintptr_t i = 0; i <= NWORKERS; i++)
        if (pthread_create(&threads[i], NULL,
                           i < NWORKERS ? work : read_figures,
                           (void *)(i + 1)) != 0)
            fail("no thread");
    uint64_t removed = 1;
    // Beside a busy machine until a profile was written, too.
    while (seconds_now() - begin <= limit ||
           (removed == 1 && seconds_now() - begin < HANG_S)) {
        request(&random);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        uint64_t written =
            __atomic_load_n(&page.control.profile_done, __ATOMIC_ACQUIRE);
        if (written >= removed) {
            remove_profiles(removed);
            removed = written + 1;
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i <= NWORKERS; i++)
        pthread_join(threads[i], NULL);
    remove_profiles(removed);
    rmdir(folder);
    if (page.control.profile_done == 0)
        fail("no profile was written");
    if (mound_verify() != 0)
        fail("the heap is not sound");
    return 0;
}
