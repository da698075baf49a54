// What caller.c finds through its RUNPATH.
#include <stdlib.h>

void *target_block(void) {
    return malloc(77);
}
