// unwind_descriptors.c: the program closes every descriptor that it did not open, as
// daemons do, and opens its own with the same numbers. malloc must not read or write any
// of them. Useful only if every malloc is sampled (MOUND_PROFILE_RATE=1).
#include "expect.h"

#include <sys/socket.h>

enum { NPAIRS = 40, FD_END = 1024 };

static const char text[] = "keep this";

// From here libunwind has to guess: there are no unwind tables.
#if defined(__x86_64__)
void without_tables(void (*f)(void));
__asm__(".text\n"
        ".type without_tables, @function\n"
        "without_tables:\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "call *%rdi\n"
        "pop %rbp\n"
        "ret\n"
        ".size without_tables, . - without_tables\n");
#else
static void without_tables(void (*f)(void)) {
    f();
}
#endif

static void allocate(void) {
    for (size_t i = 1; i < 200; i++) {
        void *p = malloc(i);
        expect(p, "malloc failed");
        free(p);
    }
}

int main(void) {
    int pairs[NPAIRS][2];
    allocate(); // whatever is opened, is opened now
    for (int fd = 3; fd < FD_END; fd++) {
        close(fd);
    }
    for (int i = 0; i < NPAIRS; i++) {
        expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]) ==
                   0,
               "no sockets");
        for (int k = 0; k < 2; k++) {
            expect(write(pairs[i][k], text, sizeof text) == sizeof text,
                   "write");
        }
    }

    allocate();
    without_tables(allocate);

    for (int i = 0; i < NPAIRS; i++) {
        for (int k = 0; k < 2; k++) {
            char got[64];
            ssize_t n = read(pairs[i][k], got, sizeof got);
            expect(n == sizeof text && memcmp(got, text, sizeof text) == 0,
                   "%zd bytes wait in descriptor %d, or others than were sent",
                   n, pairs[i][k]);
        }
    }
    probe_sound();
    return 0;
}
