// sys_linux.c: sys.h on Linux, by raw system calls.
#include "os/sys.h"

#include <fcntl.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "os/auxv.h"
#include "os/filter.h"
#include "os/syscall.h"
#include "os/vdso.h"

enum {
    // Shells keep their own descriptors at 10 and 255; stay above both.
    FD_HIGH = 512,
    FD_LOW = 64,
};

// The bit of a signal in a set.
#define BIT_OF(signal) ((uint64_t)1 << ((signal)-1))

size_t sys_page_size(void) {
    static AT_START size_t page_size; // every caller would write the same value
    size_t n = __atomic_load_n(&page_size, __ATOMIC_RELAXED);
    if (n == 0) {
        n = getauxval(AT_PAGESZ);
        if (n == 0)
            n = 4096; // the kernel always says; this is for a stripped auxv
        __atomic_store_n(&page_size, n, __ATOMIC_RELAXED);
    }
    return n;
}

int sys_pid(void) {
    return (int)syscall0(SYS_getpid);
}

int sys_parent(void) {
    return (int)syscall0(SYS_getppid);
}

unsigned sys_euid(void) {
    return (unsigned)syscall0(SYS_geteuid);
}

int sys_tid(void) {
    return (int)syscall0(SYS_gettid);
}

AT_START bool sys_helper_made;

void sys_futex_wait(_Atomic uint32_t *word, uint32_t expected,
                    uint64_t delay_ns) {
    const uint64_t second = 1000 * 1000 * 1000;
    struct timespec ts = {.tv_sec = (time_t)(delay_ns / second),
                          .tv_nsec = (long)(delay_ns % second)};
    syscall6(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, expected,
             (long)(delay_ns == UINT64_MAX ? NULL : &ts), 0, 0);
}

void sys_sleep_ns(uint64_t delay_ns) {
    // By futex: a filter that permits threads permits futex, but maybe not
    // nanosleep.
    _Atomic uint32_t word = 0; // never woken
    sys_futex_wait(&word, 0, delay_ns);
}

static uint64_t clock_ns(int clock) {
    struct timespec ts = {0};
    vdso_clock *mapped = vdso_clock_gettime();
    if (mapped == NULL || mapped(clock, &ts) != 0)
        syscall2(SYS_clock_gettime, clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t sys_now_ns(void) {
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t sys_ticks_stopped;

void sys_stop_ticks(bool stop) {
    uint64_t at = stop ? sys_ticks() | 1 : 0;
    __atomic_store_n(&sys_ticks_stopped, at, __ATOMIC_RELAXED);
}

uint64_t sys_unix_ns(void) {
    bool stopped = __atomic_load_n(&sys_ticks_stopped, __ATOMIC_RELAXED) != 0;
    return clock_ns(stopped ? CLOCK_REALTIME_COARSE : CLOCK_REALTIME);
}

// wait_writable waits until the non-blocking fd can be written; false: the
// reader does not read.
static bool wait_writable(int fd) {
    enum { PATIENCE_S = 2 };
    struct pollfd poll = {.fd = fd, .events = POLLOUT};
    struct timespec patience = {PATIENCE_S, 0};
    long ret = syscall5(SYS_ppoll, &poll, 1, &patience, 0, sizeof(uint64_t));
    return ret > 0 || ret == -EINTR;
}

// write_all writes until all is written or an error comes.
static int write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        long ret = syscall3(SYS_write, fd, p, n);
        if (ret == -EINTR ||
            (ret == -EAGAIN && !filter_noted() && wait_writable(fd)))
            continue;
        if (ret < 0)
            return (int)ret;
        p += ret;
        n -= (size_t)ret;
    }
    return 0;
}

// A pipe without reader and a file size limit raise signals that end the
// process. Our output must not cause that: the signals are blocked, and
// consumed if this write raised them. Under a filter only write is called.
int sys_write(int fd, const void *buf, size_t n) {
    const uint64_t ours = (uint64_t)1 << (SIGPIPE - 1) | (uint64_t)1
                                                             << (SIGXFSZ - 1);
    uint64_t before = 0;
    if (filter_noted() || syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &ours,
                                   &before, sizeof before) != 0)
        return write_all(fd, buf, n);
    // Only one that the program blocks can have been pending.
    uint64_t pending = before & ours;
    if (pending != 0)
        syscall2(SYS_rt_sigpending, &pending, sizeof pending);
    int error = write_all(fd, buf, n);
    uint64_t take = ours & ~pending;
    if ((error == -EPIPE || error == -EFBIG) && take != 0) {
        const struct timespec at_once = {0, 0};
        syscall4(SYS_rt_sigtimedwait, &take, 0, &at_once, sizeof take);
    }
    syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof before);
    return error;
}

long sys_read(int fd, void *buf, size_t n) {
    long ret;
    do {
        ret = syscall3(SYS_read, fd, buf, n);
    } while (ret == -EINTR);
    return ret;
}

long sys_pread(int fd, void *buf, size_t n, uint64_t offset) {
    long ret;
    do {
        ret = syscall4(SYS_pread64, fd, buf, n, offset);
    } while (ret == -EINTR);
    return ret;
}

