// profile_plugin.c: built twice, with the name of its function, which is at the same
// distance from the beginning of either. Loaded by profile_reload.
#include <stdlib.h>

enum { BYTES = 100000 };

void FUNCTION(int nblocks);

void FUNCTION(int nblocks) {
    for (int i = 0; i < nblocks; i++) {
        volatile char *p = malloc(BYTES);
        p[0] = 1;
    }
}
