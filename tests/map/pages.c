// pages.c: the map where pages have 64 KiB. What the map learns of pages, by sysconf,
// madvise and glibc's large blocks, is that of such a system: the linker puts the
// functions below in their place.
#include "mound_map.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 64 << 10, HEADER = 16, LARGE = 1 << 20 };

static size_t round_up(size_t n) {
    return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

void *__real_malloc(size_t n);
void __real_free(void *p);
size_t __real_malloc_usable_size(void *p);
long __real_sysconf(int name);
int __real_madvise(void *p, size_t n, int advice);

void *__wrap_malloc(size_t n);
void __wrap_free(void *p);
size_t __wrap_malloc_usable_size(void *p);
long __wrap_sysconf(int name);
int __wrap_madvise(void *p, size_t n, int advice);

static int nreleased;

// is_mapped says whether a block is one of those that begin behind a word of ours, at the
// start of a page.
static bool is_mapped(void *p) {
    return (uintptr_t)p % PAGE == HEADER;
}

static size_t *size_of(void *p) {
    return (size_t *)((char *)p - HEADER);
}

void *__wrap_malloc(size_t n) {
    if (n < LARGE) {
        void *p = __real_malloc(n);
        cr_assert(!is_mapped(p) || (p = __real_malloc(n), !is_mapped(p)));
        return p;
    }
    size_t nbytes = round_up(n + HEADER);
    char *start = mmap(NULL, nbytes + PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(start != MAP_FAILED);
    char *p = (char *)round_up((uintptr_t)start) + HEADER;
    *size_of(p) = nbytes;
    return p;
}

void __wrap_free(void *p) {
    if (!is_mapped(p))
        __real_free(p);
    else
        munmap(size_of(p), *size_of(p));
}

size_t __wrap_malloc_usable_size(void *p) {
    return is_mapped(p) ? *size_of(p) - HEADER : __real_malloc_usable_size(p);
}

long __wrap_sysconf(int name) {
    return name == _SC_PAGESIZE ? PAGE : __real_sysconf(name);
}

int __wrap_madvise(void *p, size_t n, int advice) {
    // The kernel refuses another beginning, and takes the rest of the last page, too.
    cr_assert(advice != MADV_DONTNEED ||
              ((uintptr_t)p % PAGE == 0 && n % PAGE == 0));
    if ((uintptr_t)p % PAGE != 0) {
        errno = EINVAL;
        return -1;
    }
    nreleased += advice == MADV_DONTNEED;
    return __real_madvise(p, round_up(n), advice);
}

// A bucket of such values has 520 bytes: 512 of them, a step of evacuation, begin and end
// anywhere in a page.
struct odd {
    unsigned char bytes[57];
};
MOUND_MAP_U64(numbers, struct odd)

Test(pages, of_an_old_array_whole_pages_are_given_back) {
    enum { MANY = 300 * 1000 };
    numbers *m = numbers_make(0);
    for (uint64_t k = 0; k < MANY; k++)
        cr_assert(numbers_set(m, k, (struct odd){.bytes = {[56] = k % 256}}));

    for (uint64_t k = 0; k < MANY; k++) {
        const struct odd *value = numbers_get(m, k);
        cr_assert(value != NULL && value->bytes[56] == k % 256);
    }

    const char *wrong = mound_map_verify(numbers_type(), numbers_untyped(m));
    cr_assert(wrong == NULL, "%s", wrong);
    cr_assert(numbers_len(m) == MANY);
    cr_assert(nreleased > 0);
    numbers_free(m);
}