int sys_open_read(const char *path) {
    // O_NONBLOCK: opening a pipe must not wait.
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    return (int)syscall4(SYS_openat, AT_FDCWD, path, flags, 0);
}

bool sys_is_special(const char *path) {
    struct stat st;
    return syscall4(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) ==
               0 &&
           !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode);
}

void sys_close(int fd) {
    syscall1(SYS_close, fd);
}

int sys_dup_high(int fd) {
    long ret = syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FD_HIGH);
    if (ret == -EINVAL || ret == -EMFILE) // RLIMIT_NOFILE is lower
        ret = syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FD_LOW);
    if (ret == -EINVAL || ret == -EMFILE)
        ret = syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    return (int)ret;
}

bool sys_file_of(int fd, struct sys_file *ret_file) {
    struct stat st;
    // newfstatat with an empty path is fstat on every architecture.
    if (syscall4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) != 0)
        return false;
    ret_file->device = st.st_dev;
    ret_file->inode = st.st_ino;
    ret_file->mode = st.st_mode;
    ret_file->terminal = S_ISCHR(st.st_mode) ? (uint32_t)st.st_rdev : 0;
    return true;
}

uint64_t sys_inode_of(const char *path) {
    struct stat st;
    return syscall4(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0 ? st.st_ino
                                                                 : 0;
}

bool sys_file_same(const struct sys_file *a, const struct sys_file *b) {
    return a->device == b->device && a->inode == b->inode &&
           (a->mode & S_IFMT) == (b->mode & S_IFMT);
}

bool sys_file_is_read(const struct sys_file *file) {
    return S_ISFIFO(file->mode) || S_ISSOCK(file->mode);
}

int sys_open_terminal(const struct sys_file *file) {
    unsigned device = 0;
    if (file->terminal == 0)
        return -1;
    int flags = O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = (int)syscall4(SYS_openat, AT_FDCWD, "/dev/tty", flags, 0);
    if (fd >= 0 && syscall3(SYS_ioctl, fd, TIOCGDEV, &device) == 0 &&
        device == file->terminal)
        return fd;
    if (fd >= 0)
        sys_close(fd);
    return -1;
}

bool sys_is_log(int fd) {
    struct sys_file file;
    if (sys_file_of(fd, &file) && S_ISCHR(file.mode))
        return true;
    long flags = syscall3(SYS_fcntl, fd, F_GETFL, 0);
    return flags >= 0 &&
           (flags & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND);
}

long sys_getcwd(char *buf, size_t n) {
    long ret = syscall2(SYS_getcwd, buf, n);
    return ret > 0 ? ret - 1 : ret; // the kernel counts the final NUL
}

const char *sys_started_as(void) {
    const char *path = (const char *)auxv_get(AT_EXECFN);
    return path == NULL || str_after(path, "/dev/fd/") != NULL ||
                   str_after(path, "/proc/") != NULL
               ? ""
               : path;
}

long sys_program_path(char *buf, size_t n) {
    return syscall4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", buf, n);
}

bool sys_on_first_stack(void) {
    // The kernel puts AT_RANDOM's bytes above everything that is pushed. Below
    // the used part of the stack there may be other mappings.
    enum { IN_USE_MAX = 16 << 20 };
    uintptr_t top = (uintptr_t)getauxval(AT_RANDOM);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here < top && top - here < IN_USE_MAX;
}

uint64_t sys_stack_limit(void) {
    static _Atomic uint64_t kept; // 0: not read yet
    uint64_t limit = atomic_load_explicit(&kept, memory_order_relaxed);
    if (limit == 0) {
        struct rlimit now = {.rlim_cur = 1};
        syscall4(SYS_prlimit64, 0, RLIMIT_STACK, 0, &now);
        limit = now.rlim_cur;
        atomic_store_explicit(&kept, limit, memory_order_relaxed);
    }
    return limit;
}

bool sys_libc_ready(void) {
    extern char **environ;
    // environ may be NULL again after clearenv.
    return environ != NULL || program_invocation_name[0] != '\0';
}

uint64_t sys_secret(void) {
    uint64_t words[2] = {0};
    const void *random = (const void *)getauxval(AT_RANDOM);
    if (random != NULL)
        memcpy(words, random, sizeof words);
    // The C library derives its own secrets from these bytes, so neither word
    // may be revealed.
    return (words[0] ^ 0x9e3779b97f4a7c15u) * (words[1] | 1) ^ words[1] >> 32;
}

bool sys_secure(void) {
    return getauxval(AT_SECURE) != 0;
}

uint32_t sys_start_uid(void) {
    return (uint32_t)getauxval(AT_EUID);
}

size_t sys_address_limit(void) {
    struct rlimit limit = {0, 0};
    if (syscall4(SYS_prlimit64, 0, RLIMIT_AS, 0, &limit) != 0 ||
        limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur;
}

void sys_futex_wake(_Atomic uint32_t *word) {
    syscall6(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

void sys_futex_wake_shared(_Atomic uint32_t *word) {
    syscall6(SYS_futex, (long)word, FUTEX_WAKE, INT32_MAX, 0, 0, 0);
}

enum { SIGNAL_STATUS = 128 }; // the exit status that shells report for a signal

bool sys_die_of(int signal) {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {0};
    uint64_t only = BIT_OF(signal);
    // A filter may refuse it; the handler would then run again and again.
    if (syscall4(SYS_rt_sigaction, signal, &action, 0, sizeof only) != 0)
        sys_exit_group(SIGNAL_STATUS + signal);
    syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, &only, 0, sizeof only);
    syscall3(SYS_tgkill, syscall0(SYS_getpid), syscall0(SYS_gettid), signal);
    return false;
}

void sys_abort(void) {
    syscall3(SYS_tgkill, syscall0(SYS_getpid), syscall0(SYS_gettid), SIGABRT);
    // The program handles or blocks SIGABRT: force the default action.
    sys_die_of(SIGABRT);
    for (;;)
        sys_exit_group(127);
}

void sys_exit_group(int status) {
    for (;;)
        syscall1(SYS_exit_group, status);
}

int sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
              unsigned long d) {
    return (int)syscall5(SYS_prctl, option, a, b, c, d);
}

bool sys_barrier_all(void) {
    if (sys_single_threaded())
        return true;
    // Registering a second time has no effect.
    syscall3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    return syscall3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) ==
           0;
}

// text_number returns a decimal number below 1000, or -1.
static int text_number(const char *s) {
    int n = 0;
    if (*s == '\0')
        return -1;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || n > 99)
            return -1;
        n = n * 10 + (*s - '0');
    }
    return n;
}

