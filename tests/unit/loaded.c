// loaded.c: loaded_linux.c with libraries that come and go.
#include "os/loaded.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <link.h>
#include <string.h>

static const char *const names[] = {"libnss_hesiod.so.2", "libnss_compat.so.2",
                                    "libanl.so.1"};
static const char *name;

// open_library loads one that nobody else has.
static void *open_library(void) {
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        name = names[i];
        void *handle = dlopen(name, RTLD_NOW | RTLD_NOLOAD) == NULL
                           ? dlopen(name, RTLD_NOW | RTLD_LOCAL)
                           : NULL;
        if (handle != NULL)
            return handle;
    }
    cr_skip_test("no library to be loaded");
    return NULL;
}

Test(loaded, the_program_is_found_by_its_code) {
    struct loaded object;

    cr_assert(loaded_can_find());
    cr_assert(loaded_find((uintptr_t)open_library, &object));

    cr_assert(le(uptr, object.start, (uintptr_t)open_library));
    cr_assert(gt(uptr, object.end, (uintptr_t)open_library));
    cr_assert(eq(str, (char *)object.name, ""));
    cr_assert(object.eh_frame_hdr > object.start &&
              object.eh_frame_hdr < object.end);
}

Test(loaded, a_library_is_found_as_long_as_it_is_loaded) {
    void *handle = open_library();
    const struct link_map *map = handle;
    uintptr_t inside = (uintptr_t)map->l_ld;
    struct loaded object;

    cr_assert(loaded_find(inside, &object));
    cr_assert(eq(ulong, object.start, map->l_addr));
    cr_assert(ne(ptr, (void *)strstr(object.name, name), NULL));

    dlclose(handle);
    cr_assert(not(loaded_find(inside, &object)));
}

Test(loaded, what_is_no_code_of_the_loader_is_in_none) {
    static const uintptr_t addresses[] = {0, 1, 4096, UINTPTR_MAX,
                                          (uintptr_t)1 << 63};
    struct loaded object;
    int local;
    for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++)
        cr_assert(not(loaded_find(addresses[i], &object)));
    cr_assert(not(loaded_find((uintptr_t)&local, &object)));
}
