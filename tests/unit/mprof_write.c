// mprof_write.c: profiles of made-up buckets, read back by a decoder of our own
// (../support/pprof_read.py) and by the tools they are for.
#include "prof/mprof_write.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bits.h"
#include "fixture.h"
#include "mem_fake.h"

static const uint64_t RATE = 524288;

static struct persistent persistent;
static struct mprof mp;
static char folder[] = "/tmp/mound-mprof-XXXXXX";

static void start(void) {
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    persistent_init(&persistent);
    mprof_init(&mp, &persistent);
    mp.rate = RATE;
}

static void remove_folder(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(zero(int, system(command)));
}

TestSuite(mprof_write, .init = start, .fini = remove_folder, .timeout = 120);

// Code that stacks of the profiles lie in. The names of the mound_ ones are cut
// by readers.
#define CODE __attribute__((noinline, used)) void
static volatile int sink;
CODE outer_code(void) {
    sink = sink * 3 + 1;
}
CODE inner_code(void) {
    sink = sink * 5 + 1;
}
CODE mound_code(void) {
    sink = sink * 7 + 1;
}

// inside returns an address in a function, as a call in it would return to.
static uintptr_t inside(void (*function)(void)) {
    return (uintptr_t)function + 4;
}

static struct mbucket *add(size_t size, const uintptr_t *pcs, unsigned npcs,
                           uint64_t nallocs, uint64_t nfrees) {
    struct mbucket *b = mprof_bucket(&mp, size, pcs, npcs);
    b->nallocs += nallocs;
    b->nfrees += nfrees;
    return b;
}

static void add_a_few(void) {
    const uintptr_t stack[] = {inside(mound_code), inside(inner_code),
                               inside(outer_code), (uintptr_t)l64a + 4};
    add(16, stack, 4, 1000, 400);
    add(4096, stack, 4, 7, 7);
    add(1 << 20, stack + 1, 3, 5, 2);
    add(48, stack + 2, 2, 100, 1);
    add(64, stack + 2, 2, 0, 0);
    add(128, NULL, 0, 30, 10);
}

// path_of returns the name of the file for a form.
static const char *path_of(enum mprof_format format) {
    static char paths[2][sizeof folder + 20];
    snprintf(paths[format], sizeof paths[0], "%s/%s", folder,
             format == MPROF_PPROF ? "profile.pb.gz" : "profile.heap");
    return paths[format];
}