// The C library reserves signals 32 and 33; SIGRTMIN is a function call.
enum { RT_FIRST = 34, RT_LAST = 64 };

// The names of the others, as sigabbrev_np returns them.
static const char signal_names[][8] = {
    [SIGHUP] = "HUP",       [SIGINT] = "INT",       [SIGQUIT] = "QUIT",
    [SIGILL] = "ILL",       [SIGTRAP] = "TRAP",     [SIGABRT] = "ABRT",
    [SIGBUS] = "BUS",       [SIGFPE] = "FPE",       [SIGKILL] = "KILL",
    [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV",     [SIGUSR2] = "USR2",
    [SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM",     [SIGTERM] = "TERM",
    [SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD",     [SIGCONT] = "CONT",
    [SIGSTOP] = "STOP",     [SIGTSTP] = "TSTP",     [SIGTTIN] = "TTIN",
    [SIGTTOU] = "TTOU",     [SIGURG] = "URG",       [SIGXCPU] = "XCPU",
    [SIGXFSZ] = "XFSZ",     [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF",
    [SIGWINCH] = "WINCH",   [SIGPOLL] = "POLL",     [SIGPWR] = "PWR",
    [SIGSYS] = "SYS",
};
enum { NSIGNAL_NAMES = sizeof signal_names / sizeof signal_names[0] };

static int signal_named(const char *name) {
    if (str_after(name, "SIG") != NULL)
        name += 3;
    if (str_same(name, "RTMIN"))
        return RT_FIRST;
    const char *number = str_after(name, "RTMIN+");
    if (number != NULL) {
        int n = text_number(number);
        return n < 0 ? 0 : RT_FIRST + n;
    }
    for (int n = 1; n < NSIGNAL_NAMES; n++)
        if (name[0] != '\0' && str_same(signal_names[n], name))
            return n;
    return 0;
}

int sys_signal_number(const char *text) {
    int n = text_number(text);
    if (n < 0)
        n = signal_named(text);
    // 32 and 33 are the C library's own.
    bool can_be_caught = n > 0 && n <= RT_LAST && n != SIGKILL &&
                         n != SIGSTOP && (n < 32 || n >= RT_FIRST);
    return can_be_caught ? n : 0;
}

bool sys_signal_ends(int signal) {
    const uint64_t others =
        BIT_OF(SIGCHLD) | BIT_OF(SIGCONT) | BIT_OF(SIGTSTP) | BIT_OF(SIGTTIN) |
        BIT_OF(SIGTTOU) | BIT_OF(SIGURG) | BIT_OF(SIGWINCH) | BIT_OF(SIGILL) |
        BIT_OF(SIGTRAP) | BIT_OF(SIGABRT) | BIT_OF(SIGBUS) | BIT_OF(SIGFPE) |
        BIT_OF(SIGSEGV) | BIT_OF(SIGSYS);
    return !(others & BIT_OF(signal));
}

bool sys_signal_is_default(int signal) {
    int saved = errno;
    struct sigaction action;
    bool is =
        sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    errno = saved;
    return is;
}

bool sys_on_signal(int signal, void (*handler)(int)) {
    int saved = errno;
    struct sigaction action = {.sa_handler = handler,
                               .sa_flags = SA_RESTART | SA_ONSTACK};
    bool done = sigaction(signal, &action, NULL) == 0;
    errno = saved;
    return done;
}
