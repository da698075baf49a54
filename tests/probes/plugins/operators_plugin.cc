// Loaded by operators_bare, with the C++ library: memory runs out here.
#include <exception>
#include <new>
#include <string>
#include <vector>

static int nhandled;

static void handle() {
    nhandled++;
    std::set_new_handler(nullptr);
}

// run returns the number of what is wrong, or 0. It is told the program's own
// operator new, to be sure that this is the one here.
extern "C" int run(void *programs) {
    void *(*volatile one)(std::size_t) = ::operator new;
    if (reinterpret_cast<void *>(one) != programs) {
        return 1;
    }
    std::vector<std::string> strings(1000, std::string(100, 'x'));
    std::set_new_handler(handle);
    try {
        operator delete(one(std::size_t(1) << 62));
        return 2;
    } catch (const std::bad_alloc &) {
    }
    if (nhandled != 1 || operator new(std::size_t(1) << 62, std::nothrow)) {
        return 3;
    }
    std::set_new_handler([] { throw std::bad_alloc(); });
    if (operator new(std::size_t(1) << 62, std::nothrow) || operator new[](
                                                                std::size_t(1)
                                                                    << 62,
                                                                std::nothrow)) {
        return 4;
    }
    std::set_new_handler(nullptr);
    return std::uncaught_exceptions() != 0 ? 5 : 0;
}