static int write_file(enum mprof_format format) {
    int fd = open(path_of(format), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int error = mprof_write(&mp, format, fd);
    close(fd);
    return error;
}

// What pprof_read.py says of a file.
enum { MAPPINGS_MAX = 6000, SAMPLES_MAX = 40000, ADDRESSES_MAX = 1000000 };

struct sample {
    uint64_t bytes;
    uint64_t values[4]; // alloc_objects, alloc_space, inuse_objects, ...
    size_t naddresses;
    uint64_t *addresses;
};

static struct read_profile {
    char form[20];
    uint64_t period, time_ns, duration_ns;
    size_t ntypes, nmappings, nsamples, naddresses;
    char types[4][40];
    struct {
        uint64_t start, limit, offset;
        char build_id[200], file[300];
    } mappings[MAPPINGS_MAX];
    struct sample samples[SAMPLES_MAX];
    uint64_t addresses[ADDRESSES_MAX];
} profile;

static void read_sample(FILE *f) {
    struct sample *s = &profile.samples[profile.nsamples++];
    cr_assert(
        eq(int,
           fscanf(f, "%lu %lu %lu %lu %lu %zu", &s->bytes, &s->values[0],
                  &s->values[1], &s->values[2], &s->values[3], &s->naddresses),
           6));
    s->addresses = profile.addresses + profile.naddresses;
    profile.naddresses += s->naddresses;
    for (size_t i = 0; i < s->naddresses; i++)
        cr_assert(eq(int, fscanf(f, "%lx", &s->addresses[i]), 1));
}

static void read_mapping(FILE *f) {
    size_t i = profile.nmappings++;
    cr_assert(
        eq(int,
           fscanf(f, "%*u %lx %lx %lx %199s %299s", &profile.mappings[i].start,
                  &profile.mappings[i].limit, &profile.mappings[i].offset,
                  profile.mappings[i].build_id, profile.mappings[i].file),
           5));
}

// read_back fills profile; a file that breaks a rule ends the test.
static void read_back(enum mprof_format format) {
    char command[1000], word[20];
    const char *source = getenv("MOUND_SOURCE");
    cr_assert(ne(ptr, (void *)source, NULL), "MOUND_SOURCE is not set");
    snprintf(command, sizeof command,
             "python3 %s/tests/support/pprof_read.py --lines %s", source,
             path_of(format));
    FILE *f = popen(command, "r");
    profile.ntypes = profile.nmappings = profile.nsamples = 0;
    profile.naddresses = 0;
    while (fscanf(f, "%19s", word) == 1)
        if (strcmp(word, "sample") == 0)
            read_sample(f);
        else if (strcmp(word, "mapping") == 0)
            read_mapping(f);
        else if (strcmp(word, "type") == 0)
            cr_assert(
                eq(int, fscanf(f, "%39s", profile.types[profile.ntypes++]), 1));
        else
            cr_assert(
                eq(int,
                   fscanf(f, "%19s %lu %lu %lu", profile.form, &profile.period,
                          &profile.time_ns, &profile.duration_ns),
                   4));
    cr_assert(zero(int, pclose(f)), "no valid profile");
}

static void write_and_read(enum mprof_format format) {
    cr_assert(zero(int, write_file(format)));
    read_back(format);
}

static size_t mapping_of(uint64_t address) {
    size_t i = 0;
    while (i < profile.nmappings && (address < profile.mappings[i].start ||
                                     address >= profile.mappings[i].limit))
        i++;
    return i;
}

static char *program_path(void) {
    static char path[4096];
    cr_assert(gt(long, readlink("/proc/self/exe", path, sizeof path - 1), 0));
    return path;
}

// check_sample compares what was read with a bucket. The text form is scaled by
// its reader, whose last digit may be another.
static void check_sample(const struct sample *s, const struct mbucket *b) {
    uint64_t nallocs = b->nallocs, ninuse = b->nallocs - b->nfrees;
    const uint64_t want[] = {mprof_scale(nallocs, b->size, mp.rate),
                             mprof_scale(nallocs * b->size, b->size, mp.rate),
                             mprof_scale(ninuse, b->size, mp.rate),
                             mprof_scale(ninuse * b->size, b->size, mp.rate)};
    for (int i = 0; i < 4; i++)
        cr_assert(s->values[i] + 1 - want[i] <= 2, "%lu is not %lu",
                  (unsigned long)s->values[i], (unsigned long)want[i]);
    cr_assert(eq(u64, s->bytes, b->size));
    if (b->npcs == 0) {
        cr_assert(eq(sz, s->naddresses, 1)); // one that stands for none
        cr_assert(eq(sz, mapping_of(s->addresses[0]), profile.nmappings));
        return;
    }
    cr_assert(eq(sz, s->naddresses, b->npcs));
    for (uint32_t i = 0; i < b->npcs; i++)
        cr_assert(eq(u64, s->addresses[i], b->pcs[i] - 1));
}

// check_all compares all samples with all buckets.
static void check_all(void) {
    size_t i = 0;
    for (struct mbucket *b = mprof_newest(&mp); b != NULL; b = b->older)
        if (b->nallocs > 0)
            check_sample(&profile.samples[i++], b);
    cr_assert(eq(sz, i, profile.nsamples));
}

static void check_types(void) {
    static const char *const types[] = {
        "alloc_objects/count", "alloc_space/bytes", "inuse_objects/count",
        "inuse_space/bytes"};
    cr_assert(eq(sz, profile.ntypes, 4));
    for (int i = 0; i < 4; i++)
        cr_assert(eq(str, profile.types[i], (char *)types[i]));
}

Test(mprof_write, what_is_read_from_a_pprof_file_is_what_was_put_in) {
    mp.start_unix_ns = (uint64_t)time(NULL) * 1000000000 - 5000000000;
    add_a_few();

    write_and_read(MPROF_PPROF);

    cr_assert(eq(str, profile.form, "pprof"));
    cr_assert(eq(u64, profile.period, RATE));
    cr_assert(eq(u64, profile.time_ns, mp.start_unix_ns));
    cr_assert(ge(u64, profile.duration_ns, 5000000000));
    cr_assert(lt(u64, profile.duration_ns, 1000000000000));
    check_types();
    check_all();
    cr_assert(eq(sz, profile.nsamples, 5)); // one bucket was never used
}

Test(mprof_write, what_is_read_from_a_text_is_what_was_put_in) {
    add_a_few();

    write_and_read(MPROF_HEAP_V2);

    cr_assert(eq(str, profile.form, "text"));
    cr_assert(eq(u64, profile.period, RATE));
    check_types();
    check_all();
    cr_assert(eq(sz, profile.nsamples, 5));
}

Test(mprof_write, at_a_rate_of_1_all_numbers_are_exact) {
    mp.rate = 1;
    add_a_few();
    for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
        write_and_read((enum mprof_format)format);
        check_all();
        uint64_t inuse = 0;
        for (size_t i = 0; i < profile.nsamples; i++)
            inuse += profile.samples[i].values[3];
        cr_assert(
            eq(u64, inuse, 600 * 16 + 3 * (1 << 20) + 99 * 48 + 20 * 128));
    }
}

