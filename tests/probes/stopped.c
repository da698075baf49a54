// Not a probe but a program to be inspected: it allocates, stops, and exits without
// another call of the allocator after it is continued.
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { NBLOCKS = 1000 };

int main(void) {
    static void *volatile blocks[NBLOCKS];
    for (int i = 0; i < NBLOCKS; i++) {
        blocks[i] = malloc((size_t)i * 100);
    }
    for (int i = 0; i < NBLOCKS; i += 2) {
        free(blocks[i]);
    }
    malloc_trim(0);
    raise(SIGSTOP);
    _exit(0);
}
