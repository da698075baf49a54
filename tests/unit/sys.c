// sys.c: sys_linux.c, as far as its answers can be checked.
#include "os/sys.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/auxv.h"

Test(sys, the_page_size_is_that_of_the_system) {
    cr_assert(eq(sz, sys_page_size(), (size_t)sysconf(_SC_PAGESIZE)));
    cr_assert(is_pow2(sys_page_size()));
}

Test(sys, what_the_kernel_did_not_tell_is_0_and_errno_stays) {
    enum { NO_TYPE = 12345 };
    errno = 77;

    cr_assert(zero(uptr, auxv_get(NO_TYPE)));
    cr_assert(ne(uptr, auxv_get(AT_PAGESZ), 0));

    cr_assert(eq(int, errno, 77));
}

static void *self_of_a_thread(void *ret) {
    *(uintptr_t *)ret = sys_self();
    return NULL;
}

Test(sys, threads_have_names_of_their_own_that_stay) {
    uintptr_t other = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, self_of_a_thread, &other);
    pthread_join(thread, NULL);

    cr_assert(ne(uptr, sys_self(), other));
    cr_assert(ne(uptr, sys_self(), 0));
    cr_assert(eq(uptr, sys_self(), sys_self()));
}

Test(sys, time_does_not_run_backwards) {
    uint64_t now = sys_now_ns(), ticks = sys_ticks();
    for (int i = 0; i < 100000; i++) {
        uint64_t now2 = sys_now_ns(), ticks2 = sys_ticks();
        cr_assert(now2 >= now && ticks2 >= ticks);
        now = now2;
        ticks = ticks2;
    }
}

Test(sys, the_step_of_ticks_is_between_a_fifth_of_a_millisecond_and_twenty) {
    uint64_t ns = sys_unix_ns(), ticks = sys_ticks();
    usleep(100000);
    double ns_per_tick =
        (double)(sys_unix_ns() - ns) / (double)(sys_ticks() - ticks);

    double step_ms = SYS_TICKS_STEP * ns_per_tick / 1e6;

    cr_assert(step_ms >= 0.2 && step_ms <= 20, "a step takes %f ms", step_ms);
}

Test(sys, all_is_written_or_an_error_is_told) {
    int fds[2];
    char buf[8];
    cr_assert(zero(int, pipe(fds)));
    errno = 77;

    cr_assert(zero(int, sys_write(fds[1], "mound", 5)));
    cr_assert(eq(long, sys_read(fds[0], buf, sizeof buf), 5));
    cr_assert(eq(int, sys_write(9999, "x", 1), -EBADF));
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    cr_assert(eq(int, sys_write(fds[1], "x", 1), -EPIPE));

    cr_assert(eq(int, errno, 77));
}

Test(sys, a_copied_descriptor_stands_high_and_for_the_same_file) {
    struct sys_file a, b;
    int fd = open("/dev/null", O_RDONLY);

    int high = sys_dup_high(fd);

    cr_assert(ge(int, high, 64));
    cr_assert(ne(int, fcntl(high, F_GETFD) & FD_CLOEXEC, 0));
    cr_assert(sys_file_of(fd, &a));
    cr_assert(sys_file_of(high, &b));
    cr_assert(sys_file_same(&a, &b));
    sys_close(high);
    cr_assert(not(sys_file_of(high, &b)));
}

Test(sys, under_a_low_limit_of_descriptors_a_copy_is_still_made) {
    struct rlimit limit = {40, 40};
    cr_assert(zero(int, setrlimit(RLIMIT_NOFILE, &limit)));

    int high = sys_dup_high(2);

    cr_assert(ge(int, high, 3));
    cr_assert(lt(int, high, 40));
}

Test(sys, abort_ends_the_process_even_when_the_signal_is_ignored,
     .signal = SIGABRT) {
    sigset_t all;
    sigfillset(&all);
    signal(SIGABRT, SIG_IGN);
    sigprocmask(SIG_BLOCK, &all, NULL);

    sys_abort();
}

Test(sys, exit_group_ends_with_the_status_given, .exit_code = 42) {
    sys_exit_group(42);
}