Test(mprof_write, types_do_not_depend_on_what_was_freed) {
    static const uintptr_t stack[] = {0x1000};
    write_and_read(MPROF_HEAP_V2); // pprof_read.py checks the header's trap
    write_and_read(MPROF_PPROF);
    check_types();
    cr_assert(zero(sz, profile.nsamples));

    struct mbucket *b = add(64, stack, 1, 10, 0);
    write_and_read(MPROF_HEAP_V2);
    check_all();
    b->nfrees = 10;
    write_and_read(MPROF_HEAP_V2);
    check_all();
    write_and_read(MPROF_PPROF);
    check_all();
}

// Counters that are read one after the other need not fit together.
Test(mprof_write, more_frees_than_allocations_are_none_in_use) {
    static const uintptr_t stack[] = {0x1000};
    add(64, stack, 1, 10, 11);

    for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
        write_and_read((enum mprof_format)format);
        cr_assert(zero(u64, profile.samples[0].values[2]));
        cr_assert(zero(u64, profile.samples[0].values[3]));
    }
}

Test(mprof_write, the_program_is_the_first_mapping_and_libraries_follow) {
    add_a_few();
    write_and_read(MPROF_PPROF);

    cr_assert(eq(str, profile.mappings[0].file, program_path()));
    cr_assert(gt(sz, strlen(profile.mappings[0].build_id), 8));
    cr_assert(zero(sz, mapping_of(inside(outer_code))));
    size_t libc = mapping_of((uintptr_t)l64a + 4);
    cr_assert(lt(sz, libc, profile.nmappings));
    cr_assert(ne(ptr, strstr(profile.mappings[libc].file, "/libc"), NULL));
    cr_assert(gt(sz, strlen(profile.mappings[libc].build_id), 8));
}

Test(mprof_write, addresses_of_thousands_of_mappings_find_theirs) {
    enum { MANY = 3000 };
    char path[sizeof folder + 10];
    snprintf(path, sizeof path, "%s/code", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0700);
    cr_assert(zero(int, ftruncate(fd, 4096)));
    for (int i = 0; i < MANY; i++) {
        char *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
        cr_assert(ne(ptr, p, MAP_FAILED));
        // The call that returns to the first address behind it lies within.
        const uintptr_t stack[] = {(uintptr_t)p + 1, (uintptr_t)p + 4096};
        add(64, stack, 2, 1, 0);
    }

    write_and_read(MPROF_PPROF);

    // pprof_read.py checks that addresses lie in the mappings they name.
    check_all();
    cr_assert(ge(sz, profile.nmappings, MANY));
    for (size_t i = 0; i < profile.nsamples; i++)
        for (int j = 0; j < 2; j++) {
            size_t m = mapping_of(profile.samples[i].addresses[j]);
            cr_assert(eq(str, profile.mappings[m].file, path));
        }
}

// write_without_proc writes both forms where there is no /proc.
static bool write_without_proc(void) {
    int fds[2];
    for (int i = 0; i < 2; i++)
        fds[i] = open(path_of((enum mprof_format)i), O_WRONLY | O_CREAT, 0600);
    if (chroot(folder) != 0)
        return false;
    return mprof_write(&mp, MPROF_PPROF, fds[0]) == 0 &&
           mprof_write(&mp, MPROF_HEAP_V2, fds[1]) == 0;
}

Test(mprof_write, without_proc_one_mapping_stands_for_all) {
    int status;
    if (geteuid() != 0)
        cr_skip("only root may change its root");
    add_a_few();
    pid_t pid = fork();
    if (pid == 0)
        _exit(write_without_proc() ? 0 : 1);
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(zero(int, status));

    read_back(MPROF_HEAP_V2);
    check_all();
    cr_assert(zero(sz, profile.nmappings));
    read_back(MPROF_PPROF);
    check_all();
    cr_assert(eq(sz, profile.nmappings, 1));
    cr_assert(eq(str, profile.mappings[0].file, (char *)"-"));
}

