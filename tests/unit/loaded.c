// loaded.c: loaded_linux.c with libraries that come and go. Which place they get
// is the loader's and the kernel's choice; so a test looks, and is skipped when
// they went elsewhere.
#include "os/loaded.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

static const char *const names[] = {"libresolv.so.2", "libnsl.so.1",
                                    "libnss_compat.so.2", "libnss_hesiod.so.2",
                                    "libanl.so.1"};
enum { NNAMES = sizeof names / sizeof *names };

struct span {
    uintptr_t start;
    uintptr_t end;
};

static int find(struct dl_phdr_info *info, size_t size, void *arg) {
    struct span *span = arg;
    (void)size;
    if (info->dlpi_addr != span->start)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
            span->end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
                        info->dlpi_phdr[i].p_memsz;
    return 1;
}

// visit loads a library, looks, and unloads it. It returns where it was.
static struct span visit(const char *name, uint32_t *ret_replacements) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        cr_skip_test("%s cannot be loaded", name);
    struct span span = {((struct link_map *)handle)->l_addr, 0};
    dl_iterate_phdr(find, &span);
    *ret_replacements = loaded_replacements();
    dlclose(handle);
    return span;
}

Test(loaded, as_long_as_nothing_is_loaded_nothing_is_replaced) {
    uint32_t before = loaded_replacements();
    cr_assert(eq(u32, loaded_replacements(), before));
}

Test(loaded, a_library_in_a_new_place_replaces_none) {
    uint32_t before = loaded_replacements();
    uint32_t after;

    visit(names[0], &after);

    cr_assert(eq(u32, after, before));
    cr_assert(eq(u32, loaded_replacements(), before));
}

Test(loaded, nor_does_one_that_comes_back_to_its_place) {
    uint32_t first, second;
    struct span before = visit(names[0], &first);

    if (visit(names[0], &second).start != before.start)
        cr_skip_test("it came to another place");

    cr_assert(eq(u32, second, first));
}

static bool overlap(const struct span *a, const struct span *b) {
    return a->start < b->end && b->start < a->end;
}

Test(loaded, one_in_the_place_of_another_does) {
    struct span spans[NNAMES];
    uint32_t before = loaded_replacements();
    uint32_t after = before;
    bool any = false;

    for (int i = 0; i < NNAMES; i++) {
        spans[i] = visit(names[i], &after);
        for (int k = 0; k < i; k++)
            any = any || overlap(&spans[i], &spans[k]);
    }

    if (!any)
        cr_skip_test("they came to other places");
    cr_assert(after > before);
    cr_assert(eq(u32, loaded_replacements(), after));
}

static void *look(void *ret) {
    *(uint32_t *)ret = loaded_replacements();
    return NULL;
}

Test(loaded, all_threads_are_told_the_same) {
    uint32_t here, there = 0;
    visit(names[0], &here);
    visit(names[1], &here);
    pthread_t thread;

    pthread_create(&thread, NULL, look, &there);
    pthread_join(thread, NULL);

    cr_assert(eq(u32, there, here));
}
