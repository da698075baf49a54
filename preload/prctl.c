// prctl.c: watches prctl for the calls by which a process puts itself under a
// filter of system calls (alloc/os/filter.h says why). The call itself is passed on
// to the next definition of prctl.
//
// libseccomp, and all programs without privileges, set PR_SET_NO_NEW_PRIVS first; the
// filter may then be set by `syscall`, which is not watched here. So that option alone
// counts as a filter, which is wrong for programs that use it for Landlock.
#include <errno.h>
#include <stdarg.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "interpose.h"
#include "next.h"
#include "os/sys.h"
#include "life/process.h"

typedef int prctl_function(int option, ...);

EXPORT int prctl(int option, ...) {
    va_list list;
    va_start(list, option);
    unsigned long a = va_arg(list, unsigned long);
    unsigned long b = va_arg(list, unsigned long);
    unsigned long c = va_arg(list, unsigned long);
    unsigned long d = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS) {
        int saved = errno;
        process_filtered();
        errno = saved;
    }
    // Under these, reading the time stamp counter ends a thread by SIGSEGV.
    if (option == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT)
        sys_stop_ticks(true);
    if (option == PR_SET_TSC)
        sys_stop_ticks(a == PR_TSC_SIGSEGV);
    static prctl_function *next;
    NEXT(next, "prctl");
    if (next != NULL)
        return next(option, a, b, c, d);
    int error = sys_prctl(option, a, b, c, d);
    if (error >= 0)
        return error;
    errno = -error;
    return -1;
}
