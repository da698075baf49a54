// Probes trap 12: the operators do what libstdc++'s do: new throws bad_alloc, calls
// the new_handler, and nothrow new returns null whatever the handler throws;
// aligned, sized and array forms; exceptions themselves are allocated. A wrapper
// that is preloaded in front sees the calls of malloc.
#include "expect.h"

#include <cstdint>
#include <memory>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

static int nhandled;
static std::size_t huge = std::size_t(1) << 62;

static void give_up_at_third_call() {
    if (++nhandled == 3) {
        std::set_new_handler(nullptr);
    }
}

static void throw_own() {
    throw std::runtime_error("from the handler");
}

template <typename Call> static bool throws_bad_alloc(Call call) {
    try {
        void *volatile p = call();
        (void)p;
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

struct alignas(256) Wide {
    char bytes[300];
};

int main() {
    expect(throws_bad_alloc([] { return operator new(huge); }),
           "operator new(2^62) did not throw bad_alloc");
    expect(throws_bad_alloc([] { return new char[huge]; }),
           "new char[2^62] did not throw bad_alloc");
    expect(throws_bad_alloc(
               [] { return operator new(huge, std::align_val_t(64)); }),
           "aligned new of 2^62 bytes did not throw bad_alloc");
    expect(!operator new(huge, std::nothrow), "nothrow new gave a block");

    // What is no alignment is answered like a lack of memory.
    volatile std::size_t odd = 3;
    expect(throws_bad_alloc(
               [&] { return operator new(10, std::align_val_t(odd)); }) &&
               throws_bad_alloc(
                   [&] { return operator new[](10, std::align_val_t(odd)); }),
           "aligned new by 3 did not throw bad_alloc");
    expect(!operator new(10, std::align_val_t(odd), std::nothrow) &&
               !operator new[](10, std::align_val_t(odd), std::nothrow),
           "nothrow new gave a block aligned by 3");

    std::set_new_handler(give_up_at_third_call);
    expect(throws_bad_alloc([] { return operator new(huge); }) && nhandled == 3,
           "the new_handler was called %d times, not 3", nhandled);
    std::set_new_handler(throw_own);
    bool own = false;
    try {
        void *volatile p = operator new(huge);
        (void)p;
    } catch (const std::runtime_error &e) {
        own = std::string(e.what()) == "from the handler";
    }
    expect(own, "the handler's own exception got lost");
    void *none[] = {operator new(huge, std::nothrow),
                    operator new[](huge, std::nothrow),
                    operator new(huge, std::align_val_t(64), std::nothrow),
                    operator new[](huge, std::align_val_t(64), std::nothrow)};
    for (void *p : none) {
        expect(!p, "nothrow new beside a handler that throws");
    }
    expect(std::uncaught_exceptions() == 0, "an exception is still on its way");
    std::set_new_handler(nullptr);

    unsigned long *nwrapped = reinterpret_cast<unsigned long *>(
        dlsym(RTLD_DEFAULT, "wrapper_nmallocs"));
    unsigned long before = nwrapped ? *nwrapped : 0;
    operator delete[](operator new[](100, std::nothrow));
    expect(!nwrapped || *nwrapped == before + 1, "the wrapper was passed by");

    volatile size_t zero = 0; // not known to compilers, which warn of it
    char *volatile nothing = new char[zero];
    char *volatile other = new char[zero];
    expect(nothing && other && nothing != other, "new char[0] is not unique");
    delete[] nothing;
    delete[] other;

    for (int i = 0; i < 1000; i++) {
        std::unique_ptr<Wide> wide(new Wide);
        expect(reinterpret_cast<std::uintptr_t>(wide.get()) % 256 == 0,
               "an over-aligned object is not aligned");
        std::unique_ptr<Wide[]> many(new Wide[7]);
        std::vector<std::string> strings;
        for (int j = 0; j < 100; j++) {
            strings.push_back(std::string(std::size_t(j), 'x'));
        }
        void *p = operator new(std::size_t(i) + 1);
        operator delete(p, std::size_t(i) + 1);
        p = operator new(std::size_t(i) + 1, std::align_val_t(64));
        operator delete(p, std::size_t(i) + 1, std::align_val_t(64));
        // A block of malloc for delete and the other way round is common in
        // the wild, and libstdc++ allows it.
        free(operator new(100));
        try {
            throw std::runtime_error(std::string(1000, 'y'));
        } catch (const std::exception &e) {
            expect(std::string(e.what()).size() == 1000, "exception text");
        }
    }
    probe_sound();
    return 0;
}
