// symbolized.cc: a program for symbolize.py that tells where it is: a line
// "name start pc" for each function, pc inside a call in it, and its mappings.
// With an argument it allocates instead, in functions of known names.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string>

#define NOINLINE __attribute__((noinline))
#define EXPORTED __attribute__((visibility("default")))

// Code without a size and without an entry for unwinding, as handwritten
// assembly may be.
extern "C" __attribute__((visibility("hidden"))) char sizeless[];
__asm__(".pushsection .text\n"
        "sizeless:\n"
        "nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n"
        ".popsection\n");

NOINLINE static void tell(const char *name, void *start) {
    uintptr_t pc = (uintptr_t)__builtin_return_address(0) - 1;
    printf("%s %#lx %#lx\n", name, (unsigned long)start, (unsigned long)pc);
}

// A call that is the last thing in its function would be a jump.
static void stay(void) {
    __asm__ volatile("" ::: "memory");
}

extern "C" EXPORTED NOINLINE void exported(void) {
    tell("exported", (void *)exported);
    stay();
}

extern "C" {
NOINLINE static void hidden(void) {
    tell("hidden", (void *)hidden);
    stay();
}
}

// As the compiler calls a copy of a function that it has made for some callers.
static void copied(void) __asm__("copied.constprop.0");

NOINLINE static void copied(void) {
    tell("copied", (void *)copied);
    stay();
}

namespace zoo {
template <typename T> struct Cage {
    NOINLINE static void add(int, const T &) {
        tell("template", (void *)add);
        stay();
    }
};
template <typename A, typename B, typename C, typename D> struct Row {
    NOINLINE static void add() {
        tell("long_template", (void *)add);
        stay();
    }
};
} // namespace zoo

extern "C" {
NOINLINE static void *allocate_inner(size_t size) {
    void *p = malloc(size);
    stay();
    return p;
}
}

namespace zoo {
NOINLINE static void *allocate_outer(size_t size) {
    void *p = allocate_inner(size);
    stay();
    return p;
}
} // namespace zoo

static void copy_mappings(void) {
    FILE *f = fopen("/proc/self/maps", "r");
    for (int c; f != NULL && (c = getc(f)) != EOF;)
        putchar(c);
}

int main(int argc, char **) {
    using std::string;
    if (argc > 1) {
        static void *volatile kept;
        kept = zoo::allocate_outer(12345);
        return kept == NULL;
    }
    exported();
    hidden();
    copied();
    zoo::Cage<string>::add(1, "x");
    zoo::Row<string, zoo::Cage<string>, zoo::Cage<zoo::Cage<string>>,
             zoo::Cage<zoo::Cage<zoo::Cage<string>>>>::add();
    printf("sizeless %#lx %#lx\n", (unsigned long)sizeless,
           (unsigned long)sizeless + 2);
    puts("mappings:");
    copy_mappings();
    return 0;
}
