// A library to be linked, as allocators for C++ are: its malloc, free and operators
// know the same heap and no other. Behind a preloaded malloc its operators must
// not be found alone.
#include <cstdlib>
#include <cstring>
#include <new>

static char arena[8 << 20];
static std::size_t narena;

static void *take(std::size_t n, std::size_t align) {
    narena = (narena + align - 1) / align * align;
    void *p = arena + narena;
    narena += n + 16;
    return p;
}

static void give(void *p) {
    if (p && (p < arena || p >= arena + sizeof arena)) {
        abort();
    }
}

extern "C" {
void *malloc(std::size_t n) {
    return take(n, 16);
}
void free(void *p) {
    give(p);
}
void *calloc(std::size_t n, std::size_t size) {
    return take(n * size, 16);
}
void *realloc(void *p, std::size_t n) {
    return p ? memmove(take(n, 16), p, n) : take(n, 16);
}
void *aligned_alloc(std::size_t align, std::size_t n) {
    return take(n, align);
}
}

using std::align_val_t;
using std::nothrow_t;
using std::size_t;

#define NEW(...) void *operator new __VA_ARGS__
#define DELETE(...)                                                            \
    void operator delete __VA_ARGS__ noexcept {                                \
        give(p);                                                               \
    }
NEW((size_t n)) {
    return take(n, 16);
}
NEW([](size_t n)) {
    return take(n, 16);
}
NEW((size_t n, const nothrow_t &)) noexcept {
    return take(n, 16);
}
NEW([](size_t n, const nothrow_t &)) noexcept {
    return take(n, 16);
}
NEW((size_t n, align_val_t a)) {
    return take(n, size_t(a));
}
NEW([](size_t n, align_val_t a)) {
    return take(n, size_t(a));
}
NEW((size_t n, align_val_t a, const nothrow_t &)) noexcept {
    return take(n, size_t(a));
}
NEW([](size_t n, align_val_t a, const nothrow_t &)) noexcept {
    return take(n, size_t(a));
}
DELETE((void *p))
DELETE([](void *p))
DELETE((void *p, const nothrow_t &))
DELETE([](void *p, const nothrow_t &))
DELETE((void *p, size_t))
DELETE([](void *p, size_t))
DELETE((void *p, align_val_t))
DELETE([](void *p, align_val_t))
DELETE((void *p, align_val_t, const nothrow_t &))
DELETE([](void *p, align_val_t, const nothrow_t &))
DELETE((void *p, size_t, align_val_t))
DELETE([](void *p, size_t, align_val_t))