// add_deep_stacks adds buckets as a real program has them: most frames are
// common to many.
static void add_deep_stacks(int nbuckets) {
    enum { DEPTH = 25 };
    struct random r = random_from(1);
    uintptr_t stack[DEPTH];
    uintptr_t code = (uintptr_t)inner_code;
    while (mp.nbuckets < (uint32_t)nbuckets) {
        uint64_t branch = random_below(&r, 200);
        for (uint64_t j = 0; j < DEPTH; j++)
            stack[j] = j < 4 ? code + random_below(&r, 3000)
                             : code + branch * 40 + j * 7;
        add(16 + random_below(&r, 100) * 16, stack, DEPTH, 10, 3);
    }
}

static double ms_between(struct timespec a, struct timespec b) {
    return (double)(b.tv_sec - a.tv_sec) * 1e3 +
           (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

Test(mprof_write, ten_thousand_buckets_come_back) {
    static const char *const names[] = {"pprof", "text"};
    struct timespec a, b;
    add_deep_stacks(10000);
    for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
        clock_gettime(CLOCK_MONOTONIC, &a);
        write_file((enum mprof_format)format);
        clock_gettime(CLOCK_MONOTONIC, &b);
        read_back((enum mprof_format)format);
        check_all();
        fprintf(stderr, "10000 buckets of 25 frames as %s: %.1f ms\n",
                names[format], ms_between(a, b));
    }
}

Test(mprof_write, without_memory_nothing_is_written_and_text_needs_none) {
    add_deep_stacks(10000); // more than the first table holds
    size_t before = mem_fake_total(MEM_COMMITTED);
    static const enum mem_call kinds[] = {MEM_RESERVE, MEM_COMMIT};
    for (int i = 0; i < 2; i++) {
        int error = -1;
        unsigned nth = 0;
        while (error != 0) {
            mem_fake_fail_at(kinds[i], ++nth, MEM_FOR_EVER);
            error = write_file(MPROF_PPROF);
            int text_error = write_file(MPROF_HEAP_V2);
            mem_fake_fail_at(kinds[i], 0, 0);

            cr_assert(zero(int, text_error));
            cr_assert(eq(sz, mem_fake_total(MEM_COMMITTED), before));
            cr_assert(zero(sz, mem_fake_total(MEM_RESERVED)));
            if (error != 0) {
                cr_assert(eq(int, error, -ENOMEM));
                int fd = open(path_of(MPROF_PPROF), O_RDONLY);
                cr_assert(zero(long, lseek(fd, 0, SEEK_END)));
                close(fd);
            }
        }
        cr_assert(ge(u32, nth, 3)); // mappings, and two sizes of a table
    }

    read_back(MPROF_PPROF);
    check_all();
    read_back(MPROF_HEAP_V2);
    check_all();
}

Test(mprof_write, errors_of_the_file_are_told_and_errno_is_not_touched) {
    int fds[2];
    cr_assert(zero(int, pipe(fds)));
    close(fds[0]);
    int full = open("/dev/full", O_WRONLY);
    add_deep_stacks(1000);
    errno = 77;
    for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
        cr_assert(eq(int, mprof_write(&mp, (enum mprof_format)format, full),
                     -ENOSPC));
        cr_assert(eq(int, mprof_write(&mp, (enum mprof_format)format, fds[1]),
                     -EPIPE));
        cr_assert(
            eq(int, mprof_write(&mp, (enum mprof_format)format, 9999), -EBADF));
        cr_assert(zero(int, write_file((enum mprof_format)format)));
    }
    cr_assert(eq(int, errno, 77));
}

static int slow_fds[2];

static void leave_with_a_profile(int signal) {
    (void)signal;
    int sent_away = write_file(MPROF_PPROF);
    int fd = open("/dev/null", O_WRONLY);
    int taken_over = mprof_write_waiting(&mp, MPROF_PPROF, fd, 1);
    _exit(sent_away == -EBUSY && taken_over == 0 ? 0 : 1);
}

Test(mprof_write, a_handler_that_ends_the_process_takes_over) {
    int status;
    add_deep_stacks(10000); // more than a pipe holds
    cr_assert(zero(int, pipe(slow_fds)));
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGALRM, leave_with_a_profile);
        ualarm(50000, 50000);
        for (;;)
            mprof_write(&mp, MPROF_PPROF, slow_fds[1]);
    }
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(zero(int, status));
}

