// rights.c: watches the calls that change the rights of all threads of a process, and
// those that the kernel refuses in a process with several threads. The helper thread
// (alloc/os/helper.h) is ended before them, so that they have the same effect as without
// mound. The calls themselves are passed on to their next definitions.
//
// The C library changes user and groups for all of its threads, one by one, and does
// not know the helper. unshare and setns require a single thread for some namespaces. A
// filter of system calls for all threads (SECCOMP_FILTER_FLAG_TSYNC) is refused if one
// of them has a filter of its own. Calls through `syscall` are watched too; a system
// call instruction in the program itself is not seen.
//
// Weak: in a static program the C library's definitions win.
#include <errno.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose.h"
#include "next.h"
#include "life/process.h"

#define WEAK_EXPORT EXPORT __attribute__((weak))

// PASS_ON makes a call while the helper does not run. It keeps the call's errno.
#define PASS_ON(next, ...)                                                     \
    do {                                                                       \
        if ((next) == NULL) {                                                  \
            errno = ENOSYS;                                                    \
            return -1;                                                         \
        }                                                                      \
        bool ran = process_pause_helper();                                     \
        __typeof__((next)(__VA_ARGS__)) ret = (next)(__VA_ARGS__);             \
        process_resume_helper(ran);                                            \
        return ret;                                                            \
    } while (0)

WEAK_EXPORT int setuid(uid_t uid) {
    static int (*next)(uid_t uid);
    NEXT(next, "setuid");
    PASS_ON(next, uid);
}

WEAK_EXPORT int setgid(gid_t gid) {
    static int (*next)(gid_t gid);
    NEXT(next, "setgid");
    PASS_ON(next, gid);
}

WEAK_EXPORT int seteuid(uid_t euid) {
    static int (*next)(uid_t euid);
    NEXT(next, "seteuid");
    PASS_ON(next, euid);
}

WEAK_EXPORT int setegid(gid_t egid) {
    static int (*next)(gid_t egid);
    NEXT(next, "setegid");
    PASS_ON(next, egid);
}

WEAK_EXPORT int setreuid(uid_t ruid, uid_t euid) {
    static int (*next)(uid_t ruid, uid_t euid);
    NEXT(next, "setreuid");
    PASS_ON(next, ruid, euid);
}

WEAK_EXPORT int setregid(gid_t rgid, gid_t egid) {
    static int (*next)(gid_t rgid, gid_t egid);
    NEXT(next, "setregid");
    PASS_ON(next, rgid, egid);
}

WEAK_EXPORT int setresuid(uid_t ruid, uid_t euid, uid_t suid) {
    static int (*next)(uid_t ruid, uid_t euid, uid_t suid);
    NEXT(next, "setresuid");
    PASS_ON(next, ruid, euid, suid);
}

WEAK_EXPORT int setresgid(gid_t rgid, gid_t egid, gid_t sgid) {
    static int (*next)(gid_t rgid, gid_t egid, gid_t sgid);
    NEXT(next, "setresgid");
    PASS_ON(next, rgid, egid, sgid);
}

WEAK_EXPORT int setgroups(size_t n, const gid_t *groups) {
    static int (*next)(size_t n, const gid_t *groups);
    NEXT(next, "setgroups");
    PASS_ON(next, n, groups);
}

WEAK_EXPORT int initgroups(const char *user, gid_t group) {
    static int (*next)(const char *user, gid_t group);
    NEXT(next, "initgroups");
    PASS_ON(next, user, group);
}

WEAK_EXPORT int unshare(int flags) {
    static int (*next)(int flags);
    NEXT(next, "unshare");
    PASS_ON(next, flags);
}

WEAK_EXPORT int setns(int fd, int nstype) {
    static int (*next)(int fd, int nstype);
    NEXT(next, "setns");
    PASS_ON(next, fd, nstype);
}

int capset(void *header, const void *data);
WEAK_EXPORT int capset(void *header, const void *data) {
    static int (*next)(void *header, const void *data);
    NEXT(next, "capset");
    PASS_ON(next, header, data);
}

#if !defined(MOUND_PORTABLE_SYSCALL) &&                                        \
    (defined(__x86_64__) || defined(__aarch64__))
// by_number says what to do before a system call.
enum { NOTHING, PAUSE, FILTER };

static int by_number(long nr, long a) {
    switch (nr) {
    case SYS_setuid:
    case SYS_setgid:
    case SYS_setreuid:
    case SYS_setregid:
    case SYS_setresuid:
    case SYS_setresgid:
    case SYS_setgroups:
    case SYS_unshare:
    case SYS_setns:
    case SYS_capset:
        return PAUSE;
    case SYS_seccomp:
        return a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER
                   ? FILTER
                   : NOTHING;
    case SYS_prctl:
        return a == PR_SET_SECCOMP || a == PR_SET_NO_NEW_PRIVS ? FILTER
                                                               : NOTHING;
    default:
        return NOTHING;
    }
}

typedef long syscall_function(long, long, long, long, long, long, long);
static syscall_function *next_syscall;

static long watched_syscall(long nr, long a, long b, long c, long d, long e,
                            long f) {
    NEXT(next_syscall, "syscall");
    if (by_number(nr, a) == FILTER) {
        int saved = errno;
        process_filtered();
        errno = saved;
    }
    PASS_ON(next_syscall, nr, a, b, c, d, e, f);
}

// rights_function returns the function that `syscall` jumps to.
__attribute__((used, visibility("hidden"))) syscall_function *
rights_function(long nr, long a);
syscall_function *rights_function(long nr, long a) {
    NEXT(next_syscall, "syscall");
    if (by_number(nr, a) != NOTHING || next_syscall == NULL)
        return watched_syscall;
    return next_syscall;
}

// `syscall` has a variable number of arguments, and the last one may be on the stack or
// absent: so this code must not write to that place, which may be the caller's. It ends
// with a jump, so that a call that returns twice (vfork) works.
#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".weak syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        ".cfi_startproc\n"
        "push %rdi\n"
        "push %rsi\n"
        "push %rdx\n"
        "push %rcx\n"
        "push %r8\n"
        "push %r9\n"
        "sub $8, %rsp\n"
        ".cfi_adjust_cfa_offset 56\n"
        "call rights_function\n"
        "add $8, %rsp\n"
        "pop %r9\n"
        "pop %r8\n"
        "pop %rcx\n"
        "pop %rdx\n"
        "pop %rsi\n"
        "pop %rdi\n"
        ".cfi_adjust_cfa_offset -56\n"
        "jmp *%rax\n"
        ".cfi_endproc\n"
        ".size syscall, . - syscall\n"
        ".popsection\n");
#else
long rights_syscall(long nr, long a, long b, long c, long d, long e,
                    long f) __asm__("syscall");
__attribute__((optimize("O2"))) WEAK_EXPORT long
rights_syscall(long nr, long a, long b, long c, long d, long e, long f) {
    return rights_function(nr, a)(nr, a, b, c, d, e, f);
}
#endif
#endif
