// syscalls.c: a filter that kills for every system call but those that glibc's
// malloc makes, and those that the C library makes for what this program does
// itself. This is the list of what mound may do after its start, phase by phase.
//
// usage: syscalls PHASE prctl|raw [FOLLOWING]
//   work     objects of all sizes, growth, release, malloc_trim
//   first    the same where no call of malloc came before the filter
//   earlier  frees objects that are older than the filter
//   misuse   frees one of them twice
//   threads  the same in two threads which end meanwhile
//   fork     the same in a child
//   exit     ends by exit(7) with an object in use; what is set in the environment
//            may want to write then
//   _exit    likewise by _exit(7)
//   opens    exit(7) under a filter that kills for opening and removing files only
//   mask     a filter that refuses to block signals: those that were blocked stay
//            so when mound has started its helper and written
//   strict   SECCOMP_MODE_STRICT, in which malloc can serve nothing but what it has
//            memory for; ends by a bare system call
//   tsc      no filter, but PR_SET_TSC, by which to read that counter is a fault, as
//            it is in strict mode; ends by exit(7)
//   prctl, raw  who sets the filter: the C library's prctl and syscall, or this
//            program's own instructions, which cannot be watched
//
// Trap 49.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "contract.h"

enum { NTHREADS = 2, NLIVE = 1000, NSTEPS = 20000, TOP = MIB, STATUS = 7 };
enum { NLARGE = 100, RUN_MS = 200, NAMES_MAX = 40, MS_NS = 1000000 };

// What glibc's malloc calls. (brk is in its list and not in ours.) write is how a
// probe complains, exit_group how it ends.
static const int of_malloc[] = {
    SYS_mmap,  SYS_munmap, SYS_mprotect,  SYS_madvise, SYS_mremap,
    SYS_futex, SYS_brk,    SYS_getrandom, SYS_write,   SYS_exit_group,
};
// What the end of a thread takes in the C library.
static const int of_thread_end[] = {SYS_rt_sigprocmask, SYS_exit};
// What fork and wait take in it.
static const int of_fork[] = {SYS_clone, SYS_wait4, SYS_set_robust_list,
                              SYS_rt_sigprocmask};
#define COUNT(list) (sizeof(list) / sizeof *(list))

// raw is a system call by nobody's function.
static long raw(long nr, long a, long b, long c) {
#if defined(__x86_64__)
    long ret;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return ret;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
#else
    (void)nr, (void)a, (void)b, (void)c;
    skip("no raw system calls here");
#endif
}

static void install(struct sock_fprog *prog, bool watched) {
    long rc = watched ? prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                      : raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0);
    if (rc == 0)
        rc = watched ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                               SECCOMP_FILTER_FLAG_TSYNC, prog)
                     : raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                           SECCOMP_FILTER_FLAG_TSYNC, (long)prog);
    if (rc != 0) {
        skip("seccomp filters cannot be set here");
    }
}

// filter_opens kills for what a report at the end may want, and for nothing else.
static void filter_opens(bool watched) {
    static const int killed[] = {SYS_openat,       SYS_unlinkat, SYS_renameat2,
                                 SYS_linkat,       SYS_fcntl,    SYS_newfstatat,
                                 SYS_rt_sigpending};
    struct sock_filter code[2 * NAMES_MAX + 2];
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(killed); i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)killed[i], 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                 SECCOMP_RET_KILL_PROCESS);
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    install(&(struct sock_fprog){.len = n, .filter = code}, watched);
}

static void filter(const int *more, size_t nmore, bool watched) {
    struct sock_filter code[2 * NAMES_MAX + 2];
    unsigned short n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(of_malloc) + nmore; i++) {
        int nr =
            i < COUNT(of_malloc) ? of_malloc[i] : more[i - COUNT(of_malloc)];
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)nr, 0, 1);
        code[n++] =
            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    install(&(struct sock_fprog){.len = n, .filter = code}, watched);
}

// filter_blocking refuses SIG_BLOCK with EPERM, as Tor's does.
static void filter_blocking(bool watched) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIG_BLOCK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install(&(struct sock_fprog){COUNT(code), code}, watched);
}

static uint64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts); // no system call
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / MS_NS;
}

// work uses the heap for so long that all is due which is due by time.
static void work(uint64_t seed) {
    uint64_t rng = seed;
    void **live = calloc(NLIVE, sizeof *live);
    uint64_t end = now_ms() + RUN_MS;
    do {
        for (int step = 0; step < NSTEPS; step++) {
            void **o = &live[rng_next(&rng) % NLIVE];
            size_t size = mixed_size(&rng, TOP);
            if (rng_next(&rng) % 3 == 0) {
                *o = realloc(*o, size);
            } else {
                free(*o);
                *o = malloc(size);
            }
            expect(*o, "no memory for %zu bytes", size);
            *(char *)*o = 1;
        }
    } while (now_ms() < end);
    for (int i = 0; i < NLIVE; i++) {
        free(live[i]);
    }
    free(live);
    // A peak, and an object that grows.
    static void *large[2 * NLARGE];
    for (int i = 0; i < NLARGE; i++) {
        large[i] = must_malloc(TOP);
        memset(large[i], 1, TOP);
    }
    for (int i = 0; i < NLARGE; i++) {
        free(large[i]);
    }
    char *p = NULL;
    for (size_t size = TOP; size <= 64 * (size_t)TOP; size *= 2) {
        p = realloc(p, size);
        expect(p, "no memory for %zu bytes", size);
        memset(p, 1, size);
    }
    free(p);
    // What is refused.
    expect(!malloc(hide((size_t)1 << 50)), "1 PiB was granted");
    malloc_trim(0);
}

