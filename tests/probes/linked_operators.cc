// Probes a program that is linked to an allocator with operators of its own
// (plugins/own_operators.cc): every new goes with every delete and with free,
// whoever serves.
#include "expect.h"

#include <new>
#include <string>
#include <vector>

int main() {
    const std::align_val_t a{64};
    void *(*volatile news[])() = {
        [] { return operator new(100); },
        [] { return operator new[](100); },
        [] { return operator new(100, std::nothrow); },
        [] { return operator new[](100, std::nothrow); },
        [] { return operator new(100, std::align_val_t(64)); },
        [] { return operator new[](100, std::align_val_t(64)); },
        [] { return operator new(100, std::align_val_t(64), std::nothrow); },
        [] { return operator new[](100, std::align_val_t(64), std::nothrow); },
        [] { return malloc(100); },
        [] { return calloc(10, 10); },
        [] { return realloc(nullptr, 100); },
        [] { return aligned_alloc(64, 64); },
    };
    for (auto make : news) {
        bool of_new = make != news[11];
        operator delete(make());
        operator delete[](make());
        operator delete(make(), std::nothrow);
        operator delete[](make(), std::nothrow);
        if (of_new) {
            operator delete(make(), std::size_t(100));
            operator delete[](make(), std::size_t(100));
        }
        operator delete(make(), a);
        operator delete[](make(), a);
        operator delete(make(), a, std::nothrow);
        operator delete[](make(), a, std::nothrow);
        free(make());
    }
    std::vector<std::string> strings(100, std::string(100, 'x'));
    free(strdup("freed by the same heap"));
    probe_sound();
    return 0;
}
