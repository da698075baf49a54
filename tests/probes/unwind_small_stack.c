// unwind_small_stack.c: malloc and free at every depth of the smallest stacks: that of a
// thread and a coroutine of 8 KiB, each above an inaccessible page, and one in the
// middle of a block. Useful only if every malloc is sampled (MOUND_PROFILE_RATE=1): an
// unwinder that needs more than what is left must not be started.
#include "expect.h"

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    MALLOC_NEEDS = 3 * KIB, // with its samples
    SIDE = 8 * KIB,         // of others, on both sides of a coroutine
    COROUTINE_STACK = 8 * KIB,
};

static uintptr_t stack_low; // the lowest byte that may be touched
static unsigned ndeep;

static __attribute__((noinline)) void go_down(void) {
    volatile char some[64];
    some[0] = 1;
    if ((uintptr_t)some - stack_low < MALLOC_NEEDS) {
        return;
    }
    void *p = malloc(some[0] + ndeep % 500);
    expect(p, "malloc failed");
    free(p);
    ndeep++;
    go_down();
    some[1] = some[0];
}

static void *on_thread(void *arg) {
    pthread_attr_t attr;
    void *p;
    size_t nbytes;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstack(&attr, &p, &nbytes);
    pthread_attr_destroy(&attr);
    stack_low = (uintptr_t)p;
    go_down();
    return arg;
}

static ucontext_t back, inside;

static void coroutine(void) {
    go_down();
    swapcontext(&inside, &back);
}

static void run_coroutine_on(char *stack, size_t nbytes) {
    stack_low = (uintptr_t)stack;
    ndeep = 0;
    expect(getcontext(&inside) == 0, "getcontext");
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = nbytes;
    makecontext(&inside, coroutine, 0);
    expect(swapcontext(&back, &inside) == 0, "swapcontext");
    expect(ndeep > 5, "only %u calls fit on a coroutine's stack", ndeep);
}

static void run_coroutine_in_block(void) {
    size_t nbytes = COROUTINE_STACK + 2 * SIDE;
    char *block = malloc(nbytes);
    expect(block, "malloc failed");
    fill(block, SIDE, 1);
    fill(block + SIDE + COROUTINE_STACK, SIDE, 2);
    run_coroutine_on(block + SIDE, COROUTINE_STACK);
    expect(intact(block, SIDE, 1), "what lies below the stack was overwritten");
    expect(intact(block + SIDE + COROUTINE_STACK, SIDE, 2),
           "what lies above the stack was overwritten");
    free(block);
}

static void run_coroutine(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t nbytes = (COROUTINE_STACK + page - 1) / page * page;
    char *p = mmap(NULL, nbytes + page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(p != MAP_FAILED && mprotect(p, page, PROT_NONE) == 0, "no stack");
    run_coroutine_on(p + page, nbytes);
}

int main(void) {
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    expect(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN) == 0,
           "the smallest stack is refused");
    expect(pthread_create(&thread, &attr, on_thread, NULL) == 0, "no thread");
    pthread_join(thread, NULL);
    expect(ndeep > 10, "only %u calls fit on a thread's stack", ndeep);
    run_coroutine();
    run_coroutine_in_block();
    probe_sound();
    return 0;
}
