// sys.h: what the process is and where it runs. No function here allocates,
// takes a lock or changes errno; those that can fail return -errno as the
// kernel does.
#ifndef MOUND_OS_SYS_H
#define MOUND_OS_SYS_H

#include <sys/single_threaded.h>

#include "base/compiler.h"

// sys_page_size returns the size of a page of the system in bytes (4, 16 or 64
// KiB). Constant after the first call.
size_t sys_page_size(void);

// sys_self returns a word that no other live thread has: the thread pointer.
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

// sys_now_ns returns coarse monotonic time (some milliseconds of grain).
uint64_t sys_now_ns(void);

// sys_stop_ticks has sys_ticks stand still, or go on, and the time of day is coarse then: for
// when the kernel ends a thread for reading the counter (PR_SET_TSC, on ARM from Linux 6.12
// on, and strict seccomp on x86). Only the thread that says so may be under that, all are treated so.
void sys_stop_ticks(bool stop);
extern uint64_t sys_ticks_stopped; // atomic; 0: they go on

// sys_ticks reads a counter that only rises, for a few cycles: a hint of how much
// time went by. SYS_TICKS_STEP of them are between 0.2 and 20 ms.
// Where the instruction is not allowed (see sys_stop_ticks) no time goes by.
ALWAYS_INLINE uint64_t sys_ticks(void) {
    uint64_t stopped = __atomic_load_n(&sys_ticks_stopped, __ATOMIC_RELAXED);
    if (UNLIKELY(stopped != 0))
        return stopped;
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    // The counter has from 10 MHz to 1 GHz, and says so: in the ticks of 2 to 4 GHz what
    // is derived from the step holds on all of them.
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

// sys_helper_made: a thread that the C library does not know was made, by
// os/helper.h. Written before that thread starts.
extern bool sys_helper_made HIDDEN;

// sys_single_threaded says whether the C library knows of one thread only, and
// we of no other. Threads that the program makes by raw system calls are not
// seen, here as in glibc's malloc.
ALWAYS_INLINE bool sys_single_threaded(void) {
    return __libc_single_threaded && !sys_helper_made;
}

// sys_sleep_ns sleeps; a signal may end it early.
void sys_sleep_ns(uint64_t delay_ns);

// sys_unix_ns returns the time of day in nanoseconds since 1970.
uint64_t sys_unix_ns(void);

// sys_write writes all n bytes and returns 0 or -errno; it resumes after EINTR, and
// where fd does not block it waits for its reader: two seconds, then -EAGAIN.
int sys_write(int fd, const void *buf, size_t n);
long sys_read(int fd, void *buf, size_t n);
long sys_pread(int fd, void *buf, size_t n, uint64_t offset);
int sys_open_read(const char *path);

// sys_is_special says whether something stands at path that is no regular file
// and no link: a device, a pipe, a folder.
bool sys_is_special(const char *path);
void sys_close(int fd);

// sys_dup_high returns a close-on-exec duplicate of fd with a number programs
// do not expect to be theirs, or -errno.
int sys_dup_high(int fd);

// struct sys_file names what stands behind a descriptor.
struct sys_file {
    uint64_t device;
    uint64_t inode;
    uint32_t mode;
    uint32_t terminal; // number of a device of characters; 0: another file
};

// sys_file_of fills *ret_file with what stands behind fd; false if it is closed.
bool sys_file_of(int fd, struct sys_file *ret_file);
// sys_inode_of returns the inode that stands at path, or 0.
uint64_t sys_inode_of(const char *path);
bool sys_file_same(const struct sys_file *a, const struct sys_file *b);

// sys_file_is_read says whether somebody reads it until all who write have closed it:
// a pipe or a socket.
bool sys_file_is_read(const struct sys_file *file);

// sys_open_terminal opens the terminal of this process for writing if it is that
// file; else -1.
int sys_open_terminal(const struct sys_file *file);

// sys_is_log says whether fd is a device of characters, or open for nothing but to
// append to it.
bool sys_is_log(int fd);

// sys_getcwd writes the current directory and returns its length, or -errno.
long sys_getcwd(char *buf, size_t n);

// sys_started_as returns the path by which the program was started, of a script that of
// the script, or "": not known. It is where the kernel put it, above the stack.
const char *sys_started_as(void);

// sys_program_path writes the path of the running program and returns its
// length, or -errno.
long sys_program_path(char *buf, size_t n);

// sys_on_first_stack says whether the caller runs on the stack that the program was
// started with. sys_stack_limit returns how large that may grow, in bytes, as the
// limit was at the first call.
bool sys_on_first_stack(void);
uint64_t sys_stack_limit(void);

// sys_libc_ready says whether the C library has run its constructor, by which it
// knows its environment.
bool sys_libc_ready(void);

// sys_secret returns a word that others cannot guess, the same at each call: made
// of the 16 random bytes that the kernel gives each program.
uint64_t sys_secret(void);

// sys_secure says whether the program runs with more rights than its user.
bool sys_secure(void);

// sys_start_uid returns the effective user ID that the program was started with.
uint32_t sys_start_uid(void);

// sys_address_limit returns RLIMIT_AS in bytes; SIZE_MAX when unlimited.
size_t sys_address_limit(void);

// sys_yield_spin is one step of a short wait for another core.
ALWAYS_INLINE void sys_spin(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

// sys_futex_wait waits on a word of this process for at most delay_ns; UINT64_MAX: for
// ever. It may return early.
void sys_futex_wait(_Atomic uint32_t *word, uint32_t expected,
                    uint64_t delay_ns);
void sys_futex_wake(_Atomic uint32_t *word);

// sys_futex_wake_shared wakes all who wait on a word of shared memory.
void sys_futex_wake_shared(_Atomic uint32_t *word);

// sys_barrier_all makes every thread of the process pass a full memory barrier
// before it returns; false: this kernel cannot.
bool sys_barrier_all(void);

// sys_signal_number returns the number of a signal by its name (USR1, SIGUSR1,
// RTMIN+2) or number, as text; 0 if it is none, or cannot be caught.
int sys_signal_number(const char *text);

// sys_signal_ends says whether a signal ends a process that does not handle it, and is
// no fault of its own, of whose state nothing is known then.
bool sys_signal_ends(int signal);

// sys_on_signal has handler called for a signal, on the stack the program set up
// for handlers if it did, with system calls resumed. A handler that the program
// installs replaces it.
bool sys_on_signal(int signal, void (*handler)(int));

// sys_signal_is_default says whether the disposition of a signal is the default.
bool sys_signal_is_default(int signal);

// sys_die_of has the default action of a signal end the process. It returns, false, where
// it does not: in process 1 of a pid namespace. If the default action cannot be set, the
// process exits with 128 + signal.
bool sys_die_of(int signal);

// sys_abort ends the process with SIGABRT; a handler of the program may run.
__attribute__((noreturn)) void sys_abort(void);

// sys_prctl is prctl, but for -errno.
int sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
              unsigned long d);

// sys_exit_group ends the process at once with this status.
__attribute__((noreturn)) void sys_exit_group(int status);

#endif // MOUND_OS_SYS_H
