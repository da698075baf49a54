// Probes trap 1 (and 3): the very first call of the program, before any constructor of
// it, may be any function of the family, also free(NULL). argv[1] names the function; it
// is called from .preinit_array, which runs before every constructor except that of an
// initfirst library.
#include "expect.h"

#include <malloc.h>

static void *kept;
static size_t nkept;

static void keep(void *p, size_t n) {
    expect(p, "the first call failed");
    expect((uintptr_t)p % 16 == 0, "the first block is not aligned");
    fill(p, n, 1);
    kept = p;
    nkept = n;
}

static void call_first(int argc, char **argv, char **envp) {
    (void)envp;
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "free") == 0) {
        free(NULL);
    } else if (strcmp(name, "malloc") == 0) {
        keep(malloc(100), 100);
    } else if (strcmp(name, "calloc") == 0) {
        keep(calloc(10, 10), 100);
    } else if (strcmp(name, "realloc") == 0) {
        keep(realloc(NULL, 100), 100);
    } else if (strcmp(name, "reallocarray") == 0) {
        keep(reallocarray(NULL, 10, 10), 100);
    } else if (strcmp(name, "memalign") == 0) {
        keep(memalign(4096, 100), 100);
    } else if (strcmp(name, "aligned_alloc") == 0) {
        keep(aligned_alloc(64, 128), 128);
    } else if (strcmp(name, "posix_memalign") == 0) {
        void *p = NULL;
        expect(posix_memalign(&p, 32, 100) == 0, "posix_memalign failed");
        keep(p, 100);
    } else if (strcmp(name, "large") == 0) {
        keep(malloc(200000), 200000);
    } else if (strcmp(name, "usable_size") == 0) {
        expect(malloc_usable_size(NULL) == 0, "NULL has a usable size");
    } else if (strcmp(name, "trim") == 0) {
        malloc_trim(0);
    } else if (strcmp(name, "mallinfo2") == 0) {
        struct mallinfo2 info = mallinfo2();
        expect(info.uordblks < 64 * MIB, "mallinfo2 makes no sense");
    } else {
        fail_at(__LINE__, "what shall be called first?");
    }
}

__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(int, char **,
                                                   char **) = call_first;

int main(void) {
    probe_workout();
    expect(!kept || intact(kept, nkept, 1), "the first block changed");
    free(kept);
    probe_workout();
    probe_sound();
    return 0;
}
