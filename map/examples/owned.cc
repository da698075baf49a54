// owned.cc: C++ types that own memory. A map moves entries as bytes, which a
// std::string does not survive: short ones point into themselves. So strings as keys
// are views that the map copies, and objects as elements are behind pointers, which
// the map is told to copy and to drop.
//
//     c++ owned.cc $(pkg-config --cflags --libs moundmap) && ./a.out
#include <mound_map.h>
#include <cstdio>
#include <new>
#include <string>

// For clone. It may not throw: false is out of memory.
static bool copy_string(std::string **dst, std::string *const *src) {
    try {
        *dst = *src ? new std::string(**src) : nullptr;
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

// For delete, set, clear and free.
static void drop_string(std::string **s) {
    delete *s;
}

MOUND_MAP_DECLARE_OWNING(capitals, struct mound_view, std::string *,
                         mound_hash_view, mound_eq_view, mound_copy_view,
                         mound_drop_view, copy_string, drop_string)

static struct mound_view view(const std::string &s) {
    struct mound_view v = {s.data(), s.size()};
    return v;
}

int main() {
    capitals *m = capitals_make(0);
    for (int i = 0; i < 1000; i++)
        capitals_set(m, view("country " + std::to_string(i)),
                     new std::string("capital " + std::to_string(i)));
    std::string *&slot = *capitals_put(m, view("country 7"), nullptr);
    *slot += ", moved";
    capitals *copy = capitals_clone(m);
    capitals_free(m);
    std::printf("%zu: %s, %s\n", capitals_len(copy),
                (*capitals_get(copy, view("country 7")))->c_str(),
                (*capitals_get(copy, view("country 999")))->c_str());
    capitals_free(copy);
}