static void *write_slowly(void *ret_error) {
    int error;
    do { // the test may be the one who writes just then
        error = mprof_write(&mp, MPROF_PPROF, slow_fds[1]);
    } while (error == -EBUSY);
    close(slow_fds[1]);
    *(int *)ret_error = error;
    return NULL;
}

Test(mprof_write, a_second_writer_is_sent_away_but_not_in_a_child) {
    static char buf[1 << 16];
    pthread_t thread;
    int error = -1, status;
    add_deep_stacks(10000); // more than a pipe holds
    cr_assert(zero(int, pipe(slow_fds)));
    pthread_create(&thread, NULL, write_slowly, &error);
    int waiting = 0;
    while (waiting < 1000) { // until the pipe is full
        usleep(1000);
        waiting = write_file(MPROF_HEAP_V2) == -EBUSY ? waiting + 1 : 0;
    }

    pid_t pid = fork();
    if (pid == 0)
        _exit(write_file(MPROF_PPROF) == 0 && write_file(MPROF_HEAP_V2) == 0
                  ? 0
                  : 1);
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(zero(int, status));
    read_back(MPROF_PPROF);
    check_all();

    cr_assert(eq(int, write_file(MPROF_HEAP_V2), -EBUSY));
    while (read(slow_fds[0], buf, sizeof buf) > 0)
        ;
    pthread_join(thread, NULL);
    cr_assert(zero(int, error));
    cr_assert(zero(int, write_file(MPROF_HEAP_V2)));
}

static _Atomic bool stop;

static void *count_on(void *arg) {
    struct random r = {(uint64_t)(uintptr_t)arg};
    uintptr_t stack[8];
    while (!atomic_load(&stop)) {
        for (int i = 0; i < 8; i++)
            stack[i] = (uintptr_t)inner_code + random_below(&r, 5);
        unsigned depth = mp.nbuckets < 3000 ? 8 : 0;
        struct mbucket *b = mprof_bucket(&mp, 64, stack, depth);
        atomic_fetch_add(&b->nallocs, 1);
        atomic_fetch_add(&b->nfrees, 1);
    }
    return NULL;
}

Test(mprof_write, while_others_count_each_profile_is_whole) {
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, count_on, (void *)(i + 1));
    for (int i = 0; i < 4; i++) {
        write_and_read(i % 2 == 0 ? MPROF_PPROF : MPROF_HEAP_V2);
        for (size_t j = 0; j < profile.nsamples; j++) {
            const uint64_t *values = profile.samples[j].values;
            cr_assert(le(u64, values[2], values[0]));
            cr_assert(le(u64, values[3], values[1]));
        }
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static ucontext_t ours, theirs;
static enum mprof_format form;
static int form_fd, form_error;

static void write_on_other_stack(void) {
    form_error = mprof_write(&mp, form, form_fd);
}

Test(mprof_write, less_than_two_kilobytes_of_stack_are_used) {
    enum { STACK = 64 << 10, PAINT = 0xa5 };
    static unsigned char stack[STACK];
    add_deep_stacks(2000);
    form_fd = open("/dev/null", O_WRONLY);
    for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
        memset(stack, PAINT, STACK);
        getcontext(&theirs);
        theirs.uc_stack.ss_sp = stack;
        theirs.uc_stack.ss_size = STACK;
        theirs.uc_link = &ours;
        makecontext(&theirs, write_on_other_stack, 0);
        form = (enum mprof_format)format;
        write_on_other_stack(); // the loader finds functions at first calls

        swapcontext(&ours, &theirs);

        size_t unused = 0;
        while (stack[unused] == PAINT)
            unused++;
        cr_assert(zero(int, form_error));
        fprintf(stderr, "%zu bytes of stack\n", STACK - unused);
        cr_assert(lt(sz, STACK - unused, 2048));
    }
}
#endif

// The tools themselves, where they are installed.

static char text[32 << 20];

// run returns what a command writes; NULL if it fails.
static char *run(const char *command) {
    FILE *f = popen(command, "r");
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    return pclose(f) == 0 ? text : NULL;
}

// go_pprof runs Go's tool on a file.
static char *go_pprof(const char *flags, enum mprof_format format) {
    char command[500];
    snprintf(command, sizeof command,
             "HOME=%s PPROF_TMPDIR=%s PATH=$PATH:/usr/lib/go-1.19/bin "
             "go tool pprof %s %s 2>%s/errors",
             folder, folder, flags, path_of(format), folder);
    return run(command);
}

