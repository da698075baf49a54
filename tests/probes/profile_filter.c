// profile_filter: a program that forbids system calls that unwinding may make, and goes
// on allocating. Exit 0; 77 if it cannot set a filter.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define DENY(name)                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                     \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    DENY(mincore),
    DENY(msync),
    DENY(pipe2),
    DENY(rt_sigprocmask),
    DENY(process_vm_readv),
    DENY(membarrier),
    DENY(openat),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

__attribute__((noinline)) static int deep(int depth) {
    void *volatile p = malloc(1000);
    int n = depth == 0 ? 0 : deep(depth - 1) + 1;
    free(p);
    return n;
}

int main(void) {
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 77;
    for (int i = 0; i < 200; i++)
        deep(100);
    return 0;
}
