// Probes trap 19: a child made by clone(CLONE_VM) without TLS of its own, as sandboxes
// and runtimes make them, allocates on its parent's TLS while the parent waits. So code
// must not rely on thread IDs.
#include "expect.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static void *from_child[100];

static int child(void *arg) {
    for (size_t i = 0; i < 100; i++) {
        from_child[i] = malloc(i * 700 + 1);
        if (!from_child[i]) {
            return 1;
        }
        fill(from_child[i], i * 700 + 1, i);
    }
    free(arg);
    return 0;
}

int main(void) {
    enum { STACK = 256 * KIB, NROUNDS = 100 };
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(stack != MAP_FAILED, "stack");
    for (int round = 0; round < NROUNDS; round++) {
        void *given = malloc(3000);
        int pid = clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD,
                        given);
        probe_child_passed(pid, "clone");
        for (size_t i = 0; i < 100; i++) {
            expect(intact(from_child[i], i * 700 + 1, i),
                   "block %zu of the child changed", i);
            free(from_child[i]);
        }
        probe_workout();
    }
    probe_sound();
    return 0;
}
