// helper.c: helper_linux.c in a program with much thread-local memory, where this
// module's variables, as those of the allocator, are far from the thread pointer.
#include "os/helper.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mutex.h"

enum { MIB = 1 << 20, AROUND = 64 * MIB };

extern __thread char
    large[4 * MIB]; // of the program, linked last: see meson.build
static struct helper helper;
static struct mutex lock = {.rank = LOCKRANK_MHEAP};
static _Atomic bool done;

// With the checks of debug builds a lock counts in thread-local memory.
static void take_lock(void *arg) {
    (void)arg;
    mutex_lock(&lock);
    mutex_assert_held(&lock);
    mutex_unlock(&lock);
    done = true;
}

static bool all_zero(const char *p, size_t n) {
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

Test(helper, what_it_writes_is_in_its_own_memory) {
    // What the kernel maps next comes below this, or it fills a hole: then there is
    // nothing to be seen here.
    char *around = mmap(NULL, AROUND, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert(ne(ptr, around, MAP_FAILED));
    munmap(around + AROUND / 2, AROUND / 4);
    large[0] = 1;

    cr_assert(helper_start(&helper, take_lock, NULL));
    while (!done || atomic_load(&helper.tid) != 0) {
    }

    cr_assert(all_zero(around, AROUND / 2));
}
