// sys.h: the process and the machine it runs on. No function here allocates,
// takes a lock or changes errno; those that can fail return -errno as the
// kernel does.
#ifndef MOUND_OS_SYS_H
#define MOUND_OS_SYS_H

#include <sys/single_threaded.h>

#include "base/compiler.h"

// sys_page_size returns the size of a system page in bytes (4, 16 or 64 KiB).
// Constant after the first call.
size_t sys_page_size(void);

// sys_self returns the thread pointer: a word that differs for all live
// threads.
ALWAYS_INLINE uintptr_t sys_self(void) {
#if defined(__x86_64__)
    uintptr_t self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    return self;
#elif defined(__aarch64__)
    uintptr_t self;
    __asm__("mrs %0, tpidr_el0" : "=r"(self));
    return self;
#else
    return (uintptr_t)__builtin_thread_pointer();
#endif
}

// sys_pid makes a system call, because a cached number is wrong after vfork.
int sys_pid(void);

// sys_parent returns the number of the parent process.
int sys_parent(void);

// sys_euid returns the effective user ID.
unsigned sys_euid(void);

// sys_tid returns the kernel's number of this thread.
int sys_tid(void);

// sys_now_ns returns coarse monotonic time (a resolution of some milliseconds).
uint64_t sys_now_ns(void);

// sys_stop_ticks freezes sys_ticks, or resumes it; meanwhile sys_unix_ns is
// coarse. For when the kernel kills a thread that reads the counter
// (PR_SET_TSC, on ARM since Linux 6.12, and strict seccomp on x86). That holds
// for the calling thread only, but the counter is frozen for all.
void sys_stop_ticks(bool stop);
extern uint64_t sys_ticks_stopped; // atomic; 0: not frozen

// sys_ticks reads a monotonic counter, in a few cycles: an estimate of elapsed
// time. SYS_TICKS_STEP ticks are between 0.2 and 20 ms. While frozen (see
// sys_stop_ticks) it is constant.
ALWAYS_INLINE uint64_t sys_ticks(void) {
    uint64_t stopped = __atomic_load_n(&sys_ticks_stopped, __ATOMIC_RELAXED);
    if (UNLIKELY(stopped != 0))
        return stopped;
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    // The counter's rate is between 10 MHz and 1 GHz, and cntfrq says which.
    // Shifted to 2 to 4 GHz, so that SYS_TICKS_STEP holds on all machines.
    uint64_t ticks, hz;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
    return ticks << __builtin_clz((uint32_t)hz | 1);
#else
    return sys_now_ns();
#endif
}
#if defined(__x86_64__) || defined(__aarch64__)
enum { SYS_TICKS_STEP = 1 << 25 };
#else
enum { SYS_TICKS_STEP = 1 << 24 };
#endif

// sys_helper_made: os/helper.h made a thread that the C library does not know.
// Written before that thread starts.
extern bool sys_helper_made HIDDEN;

// sys_single_threaded says whether the C library knows of one thread only and
// there is no helper. Threads that the program makes by raw system calls are
// not counted, as in glibc's malloc.
ALWAYS_INLINE bool sys_single_threaded(void) {
    return __libc_single_threaded && !sys_helper_made;
}

// sys_sleep_ns sleeps; a signal may end it early.
void sys_sleep_ns(uint64_t delay_ns);

// sys_unix_ns returns the time of day in nanoseconds since 1970.
uint64_t sys_unix_ns(void);

// sys_write writes all n bytes and returns 0 or -errno. It resumes after EINTR;
// on a non-blocking fd it waits for the reader for two seconds, then returns
// -EAGAIN.
int sys_write(int fd, const void *buf, size_t n);
long sys_read(int fd, void *buf, size_t n);
long sys_pread(int fd, void *buf, size_t n, uint64_t offset);
int sys_open_read(const char *path);

// sys_is_special says whether path exists and is neither a regular file nor a
// symbolic link: a device, a pipe, a directory.
bool sys_is_special(const char *path);
void sys_close(int fd);

// sys_dup_high returns a close-on-exec duplicate of fd with a number that
// programs do not use by habit, or -errno.
int sys_dup_high(int fd);

