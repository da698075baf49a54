// double_free_large_reused.c: a large object is freed twice, with many small
// objects allocated in between, some of them where it was. None of those may be
// released by it.
#include "misuse.h"

int main(void) {
    enum { N = 4000 };
    static char *small[N];
    char *p = alive(3000000); // no thread keeps so much
    free(p);
    for (int i = 0; i < N; i++)
        small[i] = alive(SMALL);
    free(about_to(p));
    after();
    // Reported and gone on: nobody else's object was hit.
    for (int i = 0; i < N; i++) {
        char *q = alive(SMALL);
        for (int j = 0; j < N; j++)
            if (q == small[j]) {
                say("handed out twice\n");
                _exit(1);
            }
    }
    return 0;
}
