// control.c: requests in a page that no other process sees, answered in this thread.
#include "watch/control.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mound.h"
#include "base/fastrand.h"
#include "runtime/sampling.h"
#include "watch/profile.h"

enum { PATH = 128, MIB = 1 << 20, START = 77, HOSTILE_ROUNDS = 2000 };

static struct mound_page page;
static int npublished;
static bool published_whole;
static char folder[PATH];

static void publish(bool whole) {
    npublished++;
    published_whole = whole;
}

// start begins with a process that has allocated something and has a folder of its own.
static void start(void) {
    mound_free(mound_malloc(1));
    page.identity.uid = 4000000000u + (uint32_t)getpid();
    page.identity.start_ticks = START;
    snprintf(folder, sizeof folder, "/dev/shm/mound-%" PRIu32,
             page.identity.uid);
    control_init();
    control_start(&page, publish);
}

static void end(void) {
    rmdir(folder);
}

static int64_t request(uint32_t op, uint64_t arg) {
    page.control.op = op;
    page.control.arg = arg;
    page.control.requested++;
    page.control.result = 12345;
    control_answer();
    cr_assert(eq(u32, page.control.done, page.control.requested));
    return page.control.result;
}

static const char *file(int n) {
    static char path[2 * PATH];
    snprintf(path, sizeof path, "%s/%d-%d.%d.pb.gz", folder, getpid(), START,
             n);
    return path;
}

TestSuite(control, .init = start, .fini = end);

Test(control, publication_is_whole) {
    cr_assert(eq(i64, request(MOUND_PAGE_PUBLISH, 0), 0));
    cr_assert(eq(int, npublished, 1));
    cr_assert(published_whole);
}

Test(control, a_request_is_done_once) {
    request(MOUND_PAGE_PUBLISH, 0);
    control_answer();
    control_answer();
    cr_assert(eq(int, npublished, 1));
}

Test(control, what_was_requested_of_another_process_is_not_done) {
    page.control.requested = 1000;
    control_start(&page, publish);
    control_answer();
    cr_assert(eq(int, npublished, 0));
}

Test(control, what_is_no_request_is_refused) {
    cr_assert(eq(i64, request(0, 0), -EINVAL));
    cr_assert(eq(i64, request(7, 0), -EINVAL));
    cr_assert(eq(i64, request(UINT32_MAX, 1), -EINVAL));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 0), -EINVAL));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, UINT64_MAX), -EINVAL));
    cr_assert(not(sampling_on()));
}

Test(control, release_says_how_many_bytes_came_back) {
    static char *p[64];
    for (int i = 0; i < 64; i++)
        memset(p[i] = mound_malloc(MIB), 1, MIB);
    for (int i = 0; i < 64; i++)
        mound_free(p[i]);
    struct mound_memstats before, after;
    mound_read_memstats(&before, sizeof before);

    int64_t nbytes = request(MOUND_PAGE_RELEASE, 0);

    mound_read_memstats(&after, sizeof after);
    cr_assert(gt(i64, nbytes, 0));
    cr_assert(eq(u64, after.heap_idle - after.heap_released, 0));
    cr_assert(
        eq(u64, (uint64_t)nbytes, after.heap_released - before.heap_released));
    cr_assert(eq(i64, request(MOUND_PAGE_RELEASE, 0), 0));
}

Test(control, samples_start_and_stop) {
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 1000), 0));
    cr_assert(sampling_on());
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 0));
    cr_assert(not(sampling_on()));
}

Test(control, samples_stop_with_the_last_of_those_who_started_them) {
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 1000), 0));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 2000), 0));
    cr_assert(
        eq(u64, profile_table.rate, 1000)); // for all: it scales what they see
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 1));
    cr_assert(sampling_on());
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 0));
    cr_assert(not(sampling_on()));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 0)); // one too many
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 2000), 0));
    cr_assert(eq(u64, profile_table.rate, 2000));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 0));
    cr_assert(not(sampling_on()));
}

