// battery.c: many small misuses of the heap, as the suites of other allocators have
// them, for battery.py to count what each mode sees. "battery NAME" does one; without
// a name it lists them. A process that ends by abort or by a fault has seen it; what
// reads old data says "stale" and ends with 3, what gets one block twice says "twice".
#include "misuse.h"

#include <errno.h>

static void *hidden(void *p) {
    __asm__ volatile("" : "+r"(p)::"memory");
    return p;
}

static void put(void *p, long at, int value) {
    ((volatile char *)hidden(p))[at] = (char)value;
}

static int get(void *p, long at) {
    return ((volatile char *)hidden(p))[at];
}

static void stale(int is) {
    if (is) {
        say("stale\n");
        _exit(3);
    }
}

static size_t n; // the size that a name stands for

static char *make(void) {
    return alive(n);
}

// Frees.

static void twice(void) {
    char *p = make();
    free(p);
    free(hidden(p));
}

static void twice_and_handed_out(void) {
    char *p = make();
    free(p);
    free(hidden(p));
    if (malloc(n) == malloc(n))
        say("twice\n");
}

static void twice_with_one_between(void) {
    char *p = make(), *q = make();
    free(p);
    free(q);
    free(hidden(p));
    void *a = malloc(n);
    void *b = malloc(n);
    void *c = malloc(n);
    if (a == c || a == b)
        say("twice\n");
}

static void twice_after_many(void) {
    enum { MANY = 300 };
    char *p = make(), *q[MANY];
    for (int i = 0; i < MANY; i++)
        q[i] = make();
    free(p);
    for (int i = 0; i < MANY; i++)
        free(q[i]);
    free(hidden(p));
}

static void *free_it(void *p) {
    free(hidden(p));
    return NULL;
}

static void in_thread(void *p) {
    pthread_t thread;
    pthread_create(&thread, NULL, free_it, p);
    pthread_join(thread, NULL);
}

static void twice_in_a_thread(void) {
    char *p = make();
    free(p);
    in_thread(p);
}

static void twice_by_two_threads(void) {
    char *p = make();
    in_thread(p);
    in_thread(p);
}

static void calloced_twice(void) {
    char *p = calloc(1, n);
    free(p);
    free(hidden(p));
}

static void realloced_twice(void) {
    char *p = realloc(make(), n + 1);
    free(p);
    free(hidden(p));
}

static void moved_and_old_freed(void) {
    char *p = make(), *q = hidden(p);
    p = realloc(p, n * 40);
    free(q);
}

static void aligned_twice(void) {
    void *p;
    posix_memalign(&p, 64, n);
    free(p);
    free(hidden(p));
}

static void interior(long at) {
    free(hidden(make() + at));
}
static void interior_1(void) {
    interior(1);
}
static void interior_8(void) {
    interior(8);
}
static void interior_16(void) {
    interior(16);
}
static void interior_half(void) {
    interior((long)(n / 2));
}
static void interior_before_16(void) {
    interior(-16);
}
static void interior_freed(void) {
    char *p = make();
    free(p);
    free(hidden(p + 16));
}
static void interior_and_handed_out(void) {
    free(hidden(make() + 8));
    if ((uintptr_t)malloc(n) % 16 != 0)
        say("misaligned\n");
}
static void interior_realloc(void) {
    void *p = realloc(hidden(make() + 16), n * 2);
    (void)p;
}
static void freed_realloc(void) {
    char *p = make();
    free(p);
    p = realloc(hidden(p), n * 40);
}
static void freed_realloc_smaller(void) {
    char *p = make();
    free(p);
    p = realloc(hidden(p), n - 1);
}
static void freed_usable(void) {
    char *p = make();
    free(p);
    malloc_usable_size(hidden(p));
}
static void interior_usable(void) {
    malloc_usable_size(hidden(make() + 8));
}

static char somewhere[4096] __attribute__((aligned(4096)));
static void free_static(void) {
    free(hidden(somewhere + 64));
}
static void free_stack(void) {
    char local[256];
    free(hidden((void *)(((uintptr_t)local + 31) & ~15ul)));
}
static void free_text(void) {
    free(hidden((void *)(uintptr_t)&free_text));
}
static void free_far(void) {
    free(hidden((void *)0x123456789000));
}
static void free_small_number(void) {
    free(hidden((void *)16));
}

// Writes and reads after the free.

static void late(long at, int value) {
    char *p = make();
    free(p);
    put(p, at, value);
}
static void late_first(void) {
    late(0, 'x');
}
static void late_last(void) {
    late((long)n - 1, 'x');
}
static void late_middle(void) {
    late((long)(n / 2), 'x');
}
static void late_null(void) {
    char *p = make();
    free(p);
    *(void *volatile *)hidden(p) = NULL;
}
static void late_null_reused(void) {
    char *p = make();
    free(p);
    *(void *volatile *)hidden(p + 8) = NULL;
    for (int i = 0; i < 4000; i++)
        free(make());
}
static void late_read(void) {
    char *p = make();
    free(p);
    int old = 0;
    for (size_t i = 0; i < n; i++)
        old += get(p, (long)i) == 1;
    stale(old >= (int)n / 2);
}
static void new_holds_old(void) {
    char *p = make();
    free(p);
    char *q = malloc(n);
    int old = 0;
    for (size_t i = 0; i < n; i++)
        old += get(q, (long)i) == 1;
    stale(old >= (int)n / 2);
}

