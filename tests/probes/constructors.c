// Probes traps 5 and 37: the constructor of a library that the program needs
// allocates, blocks cross from constructors to main to destructors, and
// destructors and exit handlers allocate and free after everything else.
// Run also with a second initfirst library preloaded, of which glibc honours
// only one.
#include "expect.h"

extern int constructor_nblocks;
extern char *constructor_blocks[];

static char *from_constructor;
static char *for_destructor;

__attribute__((constructor(101))) static void early(void) {
    from_constructor = malloc(1234);
    expect(from_constructor, "malloc in a constructor");
    fill(from_constructor, 1234, 9);
}

__attribute__((destructor(101))) static void late(void) {
    expect(intact(for_destructor, 99999, 3), "block changed before destructor");
    free(for_destructor);
    probe_workout();
}

static void at_exit(void) {
    probe_workout();
}

static void at_exit_with(int status, void *arg) {
    expect(status == 0, "status %d at exit", status);
    free(arg);
    free(malloc(70000));
}

int main(void) {
    expect(constructor_nblocks == 500, "%d blocks from the constructor",
           constructor_nblocks);
    expect(intact(from_constructor, 1234, 9), "block of constructor changed");
    free(from_constructor);
    for_destructor = malloc(99999);
    fill(for_destructor, 99999, 3);
    atexit(at_exit);
    on_exit(at_exit_with, strdup("freed at exit"));
    // A stream with a buffer of ours is flushed and closed after all destructors.
    setvbuf(stdout, malloc(8192), _IOFBF, 8192);
    printf("written through a buffer of ours\n");
    probe_workout();
    return 0;
}