Test(control, samples_of_the_program_itself_are_left_to_it) {
    cr_assert(zero(int, mound_memprofile_start(500)));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 1000), 1));
    cr_assert(eq(u64, profile_table.rate, 500));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 1));
    cr_assert(sampling_on());
    cr_assert(zero(int, mound_memprofile_stop()));

    // What it starts meanwhile is its own; what it stops has ended for all.
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 1000), 0));
    cr_assert(zero(int, mound_memprofile_start(500)));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 1));
    cr_assert(sampling_on());
    cr_assert(zero(int, mound_memprofile_stop()));
    cr_assert(not(sampling_on()));
}

Test(control, samples_of_a_tracer_go_on_when_who_requested_them_has_gone) {
    profile_follow(1000);
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 1000), 0));
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 1));
    cr_assert(sampling_on());
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_START, 1000), 0));
    profile_unfollow();
    cr_assert(sampling_on());
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_STOP, 0), 0));
    cr_assert(not(sampling_on()));
}

Test(control, without_samples_there_is_no_profile) {
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_WRITE, 0), -ENODATA));
}

static uint64_t profiles_after_a_call(void) {
    mound_free(mound_malloc(100));
    return page.control.profile_done;
}

Test(control, the_next_call_writes_the_profile) {
    mkdir(folder, 0700);
    request(MOUND_PAGE_PROFILE_START, 1);
    static void *volatile kept;
    kept = mound_malloc(100);
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_WRITE, 0), 0));
    cr_assert(ne(int, access(file(1), F_OK), 0));

    cr_assert(eq(u64, profiles_after_a_call(), 1));
    cr_assert(eq(i64, page.control.profile_result, 0));
    cr_assert(eq(int, unlink(file(1)), 0));
    cr_assert(eq(u64, profiles_after_a_call(), 1)); // once

    request(MOUND_PAGE_PROFILE_STOP, 0);
    request(MOUND_PAGE_PROFILE_WRITE, 0); // of what was sampled
    cr_assert(eq(u64, profiles_after_a_call(), 2));
    cr_assert(eq(int, unlink(file(2)), 0));
    mound_free(kept);
}

Test(control, a_profile_of_the_peak_is_kept_from_the_first_start_on) {
    mkdir(folder, 0700);
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_PEAK, 0), -ENODATA));
    request(MOUND_PAGE_PROFILE_START, 1);
    cr_assert(eq(i64, request(MOUND_PAGE_PROFILE_PEAK, 0), 0));
    cr_assert(eq(u64, profiles_after_a_call(), 1));
    cr_assert(eq(i64, page.control.profile_result, 0));
    cr_assert(eq(int, unlink(file(1)), 0));
}

Test(control, a_profile_that_cannot_be_written_is_the_requesters_matter) {
    int err[2];
    cr_assert(eq(int, pipe2(err, O_NONBLOCK), 0));
    int saved = dup(2);
    dup2(err[1], 2);
    request(MOUND_PAGE_PROFILE_START, 1);
    request(MOUND_PAGE_PROFILE_WRITE, 0);
    uint64_t done = profiles_after_a_call();
    char text[PATH];
    long n = read(err[0], text, sizeof text);
    dup2(saved, 2);

    cr_assert(eq(u64, done, 1));
    cr_assert(eq(i64, page.control.profile_result, -ENOENT));
    cr_assert(lt(long, n, 0)); // nothing on stderr
}

Test(control, a_child_of_fork_has_no_part_in_the_parents_page) {
    control_forked();
    cr_assert(not(control_resume()));
    control_filtered();
    cr_assert(eq(u32, page.control.listening, MOUND_PAGE_PAUSED));
}

Test(control, a_filter_is_told_of) {
    control_filtered();
    cr_assert(eq(u32, page.control.listening, MOUND_PAGE_FILTERED));
}

Test(control, whatever_is_written_there_it_goes_on) {
    uint64_t random = 42;
    mkdir(folder, 0700);
    for (int i = 0; i < HOSTILE_ROUNDS; i++) {
        uint64_t words[sizeof page.control / sizeof(uint64_t)];
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            words[k] = fastrand(&random);
        memcpy(&page.control, words, sizeof words);
        page.control.op %= 8;
        control_answer();
        cr_assert(eq(u32, page.control.done, page.control.requested));
        mound_free(mound_malloc(1 + (size_t)i));
    }
    cr_assert(eq(int, mound_verify(), 0));
    for (int n = 1; unlink(file(n)) == 0; n++)
        ;
}
