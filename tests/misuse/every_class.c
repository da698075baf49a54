// every_class.c: objects of every size class are misused in every way. It says
// how many misuses there were; the program must survive them, so this is run
// with MOUND_MISUSE=report or ignore.
#include "misuse.h"

enum { TOP = 32768, STEP_PCT = 8 };

int main(void) {
    unsigned n = 0;
    for (size_t size = 1; size <= TOP; size += 1 + size * STEP_PCT / 100) {
        // The middle of three: its neighbours keep the span alive.
        char *before = alive(size);
        char *p = alive(size);
        char *next = alive(size);
        free(p + 1);
        n++;
        if (size > 16) {
            free(p + 16);
            n++;
        }
        free(p);
        free(p);
        n++;
        free(p);
        n++;
        free(before);
        free(next);
    }
    char line[64];
    snprintf(line, sizeof line, "misuses %u\n", n);
    say(line);
    return 0;
}
