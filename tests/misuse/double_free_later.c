// double_free_later.c: an object is freed twice, with other frees between, so
// that it is not the newest one in any list.
#include "misuse.h"

enum { NOTHERS = 20 };

int main(void) {
    char *other[NOTHERS];
    char *neighbour = alive(SMALL); // lives on, and so does the span
    char *p = alive(SMALL);
    for (int i = 0; i < NOTHERS; i++) {
        other[i] = alive(SMALL);
    }
    free(p);
    for (int i = 0; i < NOTHERS; i++) {
        free(other[i]);
    }
    free(about_to(p));
    after();
    return neighbour == NULL;
}
