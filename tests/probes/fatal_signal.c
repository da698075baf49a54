// Probes trap 34: handlers of deadly signals allocate. Argument "segv": the program's
// own fault, 300 times, left by siglongjmp; "abort": abort() with a handler; "misuse":
// the allocator aborts because of a foreign pointer, while the handler allocates, frees
// and prints through stdio.
#include "expect.h"

#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf again;
static char *volatile forbidden;

static void use_heap(void) {
    for (int i = 0; i < 3; i++) {
        // The allocator may have a small store left only.
        probe_workout_to(10000);
    }
    char *text = NULL;
    if (asprintf(&text, "crashed at %d", 5) < 0) {
        fail_at(__LINE__, "asprintf in the handler");
    }
    free(text);
    FILE *f = tmpfile();
    if (f) {
        fprintf(f, "a crash report\n");
        fclose(f);
    }
}

static void on_segv(int signo) {
    (void)signo;
    use_heap();
    siglongjmp(again, 1);
}

static void on_abort(int signo) {
    (void)signo;
    use_heap();
    static const char text[] = "handled\n";
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    _exit(0);
}

int main(int argc, char **argv) {
    const char *which = argc > 1 ? argv[1] : "";
    void *block = malloc(100);
    if (strcmp(which, "segv") == 0) {
        forbidden =
            mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        signal(SIGSEGV, on_segv);
        static volatile int n;
        for (n = 0; n < 300; n++) {
            if (sigsetjmp(again, 1) == 0) {
                forbidden[0] = 1;
                fail_at(__LINE__, "no fault");
            }
        }
        probe_sound();
        free(block);
        return 0;
    }
    signal(SIGABRT, on_abort);
    if (strcmp(which, "abort") == 0) {
        abort();
    }
    char on_stack[64] = {0};
    char *volatile wild = on_stack + 16;
    free(wild);
    fail_at(__LINE__, "nobody minded the free of a stack address");
}
