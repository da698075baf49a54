// signals.c: the disposition of signals as the program sees it. Where mound handles a
// signal instead of the default action (MOUND_STATS_ON), the program reads SIG_DFL, and
// when it sets SIG_DFL, mound handles the signal again: shells, and python for SIGINT,
// install their own handlers only where they find SIG_DFL. All other calls are passed on
// unchanged.
//
// Raw system calls, sigset and sysv_signal are not intercepted. They read the address of
// mound's handler, or set the kernel's default.
#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "interpose.h"
#include "life/process.h"
#include "next.h"

typedef int sigaction_function(int, const struct sigaction *,
                               struct sigaction *);
typedef __sighandler_t signal_function(int, __sighandler_t);

// The C library's own, for programs in which there is no next one.
extern sigaction_function __sigaction;

EXPORT int sigaction(int number, const struct sigaction *new,
                     struct sigaction *old) {
    static sigaction_function *next;
    struct sigaction ours;
    NEXT(next, "sigaction");
    sigaction_function *set = next != NULL ? next : __sigaction;
    if (!process_dies_of(number))
        return set(number, new, old);
    if (new != NULL &&new->sa_handler == SIG_DFL) {
        ours = *new;
        ours.sa_handler = process_on_deadly;
        ours.sa_flags = SA_RESTART | SA_ONSTACK;
        new = &ours;
    }
    int error = set(number, new, old);
    if (error == 0 && old != NULL && old->sa_handler == process_on_deadly) {
        old->sa_handler = SIG_DFL;
        old->sa_flags = 0;
    }
    return error;
}

EXPORT __sighandler_t signal(int number, __sighandler_t handler) {
    static signal_function *next;
    NEXT(next, "signal");
    if (next == NULL) {
        struct sigaction new = {.sa_handler = handler, .sa_flags = SA_RESTART};
        struct sigaction old;
        return sigaction(number, &new, &old) == 0 ? old.sa_handler : SIG_ERR;
    }
    if (process_dies_of(number) && handler == SIG_DFL)
        handler = process_on_deadly;
    __sighandler_t old = next(number, handler);
    return old == process_on_deadly ? SIG_DFL : old;
}
