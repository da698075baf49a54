// test_family.c: the malloc family under its mound_ names. How each call treats
// every kind of argument is compared with glibc by tests/probes/contracts; here
// is what only these names can show.
#include <errno.h>

#include "api.h"

Test(version, is_that_of_the_header) {
    cr_assert(mound_version() == MOUND_VERSION_MAJOR * 10000 +
                                     MOUND_VERSION_MINOR * 100 +
                                     MOUND_VERSION_PATCH,
              "mound_version() is %d", mound_version());
}

Test(family, has_a_heap_of_its_own_beside_the_c_librarys) {
    void *theirs = malloc(100);
    struct mound_memstats a = read_stats();
    free(theirs);
    theirs = malloc(100000);
    struct mound_memstats b = read_stats();
    free(theirs);

    cr_assert(a.mallocs == 0 && b.mallocs == 0,
              "malloc of the C library was counted");
}

Test(family, hands_out_memory_that_can_be_used_and_given_back) {
    for (size_t size = 0; size < 200 * KIB; size += 1 + size / 7) {
        unsigned char *p[] = {mound_malloc(size),
                              mound_calloc(1, size),
                              mound_realloc(NULL, size),
                              mound_reallocarray(NULL, size, 1),
                              mound_aligned_alloc(64, size),
                              mound_memalign(4096, size),
                              mound_valloc(size),
                              mound_pvalloc(size),
                              NULL};
        enum { N = sizeof p / sizeof *p };
        cr_assert(mound_posix_memalign((void **)&p[N - 1], 256, size) == 0);
        for (int i = 0; i < N; i++) {
            cr_assert(p[i], "call %d of %zu bytes returned NULL", i, size);
            cr_assert(mound_malloc_usable_size(p[i]) >= size, "call %d", i);
            memset(p[i], i + 1, size);
        }
        for (int i = 0; i < N; i++) {
            cr_assert(size == 0 ||
                          (p[i][0] == i + 1 && p[i][size - 1] == i + 1 &&
                           memcmp(p[i], p[i] + 1, size - 1) == 0),
                      "call %d of %zu bytes was overwritten", i, size);
            mound_free(p[i]);
        }
    }
    cr_assert(mound_verify() == 0, "the heap contradicts itself");
}

Test(family, keeps_errno_when_it_succeeds) {
    errno = 4242;
    for (size_t size = 1; size < 100 * (size_t)MIB; size *= 3) {
        void *p = mound_malloc(size);
        p = mound_realloc(p, 2 * size);
        mound_malloc_usable_size(p);
        mound_free(p);
        mound_free_sized(mound_malloc(size), size);
        mound_free_aligned_sized(mound_aligned_alloc(64, size), 64, size);
        mound_malloc_trim(0);
    }
    mound_verify();

    cr_assert(errno == 4242, "errno became %d", errno);
}

Test(family, says_enomem_when_it_refuses) {
    volatile size_t huge = PTRDIFF_MAX;
    struct {
        void *p;
        int error;
    } refused[7];
    int n = 0;
#define refuse(call)                                                           \
    do {                                                                       \
        errno = 0;                                                             \
        refused[n].p = (call);                                                 \
        refused[n++].error = errno;                                            \
    } while (0)

    refuse(mound_malloc(huge + 1));
    refuse(mound_calloc(huge, huge));
    refuse(mound_realloc(NULL, huge));
    refuse(mound_reallocarray(NULL, huge, 4));
    refuse(mound_aligned_alloc(64, huge));
    refuse(mound_valloc(huge));
    refuse(mound_pvalloc(huge));

    for (int i = 0; i < n; i++) {
        cr_assert(!refused[i].p && refused[i].error == ENOMEM,
                  "call %d returned %p, errno %d", i, refused[i].p,
                  refused[i].error);
    }
}
