// Probes traps 15 and 22: threads with the smallest possible stack, a signal handler on
// an alternate stack with 2 KiB more than the kernel itself needs, and coroutines on 4
// KiB allocate with cold caches. A guard page below each stack makes an overflow
// visible. Built with -z now: a lazy binding would save the vector registers on that
// stack.
#include "expect.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { HANDLER_ROOM = 2 * KIB, COROUTINE_STACK = 4 * KIB, NSIZES = 70 };

static ucontext_t back, inside;
static volatile int nright;
static size_t first_size;

// take_and_give allocates without much stack of its own. Sizes change from call
// to call so that every class gets its slow path.
static void take_and_give(void) {
    for (size_t i = 0; i < NSIZES; i++) {
        size_t n = (first_size + 1) << (i % 18);
        char *p = malloc(n);
        char *q = calloc(n, 1);
        if (!p || !q || q[n - 1]) {
            return;
        }
        p[0] = p[n - 1] = 1;
        p = realloc(p, n + n / 2 + 1);
        if (!p || p[0] != 1) {
            return;
        }
        free(p);
        void *aligned = NULL;
        if (posix_memalign(&aligned, 256, n) != 0) {
            return;
        }
        free(aligned);
        free(q);
    }
    nright++;
}

static void on_signal(int signo) {
    (void)signo;
    take_and_give();
}

static void coroutine(void) {
    take_and_give();
    swapcontext(&inside, &back);
}

static void *on_thread(void *arg) {
    take_and_give();
    return arg;
}

// guarded_stack returns the lowest byte of nbytes (whole pages) above an inaccessible
// page.
static char *guarded_stack(size_t nbytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    nbytes = (nbytes + page - 1) / page * page;
    char *p = mmap(NULL, nbytes + page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(p != MAP_FAILED && mprotect(p, page, PROT_NONE) == 0, "stack");
    return p + page;
}

int main(int argc, char **argv) {
    const char *which = argc > 1 ? argv[1] : "";
    expect(argc == 2, "which stack?");

    if (strcmp(which, "signal") == 0) {
        size_t frame = getauxval(AT_MINSIGSTKSZ);
        size_t nbytes = (frame ? frame : 2 * KIB) + HANDLER_ROOM;
        stack_t stack = {.ss_sp = guarded_stack(nbytes), .ss_size = nbytes};
        expect(sigaltstack(&stack, NULL) == 0, "sigaltstack");
        struct sigaction act = {.sa_handler = on_signal,
                                .sa_flags = SA_ONSTACK};
        sigaction(SIGUSR1, &act, NULL);
        for (first_size = 0; first_size < 40; first_size += 3) {
            raise(SIGUSR1);
        }
        expect(nright == 14, "%d of 14 handlers were served", nright);
    } else if (strcmp(which, "coroutine") == 0) {
        char *stack = guarded_stack(COROUTINE_STACK);
        for (first_size = 0; first_size < 40; first_size += 3) {
            expect(getcontext(&inside) == 0, "getcontext");
            inside.uc_stack.ss_sp = stack;
            inside.uc_stack.ss_size = COROUTINE_STACK;
            inside.uc_link = &back;
            makecontext(&inside, coroutine, 0);
            expect(swapcontext(&back, &inside) == 0, "swapcontext");
        }
        expect(nright == 14, "%d of 14 coroutines were served", nright);
    } else {
        pthread_attr_t attr;
        pthread_attr_init(&attr);
        expect(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN) == 0,
               "the smallest stack is refused");
        for (first_size = 0; first_size < 40; first_size += 3) {
            pthread_t thread;
            int err = pthread_create(&thread, &attr, on_thread, NULL);
            expect(err == 0, "no thread with the smallest stack: %s",
                   strerror(err));
            pthread_join(thread, NULL);
        }
        expect(nright == 14, "%d of 14 threads were served", nright);
    }
    probe_sound();
    return 0;
}
