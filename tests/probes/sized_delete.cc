// Probes delete with a size: right ones pass, and the argument names a wrong one,
// which is to be reported: one, array, aligned, large, class, base, unaligned. Where
// the process goes on, these objects are freed, and the first mistake alone is told.
#include "expect.h"

#include <malloc.h>
#include <new>

struct Small {
    char bytes[24];
};

struct Large : Small {
    char more[400];
};

static void right() {
    for (std::size_t n = 0; n < 100000; n = n * 5 / 4 + 1) {
        operator delete(operator new(n), n);
        operator delete[](operator new[](n), n);
        operator delete(operator new(n, std::nothrow), n);
        for (std::size_t align = 1; align <= 8192; align *= 2) {
            std::align_val_t a{align};
            operator delete(operator new(n, a), n, a);
            operator delete[](operator new[](n, a), n, a);
            operator delete[](operator new[](n, a, std::nothrow), n, a);
        }
    }
    operator delete(nullptr, std::size_t(8));
    delete new Large;
    delete[] new Large[7];
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "right";
    right();
    if (strcmp(what, "one") == 0) {
        operator delete(operator new(24), std::size_t(400));
    } else if (strcmp(what, "array") == 0) {
        operator delete[](operator new[](400), std::size_t(24));
    } else if (strcmp(what, "aligned") == 0) {
        operator delete(operator new(64, std::align_val_t(64)),
                        std::size_t(640), std::align_val_t(64));
    } else if (strcmp(what, "large") == 0) {
        operator delete(operator new(100000), std::size_t(200000));
    } else if (strcmp(what, "class") == 0) {
        Small *volatile small = new Large; // no virtual destructor
        delete small;
    } else if (strcmp(what, "base") == 0) { // as a sockaddr_in6 by a sockaddr
        const std::size_t before = mallinfo2().uordblks;
        for (int i = 0; i < 100000; i++) {
            operator delete(operator new(28), std::size_t(16));
        }
        expect(mallinfo2().uordblks < before + (1 << 20),
               "they were not freed");
    } else if (strcmp(what, "unaligned") == 0) {
        operator delete(operator new(24, std::align_val_t(64)),
                        std::size_t(16));
    }
    probe_sound();
    return 0;
}