enum { NEARLIER = 1000 };
static char *object[NEARLIER];

// grow_and_shrink reads no clock: the C library's is a fault where the counter is.
static void grow_and_shrink(void) {
    for (size_t size = 16; size <= 64 << 10; size *= 2) {
        for (int i = 0; i < NEARLIER; i++) {
            object[i] = must_malloc(size);
            *object[i] = 1;
        }
        for (int i = 0; i < NEARLIER; i++) {
            free(object[i]);
        }
    }
    malloc_trim(0);
}

// free_deep frees them further down in the stack than any call before.
static __attribute__((noinline)) void free_deep(void) {
    volatile char room[64 * 1024];
    room[0] = 0;
    (void)room[0];
    for (int i = 0; i < NEARLIER; i++) {
        free(object[i]);
    }
}

// free_earlier frees, under the filter, objects some of which a profile has sampled,
// and then misused times the same one.
static void free_earlier(bool watched, int misused) {
    for (int i = 0; i < NEARLIER; i++) {
        object[i] = must_malloc(1000);
    }
    filter(NULL, 0, watched);
    free_deep();
    for (int i = 0; i < misused; i++) {
        free(object[NEARLIER - 1]);
    }
    work(1);
}

static pthread_barrier_t filtered;
static pthread_mutex_t one_by_one = PTHREAD_MUTEX_INITIALIZER;

static void *thread_main(void *arg) {
    free(must_malloc(1000));
    pthread_barrier_wait(&filtered); // this thread's own start is over
    pthread_barrier_wait(&filtered);
    pthread_mutex_lock(&one_by_one); // large[] is shared
    work((uint64_t)(uintptr_t)arg);
    pthread_mutex_unlock(&one_by_one);
    return NULL;
}

static void threads(bool watched) {
    pthread_t thread[NTHREADS];
    pthread_barrier_init(&filtered, NULL, NTHREADS + 1);
    for (uintptr_t i = 0; i < NTHREADS; i++) {
        int rc = pthread_create(&thread[i], NULL, thread_main, (void *)(i + 2));
        expect(rc == 0, "pthread_create returned %d", rc);
    }
    pthread_barrier_wait(&filtered);
    filter(of_thread_end, COUNT(of_thread_end), watched);
    pthread_barrier_wait(&filtered);
    for (int i = 0; i < NTHREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    work(1);
}

static void *sleep_main(void *arg) {
    pthread_barrier_wait(&filtered);
    pthread_barrier_wait(&filtered);
    return arg;
}

static void keep_mask(bool watched) {
    sigset_t blocked, none, now;
    pthread_t thread;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGPIPE);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    // A second thread, or there is no helper.
    pthread_barrier_init(&filtered, NULL, 2);
    expect(pthread_create(&thread, NULL, sleep_main, NULL) == 0, "no thread");
    pthread_barrier_wait(&filtered);
    filter_blocking(watched);
    work(1);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    malloc_stats();
    sigprocmask(SIG_UNBLOCK, &none, &now);
    if (!sigismember(&now, SIGUSR1) || !sigismember(&now, SIGPIPE)) {
        _exit(EXIT_FAILED);
    }
    pthread_barrier_wait(&filtered);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
    expect(argc >= 3, "usage: syscalls PHASE prctl|raw");
    bool watched = strcmp(argv[2], "prctl") == 0;
    void *volatile kept =
        strcmp(argv[1], "first") != 0 ? must_malloc(1000) : NULL;
    if (strcmp(argv[1], "work") == 0 || strcmp(argv[1], "first") == 0) {
        filter(NULL, 0, watched);
        work(1);
    } else if (strcmp(argv[1], "earlier") == 0) {
        free_earlier(watched, 0);
    } else if (strcmp(argv[1], "misuse") == 0) {
        free_earlier(watched, 1);
    } else if (strcmp(argv[1], "threads") == 0) {
        threads(watched);
    } else if (strcmp(argv[1], "fork") == 0) {
        filter(of_fork, COUNT(of_fork), watched);
        int status;
        pid_t child = fork();
        work(1);
        if (child == 0) {
            exit(0);
        }
        expect(waitpid(child, &status, 0) == child && status == 0,
               "the child ended with status %#x", status);
    } else if (strcmp(argv[1], "exit") == 0) {
        filter(NULL, 0, watched);
        work(1);
        exit(STATUS);
    } else if (strcmp(argv[1], "_exit") == 0) {
        filter(NULL, 0, watched);
        _exit(STATUS);
    } else if (strcmp(argv[1], "mask") == 0) {
        keep_mask(watched);
    } else if (strcmp(argv[1], "opens") == 0) {
        filter_opens(watched);
        exit(STATUS);
    } else if (strcmp(argv[1], "tsc") == 0) {
        if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0) {
            skip("only x86 has that");
        }
        grow_and_shrink();
        exit(STATUS);
    } else {
        // Many: a sample, above all a guarded one, leaves no free slot to malloc.
        for (int i = 0; i < NEARLIER; i++) {
            object[i] = must_malloc(1000);
        }
        for (int i = 0; i < NEARLIER; i++) {
            free(object[i]);
        }
        free(kept);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
            skip("no strict mode here");
        }
        free(must_malloc(1000)); // from what is there
        syscall(SYS_exit, STATUS);
    }
    return 0;
}