// struct sys_file identifies the file of a descriptor.
struct sys_file {
    uint64_t device;
    uint64_t inode;
    uint32_t mode;
    uint32_t terminal; // device number of a character device; else 0
};

// sys_file_of fills *ret_file for the file of fd; false if fd is closed.
bool sys_file_of(int fd, struct sys_file *ret_file);
// sys_inode_of returns the inode of the file at path, or 0.
uint64_t sys_inode_of(const char *path);
bool sys_file_same(const struct sys_file *a, const struct sys_file *b);

// sys_file_is_read says whether it is a pipe or a socket: its reader waits
// until all writers have closed it.
bool sys_file_is_read(const struct sys_file *file);

// sys_open_terminal opens the controlling terminal for writing if it is that
// file; else it returns -1.
int sys_open_terminal(const struct sys_file *file);

// sys_is_log says whether fd is a character device, or opened for appending
// only.
bool sys_is_log(int fd);

// sys_getcwd writes the current directory and returns its length, or -errno.
long sys_getcwd(char *buf, size_t n);

// sys_started_as returns the path by which the program was started (of a
// script: the script's path), or "" if unknown. The string is the kernel's,
// above the stack.
const char *sys_started_as(void);

// sys_program_path writes the path of the running program and returns its
// length, or -errno.
long sys_program_path(char *buf, size_t n);

// sys_on_first_stack says whether the caller runs on the stack that the program
// was started with. sys_stack_limit returns its maximum size in bytes, the
// limit at the first call.
bool sys_on_first_stack(void);
uint64_t sys_stack_limit(void);

// sys_libc_ready says whether the C library's constructor has run: its
// environment is set then.
bool sys_libc_ready(void);

// sys_secret returns a word that others cannot guess, the same at each call. It
// is derived from the 16 random bytes that the kernel gives each program.
uint64_t sys_secret(void);

// sys_secure says whether the program has more rights than its user
// (set-user-ID).
bool sys_secure(void);

// sys_start_uid returns the effective user ID that the program was started with.
uint32_t sys_start_uid(void);

// sys_address_limit returns RLIMIT_AS in bytes; SIZE_MAX when unlimited.
size_t sys_address_limit(void);

// sys_spin is one step of a short busy wait.
ALWAYS_INLINE void sys_spin(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

// sys_futex_wait waits on a word of this process for at most delay_ns;
// UINT64_MAX: without limit. It may return early.
void sys_futex_wait(_Atomic uint32_t *word, uint32_t expected,
                    uint64_t delay_ns);
void sys_futex_wake(_Atomic uint32_t *word);

// sys_futex_wake_shared wakes all waiters on a word in shared memory.
void sys_futex_wake_shared(_Atomic uint32_t *word);

// sys_barrier_all makes every thread of the process execute a full memory
// barrier before it returns; false: this kernel cannot.
bool sys_barrier_all(void);

// sys_signal_number returns the number of the signal given by name (USR1,
// SIGUSR1, RTMIN+2) or number; 0 if there is none or it cannot be caught.
int sys_signal_number(const char *text);

// sys_signal_ends says whether a signal's default action ends the process,
// except signals raised by faults, after which the state of the process is
// unknown.
bool sys_signal_ends(int signal);

// sys_on_signal installs a handler for a signal. It runs on the program's
// signal stack, if there is one, and system calls are restarted. A handler that
// the program installs later replaces it.
bool sys_on_signal(int signal, void (*handler)(int));

// sys_signal_is_default says whether the disposition of a signal is the default.
bool sys_signal_is_default(int signal);

// sys_die_of ends the process by the default action of a signal. It returns
// false if the process does not end: in process 1 of a pid namespace. If the
// default action cannot be set, the process exits with 128 + signal.
bool sys_die_of(int signal);

// sys_abort ends the process with SIGABRT; a handler of the program may run.
__attribute__((noreturn)) void sys_abort(void);

// sys_prctl is prctl, but returns -errno.
int sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
              unsigned long d);

// sys_exit_group ends the process at once with this status.
__attribute__((noreturn)) void sys_exit_group(int status);

#endif // MOUND_OS_SYS_H
