// handler.c: an object is freed twice in a program that catches SIGABRT and
// misuses the heap in its handler again.
#include "misuse.h"

static void on_abort(int signo) {
    static int calls;
    char on_stack[64] __attribute__((aligned(16))) = {0};
    (void)signo;
    say("handler\n");
    if (++calls > 3) {
        _exit(4);
    }
    free(malloc(100));
    free(malloc(LARGE));
    free(on_stack);
    _exit(3);
}

int main(void) {
    signal(SIGABRT, on_abort);
    char *p = alive(LARGE);
    free(p);
    free(about_to(p));
    after();
    return 0;
}
