// wild.c: a number that is no address is freed.
//
// usage: wild NUMBER
#include "misuse.h"

int main(int argc, char **argv) {
    if (argc < 2) {
        return 1;
    }
    free(alive(SMALL));
    free(about_to((void *)strtoul(argv[1], NULL, 0)));
    after();
    return 0;
}
