// Probes trap 29: a child of fork has no cost for its parent's threads. Their caches
// hold memory and are not touched until the child needs some: its first calls cost few
// page faults, counts are exact all the time, and once it has allocated more than they
// hold they are given back. Argument: fork or _Fork.
#include "expect.h"

#include <pthread.h>
#include <sys/resource.h>

#include "mound.h"

enum {
    NTHREADS = 150,
    NPAIRS = 100,
    FAULTS_MAX = 100, // of the first NPAIRS; 195 to 249 when all were drained
    NGROWN = 300000,
};

typedef void read_memstats(struct mound_memstats *, size_t);

static read_memstats *read_stats;
static pthread_barrier_t ready;

static void *fill_cache(void *arg) {
    (void)arg;
    void *blocks[60];
    for (size_t i = 0; i < 60; i++) {
        blocks[i] = malloc(i * i + 1);
    }
    for (size_t i = 0; i < 60; i++) {
        free(blocks[i]);
    }
    pthread_barrier_wait(&ready);
    pause();
    return NULL;
}

static long faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void check_counts(const struct mound_memstats *parent, long npairs) {
    struct mound_memstats now;
    read_stats(&now, sizeof now);
    expect(now.mallocs == parent->mallocs + (uint64_t)npairs &&
               now.frees == parent->frees + (uint64_t)npairs,
           "%ld pairs in the child were counted as %ld and %ld", npairs,
           (long)(now.mallocs - parent->mallocs),
           (long)(now.frees - parent->frees));
    expect(now.heap_alloc == parent->heap_alloc, "heap_alloc of the child");
    expect(now.nthreads == 1, "%lu thread caches in the child",
           (unsigned long)now.nthreads);
    probe_sound();
}

static void first_calls(void) {
    probe_child_starts();
    long before = faults();
    for (size_t i = 0; i < NPAIRS; i++) {
        free(malloc(i * 10 + 1));
    }
    long nfaults = faults() - before;
    expect(nfaults <= FAULTS_MAX, "%ld page faults in the first calls",
           nfaults);
}

static void in_child(const struct mound_memstats *parent) {
    struct mound_memstats start = *parent;
    first_calls();
    check_counts(parent, NPAIRS);
    read_stats(&start, sizeof start);
    pid_t child = fork();
    if (child == 0) {
        first_calls();
    } else {
        probe_child_passed(child, "fork in the child");
        start = *parent;
    }
    check_counts(&start, NPAIRS);

    static void *blocks[NGROWN];
    for (size_t i = 0; i < NGROWN; i++) {
        blocks[i] = malloc(i % 100 + 1);
        if (i % 100000 == 50000) { // some are drained, others not
            pid_t pid = fork();
            if (pid == 0) {
                probe_child_starts();
                probe_workout();
                probe_sound();
                _exit(0);
            }
            probe_child_passed(pid, "fork while caches are given back");
        }
    }
    for (size_t i = 0; i < NGROWN; i++) {
        free(blocks[i]);
    }
    check_counts(&start, NPAIRS + NGROWN);
    struct mound_memstats now;
    read_stats(&now, sizeof now);
    expect(now.mcache_inuse < parent->mcache_inuse / 10,
           "%lu bytes of caches of threads that are gone",
           (unsigned long)now.mcache_inuse);
    _exit(0);
}

int main(int argc, char **argv) {
    bool bare = argc > 1 && strcmp(argv[1], "_Fork") == 0;
    read_stats = (read_memstats *)dlsym(RTLD_DEFAULT, "mound_read_memstats");
    if (!read_stats) {
        skip("libmound.so is not loaded");
    }
    free(malloc(1));
    pthread_barrier_init(&ready, NULL, NTHREADS + 1);
    for (int i = 0; i < NTHREADS; i++) {
        pthread_t thread;
        expect(pthread_create(&thread, NULL, fill_cache, NULL) == 0,
               "thread %d", i);
    }
    pthread_barrier_wait(&ready);
    struct mound_memstats stats;
    read_stats(&stats, sizeof stats);
    pid_t pid = bare ? _Fork() : fork();
    if (pid == 0) {
        in_child(&stats);
    }
    probe_child_passed(pid, "child");
    return 0;
}
