// Probes trap 21: no function of the family is a cancellation point, nor is writing the
// statistics. A thread with a pending cancellation calls them all and is cancelled only
// where it calls pthread_testcancel.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>

static _Atomic int npassed;
static int null_fd;

static void *run(void *arg) {
    int saved = dup(STDERR_FILENO);
    pthread_cancel(pthread_self());
    probe_workout();
    void *p = NULL;
    expect(posix_memalign(&p, 4096, 70000) == 0, "posix_memalign");
    free(p);
    free(aligned_alloc(64, 640));
    free(memalign(64, 640));
    free(valloc(100));
    free(pvalloc(100));
    malloc_trim(0);
    mallinfo2();
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    int (*write_memstats)(int) =
        (int (*)(int))dlsym(RTLD_DEFAULT, "mound_write_memstats");
    if (write_memstats) {
        expect(write_memstats(null_fd) == 0, "mound_write_memstats");
    }
    int state;
    // dup2 and close are cancellation points on some systems.
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    dup2(null_fd, STDERR_FILENO);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    malloc_stats();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    dup2(saved, STDERR_FILENO);
    close(saved);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    npassed++;
    pthread_testcancel();
    fail_at(__LINE__, "the cancellation got lost");
    return arg;
}

// Threads that only allocate are cancelled at their one cancellation point, while
// cleanup handlers still own their blocks.
static void *loop(void *arg) {
    void *volatile p = NULL;
    for (;;) {
        p = malloc(5000);
        pthread_cleanup_push(free, p);
        pthread_testcancel();
        pthread_cleanup_pop(1);
    }
    return arg;
}

int main(void) {
    null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    expect(null_fd >= 0, "/dev/null");
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *result = NULL;
        expect(pthread_create(&thread, NULL, run, NULL) == 0, "thread");
        pthread_join(thread, &result);
        expect(result == PTHREAD_CANCELED, "the thread was not cancelled");
        expect(npassed == i + 1, "cancelled inside an allocation call");
    }
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        void *result = NULL;
        expect(pthread_create(&thread, NULL, loop, NULL) == 0, "thread");
        sched_yield();
        pthread_cancel(thread);
        pthread_join(thread, &result);
        expect(result == PTHREAD_CANCELED, "the thread was not cancelled");
    }
    probe_sound();
    return 0;
}