// Writes outside.

static void outside(long at, int value) {
    char *p = make();
    put(p, at, value);
    free(p);
}
static void over_1(void) {
    outside((long)n, 'x');
}
static void over_nul(void) {
    outside((long)n, 0);
}
static void over_8(void) {
    char *p = make();
    memset(hidden(p + n), 'x', 8);
    free(p);
}
static void over_zeros(void) {
    char *p = make();
    memset(hidden(p), 0, n + 8);
    free(p);
}
static void over_string(void) {
    char *p = malloc(n), *q = hidden(p);
    memset(q, 'a', n);
    q[n] = 0;
    free(q);
}
static void over_far(void) {
    char *p = make(), *q = make(), *r = make();
    memset(hidden(q), 'x', n * 2 + 16);
    free(p);
    free(q);
    free(r);
}
static void over_leaked(void) {
    char *p = make();
    put(p, (long)n, 'x');
}
static void over_realloc(void) {
    char *p = make();
    put(p, (long)n, 'x');
    p = realloc(p, n * 4);
}
static void under_1(void) {
    outside(-1, 'x');
}
static void under_nul(void) {
    outside(-1, 0);
}
static void under_8(void) {
    outside(-8, 'x');
}
static void under_16(void) {
    outside(-16, 'x');
}
static void under_leaked(void) {
    char *p = make();
    put(p, -1, 'x');
}

// Others.

static void no_bytes_read(void) {
    get(malloc(0), 0);
}
static void no_bytes_write(void) {
    put(malloc(0), 0, 1);
}
static void no_bytes_twice(void) {
    char *p = malloc(0);
    free(p);
    free(hidden(p));
}
static void sized(size_t size) {
    void (*free_sized_fn)(void *, size_t) = dlsym(RTLD_DEFAULT, "free_sized");
    char *p = make();
    if (free_sized_fn)
        free_sized_fn(p, size);
}
static void sized_more(void) {
    sized(n * 4);
}
static void sized_less(void) {
    sized(n / 4);
}
static void sized_by_1(void) {
    sized(n + 1);
}
static void aligned_wrong(void) {
    void (*fn)(void *, size_t, size_t) =
        dlsym(RTLD_DEFAULT, "free_aligned_sized");
    make(); // the first may be aligned to anything
    char *p = make();
    if (fn)
        fn(p, 1 << 20, n);
}

static const struct {
    const char *name;
    void (*run)(void);
    const char *sizes; // s: small, l: large
} all[] = {
#define ONE(name, sizes)                                                       \
    { #name, name, sizes }
    ONE(twice, "sl"),
    ONE(twice_and_handed_out, "sl"),
    ONE(twice_with_one_between, "sl"),
    ONE(twice_after_many, "s"),
    ONE(twice_in_a_thread, "sl"),
    ONE(twice_by_two_threads, "sl"),
    ONE(calloced_twice, "sl"),
    ONE(realloced_twice, "sl"),
    ONE(moved_and_old_freed, "s"),
    ONE(aligned_twice, "sl"),
    ONE(interior_1, "sl"),
    ONE(interior_8, "sl"),
    ONE(interior_16, "sl"),
    ONE(interior_half, "sl"),
    ONE(interior_before_16, "sl"),
    ONE(interior_freed, "sl"),
    ONE(interior_and_handed_out, "s"),
    ONE(interior_realloc, "sl"),
    ONE(freed_realloc, "s"),
    ONE(freed_realloc_smaller, "sl"),
    ONE(freed_usable, "sl"),
    ONE(interior_usable, "sl"),
    ONE(free_static, "s"),
    ONE(free_stack, "s"),
    ONE(free_text, "s"),
    ONE(free_far, "s"),
    ONE(free_small_number, "s"),
    ONE(late_first, "sl"),
    ONE(late_last, "sl"),
    ONE(late_middle, "sl"),
    ONE(late_null, "sl"),
    ONE(late_null_reused, "sl"),
    ONE(late_read, "sl"),
    ONE(new_holds_old, "sl"),
    ONE(over_1, "sl"),
    ONE(over_nul, "sl"),
    ONE(over_8, "sl"),
    ONE(over_zeros, "sl"),
    ONE(over_string, "sl"),
    ONE(over_far, "s"),
    ONE(over_leaked, "sl"),
    ONE(over_realloc, "sl"),
    ONE(under_1, "sl"),
    ONE(under_nul, "sl"),
    ONE(under_8, "sl"),
    ONE(under_16, "sl"),
    ONE(under_leaked, "sl"),
    ONE(no_bytes_read, "s"),
    ONE(no_bytes_write, "s"),
    ONE(no_bytes_twice, "s"),
    ONE(sized_more, "sl"),
    ONE(sized_less, "sl"),
    ONE(sized_by_1, "sl"),
    ONE(aligned_wrong, "s"),
};

int main(int argc, char **argv) {
    enum { SMALL_BYTES = 40, LARGE_BYTES = 200000 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const char *size = all[i].sizes; *size; size++) {
            char name[100];
            snprintf(name, sizeof name, "%s%s", all[i].name,
                     *size == 'l' ? "_large" : "");
            if (argc < 2) {
                puts(name);
            } else if (strcmp(argv[1], name) == 0) {
                n = *size == 'l' ? LARGE_BYTES : SMALL_BYTES;
                all[i].run();
                return 0;
            }
        }
    return argc < 2 ? 0 : 2;
}
