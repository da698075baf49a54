// Probes trap 70: calls that the library watches and passes on reach the next definition
// and, through that, the C library.
#include "expect.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

int main(void) {
    expect(setuid(4000) == 4001, "setuid passed by what is behind");
    expect(prctl(PR_GET_DUMPABLE) == PR_GET_DUMPABLE + 2,
           "prctl passed by what is behind");
    expect(setgid(getgid()) == 0, "setgid does not lead to the C library");
    expect(syscall(SYS_getppid) == getppid(), "syscall leads elsewhere");
    return 0;
}
