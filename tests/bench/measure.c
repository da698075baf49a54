// measure.c: runs a program and reports what it took: time, peak memory, page
// faults. The harnesses start every measured program through this one.
//
//   measure [-c CPU] [-n TIMES] REPORT [NAME=VALUE]... PROGRAM [ARGUMENT]...
//
// It sets the variables for the program only, pins it to CPU, runs it TIMES
// times and writes one line of JSON into the file REPORT. Descriptors 0, 1 and
// 2 are the program's. The exit status is 0 if the program could be started,
// whatever became of it.
//
// Why not simply wait4 in the harness? The peak memory of a process counts what
// it had before exec, and a child of a Python program begins as large as
// Python. This program is smaller than anything it is asked to measure.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CANNOT_START = 126, USAGE = 2 };

// struct taken adds up what the runs took; of the memory it keeps the peak.
struct taken {
    long long wall_ns;
    long long user_ns;
    long long sys_ns;
    long maxrss_kib;
    long minor_faults;
    long major_faults;
    pid_t pid;
    int status; // of the first run that failed, else 0
};

static void fail(const char *what) {
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(USAGE);
}

static long long timeval_ns(struct timeval t) {
    return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}

static void start_program(int cpu, char **argv) {
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set) != 0) {
            fprintf(stderr, "measure: no CPU %d: %s\n", cpu, strerror(errno));
            _exit(CANNOT_START);
        }
    }
    execvp(*argv, argv);
    fprintf(stderr, "measure: %s: %s\n", *argv, strerror(errno));
    _exit(CANNOT_START);
}

// take_environment sets the variables that stand before the program, and returns
// where that is. Before the fork: what the child does before it is the program, and
// the page faults of that, must be the same with variables and without.
static char **take_environment(char **argv) {
    while (*argv != NULL && strchr(*argv, '=') != NULL) {
        putenv(*argv);
        argv++;
    }
    return argv;
}

static void run_once(int cpu, char **argv, struct taken *t) {
    struct timespec begin, end;
    struct rusage usage;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        start_program(cpu, argv);
    }
    while (wait4(pid, &status, 0, &usage) < 0) {
        if (errno != EINTR) {
            fail("wait4");
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);

    t->pid = pid;
    t->wall_ns += (end.tv_sec - begin.tv_sec) * 1000000000ll +
                  (end.tv_nsec - begin.tv_nsec);
    t->user_ns += timeval_ns(usage.ru_utime);
    t->sys_ns += timeval_ns(usage.ru_stime);
    t->minor_faults += usage.ru_minflt;
    t->major_faults += usage.ru_majflt;
    if (usage.ru_maxrss > t->maxrss_kib) {
        t->maxrss_kib = usage.ru_maxrss;
    }
    if (t->status == 0) {
        t->status = status;
    }
}

int main(int argc, char **argv) {
    int cpu = -1;
    long ntimes = 1;
    int option;
    while ((option = getopt(argc, argv, "+c:n:")) != -1) {
        if (option == 'c') {
            cpu = atoi(optarg);
        } else if (option == 'n') {
            ntimes = atol(optarg);
        } else {
            return USAGE;
        }
    }
    if (argc - optind < 2 || ntimes < 1) {
        fprintf(stderr, "usage: measure [-c CPU] [-n TIMES] REPORT "
                        "[NAME=VALUE]... PROGRAM [ARGUMENT]...\n");
        return USAGE;
    }

    struct taken t = {0};
    char **program = take_environment(argv + optind + 1);
    for (long i = 0; i < ntimes; i++) {
        run_once(cpu, program, &t);
    }

    FILE *report = fopen(argv[optind], "w");
    if (report == NULL) {
        fail(argv[optind]);
    }
    fprintf(report,
            "{\"times\": %ld, \"pid\": %d, \"exit\": %d, \"signal\": %d, "
            "\"wall_ns\": %lld, \"user_ns\": %lld, \"sys_ns\": %lld, "
            "\"maxrss_kib\": %ld, \"minor_faults\": %ld, "
            "\"major_faults\": %ld}\n",
            ntimes, (int)t.pid, WIFEXITED(t.status) ? WEXITSTATUS(t.status) : 0,
            WIFSIGNALED(t.status) ? WTERMSIG(t.status) : 0, t.wall_ns,
            t.user_ns, t.sys_ns, t.maxrss_kib, t.minor_faults, t.major_faults);
    if (fclose(report) != 0) {
        fail(argv[optind]);
    }
    return 0;
}
