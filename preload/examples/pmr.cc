// pmr.cc: containers of C++17 that allocate from mound by a std::pmr resource, and
// others by an allocator. Both are of use beside another malloc: link libmound.a
// and only these containers are mound's.
//
//     g++ -std=c++17 pmr.cc -I INCLUDEDIR LIBDIR/libmound.a
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

#include <mound.h>

class mound_resource : public std::pmr::memory_resource {
    void *do_allocate(std::size_t size, std::size_t align) override {
        void *p = align <= 8 || (align <= 16 && size >= 16)
                      ? mound_malloc(size)
                      : mound_memalign(align, size);
        if (p == nullptr)
            throw std::bad_alloc();
        return p;
    }
    void do_deallocate(void *p, std::size_t, std::size_t) override {
        mound_free(p);
    }
    bool do_is_equal(const memory_resource &other) const noexcept override {
        return dynamic_cast<const mound_resource *>(&other) != nullptr;
    }
};

template <class T> struct mound_allocator {
    using value_type = T;

    mound_allocator() = default;
    template <class U> mound_allocator(const mound_allocator<U> &) noexcept {
    }
    T *allocate(std::size_t n) {
        if (n > SIZE_MAX / sizeof(T))
            throw std::bad_array_new_length();
        return static_cast<T *>(
            mound_resource().allocate(n * sizeof(T), alignof(T)));
    }
    void deallocate(T *p, std::size_t) noexcept {
        mound_free(p);
    }
    template <class U> bool operator==(const mound_allocator<U> &) const {
        return true;
    }
    template <class U> bool operator!=(const mound_allocator<U> &) const {
        return false;
    }
};

struct alignas(256) wide {
    char bytes[256];
};

int main() {
    mound_resource resource;
    std::pmr::map<int, std::pmr::string> words(&resource);
    for (int i = 0; i < 10000; i++)
        words.emplace(i, "a string that is too long to be kept inside");
    std::vector<wide, mound_allocator<wide>> wides(100);
    bool aligned = reinterpret_cast<std::uintptr_t>(wides.data()) % 256 == 0;

    struct mound_memstats stats;
    mound_read_memstats(&stats, sizeof stats);
    std::printf("served %llu\n",
                static_cast<unsigned long long>(stats.total_alloc));
    return words.size() == 10000 && aligned ? 0 : 1;
}
