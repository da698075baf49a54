// huge_use.c: a heap of 32 MiB of small objects, of which every fourth stays, for who
// reads its statistics (tests/preload/outside.py). Any malloc passes.
#include "contract.h"

enum { NOBJECTS = 1 << 19, OBJECT_BYTES = 64, KEPT_ONE_IN = 4 };

static void *objects[NOBJECTS];

int main(void) {
    for (int i = 0; i < NOBJECTS; i++) {
        objects[i] = must_malloc(OBJECT_BYTES);
        *(char *)objects[i] = 1;
    }
    for (int i = 0; i < NOBJECTS; i++)
        if (i % KEPT_ONE_IN != 0)
            free(objects[i]);
    return 0;
}
