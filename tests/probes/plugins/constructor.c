// A library whose constructor and destructor allocate: used linked (it runs
// before main's) and preloaded, with -z initfirst, beside libmound.so.
#include <stdlib.h>
#include <string.h>

enum { NBLOCKS = 500 };

int constructor_nblocks;
char *constructor_blocks[NBLOCKS];

__attribute__((constructor)) static void build(void) {
    for (int i = 0; i < NBLOCKS; i++) {
        constructor_blocks[i] = malloc((size_t)i * 90 + 1);
        if (!constructor_blocks[i]) {
            abort();
        }
        memset(constructor_blocks[i], i, (size_t)i * 90 + 1);
        constructor_nblocks++;
    }
}

// This runs after the destructors of everything that needs this library.
__attribute__((destructor)) static void tear_down(void) {
    for (int i = 0; i < NBLOCKS; i++) {
        char *more = malloc((size_t)i * 200 + 1);
        if (!more) {
            abort();
        }
        memset(more, i, (size_t)i * 200 + 1);
        for (int at = 0; at < i * 90 + 1; at++) {
            if (constructor_blocks[i][at] != (char)i) {
                abort();
            }
        }
        free(constructor_blocks[i]);
        free(more);
    }
}
