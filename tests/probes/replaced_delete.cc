// Probes trap 12: the program replaces operator new(size_t) and operator
// delete(void *) only. The other forms, which libstdc++ has, forward to these,
// sized delete among them; nothing preloaded may catch them on the way.
#include "expect.h"

#include <new>
#include <string>
#include <vector>

// The offset makes a block that any other free would take for a wild pointer.
static const std::size_t offset = 64;
static long nnews, ndeletes;

void *operator new(std::size_t n) {
    nnews++;
    char *p = static_cast<char *>(malloc(n + offset));
    if (!p) {
        throw std::bad_alloc();
    }
    return p + offset;
}

void operator delete(void *p) noexcept {
    if (p) {
        ndeletes++;
        free(static_cast<char *>(p) - offset);
    }
}

int main() {
    void (*volatile sized)(void *, std::size_t) = ::operator delete;
    void (*volatile sized_array)(void *, std::size_t) = ::operator delete[];
    void (*volatile array)(void *) = ::operator delete[];
    void (*volatile nothrow)(void *, const std::nothrow_t &) =
        ::operator delete;

    sized(operator new(100), 100);
    sized_array(operator new[](100), 100);
    array(operator new[](100));
    nothrow(operator new(100, std::nothrow), std::nothrow);
    expect(nnews == 4, "%ld of 4 news reached the replacement", nnews);
    expect(ndeletes == 4, "%ld of 4 deletes reached the replacement", ndeletes);
    {
        // Code inside libstdc++.so uses the replacement too.
        std::vector<std::string> strings(100, std::string(100, 'x'));
        std::string copy = strings[3] + strings[4];
        expect(copy.size() == 200, "string");
    }
    expect(nnews == ndeletes && nnews > 100, "%ld news, %ld deletes", nnews,
           ndeletes);
    probe_sound();
    return 0;
}
