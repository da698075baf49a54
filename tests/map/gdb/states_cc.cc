// states_cc.cc: what states.c is, from C++: type names without struct,
// references, elements of classes.
#include "../which.h"

#include <cstdio>

struct point {
    int x, y;
};

MOUND_MAP_STR(points, point)
MOUND_SET_STR(tags)

static points *shapes;
static tags *colours;

__attribute__((noinline)) static void ready(const points &by_reference,
                                            FILE *out) {
    // It is used, says this, or the compiler would not keep it.
    __asm__ volatile("" : : "r"(&by_reference) : "memory");
    std::fclose(out);
}

int main(int argc, char **argv) {
    FILE *out = argc == 2 ? std::fopen(argv[1], "w") : nullptr;
    shapes = points_make(0);
    colours = tags_make(0);
    if (out == nullptr || shapes == nullptr || colours == nullptr)
        return 1;
    points_set(shapes, "corner", point{3, 4});
    points_set(shapes, "centre", point{0, 0});
    tags_add(colours, "red", nullptr);
    ready(*shapes, out);
    points_free(shapes);
    tags_free(colours);
    return 0;
}
