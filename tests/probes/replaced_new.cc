// Probes trap 12: the program replaces operator new(size_t) alone, and asks malloc
// for more than it was asked for. As in libstdc++, the other forms without an
// alignment are built on it, and what deletes by size must not judge by it.
#include "expect.h"

#include <exception>
#include <new>
#include <string>
#include <vector>

static const std::size_t more = 4000;
static long nnews;
static bool failing;

void *operator new(std::size_t n) {
    nnews++;
    void *p = failing ? nullptr : malloc(n + more);
    if (!p) {
        throw std::bad_alloc();
    }
    return p;
}

int main() {
    void *(*volatile nothrow)(std::size_t, const std::nothrow_t &) =
        ::operator new;
    void *(*volatile nothrow_array)(std::size_t, const std::nothrow_t &) =
        ::operator new[];
    void (*volatile sized)(void *, std::size_t) = ::operator delete;
    void (*volatile sized_array)(void *, std::size_t) = ::operator delete[];

    sized(operator new(100), 100);
    sized_array(operator new[](100), 100);
    sized(nothrow(100, std::nothrow), 100);
    sized_array(nothrow_array(100, std::nothrow), 100);
    expect(nnews == 4, "%ld of 4 news reached the replacement", nnews);
    operator delete(operator new(100, std::align_val_t(64)), 100,
                    std::align_val_t(64));
    expect(nnews == 4, "aligned new is not built on new");

    failing = true;
    void *p = nothrow(100, std::nothrow);
    void *q = nothrow_array(100, std::nothrow);
    failing = false;
    expect(nnews == 6 && !p && !q,
           "nothrow new beside a replacement that fails");
    expect(std::uncaught_exceptions() == 0, "an exception is still on its way");
    {
        std::vector<std::string> strings(100, std::string(100, 'x'));
        std::string copy = strings[3] + strings[4];
        expect(copy.size() == 200 && nnews > 100, "string");
    }
    probe_sound();
    return 0;
}