static bool has_go(void) {
    return run("PATH=$PATH:/usr/lib/go-1.19/bin go version") != NULL;
}

// go_totals adds up the columns of -raw.
static void go_totals(enum mprof_format format, uint64_t ret_totals[4]) {
    char *s = go_pprof("-symbolize=none -raw", format);
    cr_assert(ne(ptr, s, NULL), "go tool pprof refused it");
    s = strstr(s, "\nalloc_objects/count alloc_space/bytes "
                  "inuse_objects/count inuse_space/bytes\n");
    cr_assert(ne(ptr, s, NULL), "go tool pprof sees other types");
    memset(ret_totals, 0, 4 * sizeof ret_totals[0]);
    for (s = strchr(s + 1, '\n'); s != NULL; s = strchr(s + 1, '\n')) {
        uint64_t v[4];
        if (strncmp(s, "\nLocations", 10) == 0)
            return;
        if (sscanf(s, " %lu %lu %lu %lu:", &v[0], &v[1], &v[2], &v[3]) == 4)
            for (int i = 0; i < 4; i++)
                ret_totals[i] += v[i];
    }
    cr_fatal("go tool pprof's output ends too early");
}

static void our_totals(uint64_t ret_totals[4]) {
    memset(ret_totals, 0, 4 * sizeof ret_totals[0]);
    for (size_t i = 0; i < profile.nsamples; i++)
        for (int j = 0; j < 4; j++)
            ret_totals[j] += profile.samples[i].values[j];
}

Test(mprof_write, go_tool_pprof_finds_the_same_totals) {
    if (!has_go())
        cr_skip("there is no go");
    for (int round = 0; round < 3; round++) {
        mp.rate = round == 0 ? 1 : RATE;
        if (round < 2)
            add_a_few();
        else
            add_deep_stacks(10000);
        for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
            uint64_t want[4], got[4];
            write_and_read((enum mprof_format)format);
            our_totals(want);
            go_totals((enum mprof_format)format, got);
            for (int i = 0; i < 4; i++)
                cr_assert(got[i] + profile.nsamples - want[i] <=
                              2 * profile.nsamples,
                          "%lu and not %lu", (unsigned long)got[i],
                          (unsigned long)want[i]);
        }
    }
}

Test(mprof_write, go_tool_pprof_cuts_our_frames_and_names_the_others) {
    if (!has_go())
        cr_skip("there is no go");
    add_a_few();
    for (int format = MPROF_PPROF; format <= MPROF_HEAP_V2; format++) {
        write_file((enum mprof_format)format);
        char *top = go_pprof("-top -sample_index=inuse_space",
                             (enum mprof_format)format);
        cr_assert(ne(ptr, top, NULL));
        cr_assert(ne(ptr, strstr(top, "Type: inuse_space"), NULL));
        cr_assert(ne(ptr, strstr(top, " inner_code"), NULL));
        cr_assert(ne(ptr, strstr(top, " outer_code"), NULL));
        if (format == MPROF_PPROF) { // the text has no place for it
            cr_assert(eq(ptr, strstr(top, "mound_code"), NULL));
            cr_assert(ne(ptr, strstr(top, "[no stack]"), NULL));
        }
    }
}

// google_total returns the first number of the tool's table.
static double google_total(const char *flag) {
    char command[6000];
    double total = -1;
    snprintf(command, sizeof command,
             "google-pprof --text --show_bytes %s %s %s 2>%s/errors", flag,
             program_path(), path_of(MPROF_HEAP_V2), folder);
    char *s = run(command);
    cr_assert(ne(ptr, s, NULL), "google-pprof refused it");
    cr_assert(eq(int, sscanf(s, "Total: %lf", &total), 1));
    return total;
}

Test(mprof_write, google_pprof_finds_the_same_totals) {
    // It takes seconds each time: both of what differs in one go.
    static const char *const flags[] = {"--alloc_objects", "--inuse_space"};
    if (run("command -v google-pprof") == NULL)
        cr_skip("there is no google-pprof");
    for (int i = 0; i < 2; i++) {
        uint64_t want[4];
        mp.rate = i == 0 ? 1 : RATE;
        add_a_few();
        write_and_read(MPROF_HEAP_V2);
        our_totals(want);
        double got = google_total(flags[i]);
        double least = (double)want[i * 3];
        cr_assert(got >= least && got <= least + (double)profile.nsamples,
                  "%f and not %f", got, least);
    }
}
