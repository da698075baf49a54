// stacktext.c: the text of stacks, against what addr2line and the loader say.
#include "prof/stacktext.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/unwind.h"

enum { PAGE = 4096, TEXT = 1 << 16, PATH = 512 };

static char text[TEXT];                  // what the last print_stack printed
static char *line_at[STACKTEXT_MAX + 2]; // of frames
static int nlines;
static char *after_at[STACKTEXT_MAX + 2]; // what comes behind
static int nafter;

static void print_stack(const uintptr_t *pcs, unsigned npcs) {
    FILE *f = tmpfile();
    struct print out = print_to(fileno(f));
    stacktext_print(&out, pcs, npcs);
    print_flush(&out);
    rewind(f);
    text[fread(text, 1, TEXT - 1, f)] = '\0';
    fclose(f);
    nlines = nafter = 0;
    for (char *p = text; *p != '\0';) {
        if (strncmp(p, "    #", 5) == 0)
            line_at[nlines++] = p;
        else
            after_at[nafter++] = p;
        p = strchr(p, '\n');
        *p++ = '\0';
    }
}

// function_in returns what stands in brackets at the end of a line, or "".
static const char *function_in(const char *line) {
    static char function[PATH];
    const char *last = NULL;
    for (const char *p = line; (p = strstr(p, " (")) != NULL; p += 2)
        last = p;
    if (last == NULL || line[strlen(line) - 1] != ')')
        return "";
    snprintf(function, sizeof function, "%.*s", (int)(strcspn(last + 2, "+)")),
             last + 2);
    return function;
}

// module_in cuts a line into the path and the number behind it.
static char *module_in(const char *line, uintptr_t pc, uintptr_t *ret_offset) {
    static char path[PATH];
    unsigned n;
    unsigned long said_pc, offset;
    int got = sscanf(line, "    #%u %lx %511[^\n]", &n, &said_pc, path);
    cr_assert(eq(int, got, 3), "%s", line);
    cr_assert(eq(ulong, said_pc, pc));
    if (function_in(path)[0] != '\0')
        *(strrchr(path, '(') - 1) = '\0';
    char *plus = strrchr(path, '+');
    cr_assert(ne(ptr, plus, NULL));
    *plus = '\0';
    cr_assert(eq(int, sscanf(plus + 1, "0x%lx", &offset), 1));
    *ret_offset = offset;
    return path;
}

static __attribute__((noipa)) int first_function(int n) {
    return n + 1;
}

static __attribute__((noipa)) int second_function(int n) {
    return n + 2;
}

static void must_be_named(const char *path, uintptr_t offset,
                          const char *name) {
    char command[PATH + 64], said[256] = "";
    snprintf(command, sizeof command, "addr2line -f -e '%s' 0x%lx", path,
             (unsigned long)offset);
    FILE *f = popen(command, "r");
    if (fgets(said, sizeof said, f) == NULL)
        cr_skip_test("no addr2line here");
    pclose(f);
    said[strcspn(said, "\n")] = '\0';
    cr_assert(eq(str, said, (char *)name));
}

Test(stacktext, own_functions_are_what_addr2line_finds_there) {
    uintptr_t pcs[] = {(uintptr_t)second_function, (uintptr_t)first_function,
                       (uintptr_t)print_stack};
    const char *const names[] = {"second_function", "first_function",
                                 "print_stack"};
    char self[PATH] = "";
    cr_assert(gt(long, readlink("/proc/self/exe", self, PATH - 1), 0));

    print_stack(pcs, 3);

    cr_assert(eq(int, nlines, 3));
    for (int i = 0; i < 3; i++) {
        uintptr_t offset;
        char *path = module_in(line_at[i], pcs[i], &offset);
        cr_assert(eq(str, path, self));
        must_be_named(path, offset, names[i]);
    }
}

Test(stacktext, functions_have_their_names_where_the_file_has_symbols) {
    uintptr_t pcs[] = {(uintptr_t)second_function + 1,
                       (uintptr_t)first_function + 1, (uintptr_t)qsort + 1};

    print_stack(pcs, 3);

    cr_assert(eq(str, (char *)function_in(line_at[0]), "second_function"));
    cr_assert(eq(str, (char *)function_in(line_at[1]), "first_function"));
    cr_assert(ne(ptr, strstr(line_at[1], "(first_function+0x1)"), NULL));
    cr_assert(zero(int, strncmp(function_in(line_at[2]), "qsort", 5)));
}

// What is printed is pasted into a shell, and must name what the frames are in.
Test(stacktext, commands_are_ready_to_be_pasted) {
    uintptr_t pcs[] = {(uintptr_t)second_function + 1,
                       (uintptr_t)first_function + 1};
    char said[PATH] = "", quoted[PATH], copy[] = "/tmp/it's $HOME;-XXXXXX";

    print_stack(pcs, 2);

    cr_assert(ge(int, nafter, 1));
    FILE *f = popen(after_at[0], "r");
    if (fgets(said, sizeof said, f) == NULL)
        cr_skip_test("no addr2line here");
    cr_assert(zero(int, strncmp(said, "second_function at ", 19)), "%s", said);
    cr_assert(ne(ptr, fgets(said, sizeof said, f), NULL));
    cr_assert(zero(int, strncmp(said, "first_function at ", 18)), "%s", said);
    cr_assert(eq(ptr, fgets(said, sizeof said, f), NULL));
    pclose(f);

    int fd = mkstemp(copy);
    cr_assert(zero(int, ftruncate(fd, PAGE)));
    uintptr_t pc = (uintptr_t)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    pc += 0x10;
    print_stack(&pc, 1);
    snprintf(quoted, sizeof quoted, "printf %%s %s", strstr(after_at[0], "'"));
    f = popen(quoted, "r");
    cr_assert(ne(ptr, fgets(said, sizeof said, f), NULL));
    pclose(f);
    unlink(copy);
    cr_assert(zero(int, strncmp(said, copy, strlen(copy))), "%s", said);
}

Test(stacktext, of_a_short_stack_it_says_how_to_get_more) {
    uintptr_t pcs[] = {(uintptr_t)first_function, (uintptr_t)second_function,
                       (uintptr_t)qsort};

    print_stack(pcs, 3);
    cr_assert(eq(ptr, strstr(after_at[nafter - 1], "short"), NULL));

    print_stack(pcs, 2);
    if (unwind_has_choice())
        cr_assert(
            eq(str, after_at[nafter - 1],
               "    a short stack: MOUND_UNWIND=libunwind may find more"));
    else
        cr_assert(eq(ptr, strstr(after_at[nafter - 1], "short"), NULL));
}

Test(stacktext, functions_of_libraries_are_told_from_the_base_of_the_library) {
    void *const functions[] = {dlsym(RTLD_DEFAULT, "qsort"),
                               dlsym(RTLD_DEFAULT, "printf"),
                               dlsym(RTLD_DEFAULT, "cr_log_with_prefix"),
                               dlsym(RTLD_DEFAULT, "qsort")};
    for (int i = 0; i < 4; i++) {
        Dl_info info;
        uintptr_t pc = (uintptr_t)functions[i], offset;
        char real[2][4096];
        if (pc == 0 || dladdr(functions[i], &info) == 0)
            continue;

        print_stack(&pc, 1);

        char *path = module_in(line_at[0], pc, &offset);
        cr_assert(eq(uptr, offset, pc - (uintptr_t)info.dli_fbase));
        cr_assert(ne(ptr, realpath(path, real[0]), NULL));
        cr_assert(ne(ptr, realpath(info.dli_fname, real[1]), NULL));
        cr_assert(eq(str, real[0], real[1]));
    }
}

Test(stacktext, all_frames_of_a_full_stack_are_found_and_no_more) {
    uintptr_t pcs[STACKTEXT_MAX + 1];
    for (unsigned i = 0; i <= STACKTEXT_MAX; i++)
        pcs[i] = i % 2 ? (uintptr_t)first_function : (uintptr_t)qsort;

    print_stack(pcs, STACKTEXT_MAX + 1);

    cr_assert(eq(int, nlines, STACKTEXT_MAX));
    for (unsigned i = 0; i < STACKTEXT_MAX; i++) {
        uintptr_t offset;
        char start[32];
        snprintf(start, sizeof start, "    #%u ", i);
        cr_assert(zero(int, strncmp(line_at[i], start, strlen(start))));
        cr_assert(ne(ptr,
                     strstr(module_in(line_at[i], pcs[i], &offset),
                            i % 2 ? "stacktext" : "/lib"),
                     NULL));
    }
}

Test(stacktext, an_address_of_nobody_stands_alone) {
    char *hole =
        mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t pcs[] = {0, (uintptr_t)hole, 12345, UINTPTR_MAX};
    char expected[64];

    print_stack(pcs, 4);
    cr_assert(eq(int, nlines, 4));
    cr_assert(eq(str, line_at[0], "    #0 0x0"));
    snprintf(expected, sizeof expected, "    #1 %p", (void *)hole);
    cr_assert(eq(str, line_at[1], expected)); // a mapping without a name
    cr_assert(eq(str, line_at[2], "    #2 0x3039"));
    cr_assert(eq(str, line_at[3], "    #3 0xffffffffffffffff"));

    munmap(hole, PAGE);
    print_stack(&pcs[1], 1);
    expected[5] = '0';
    cr_assert(eq(str, line_at[0], expected));
}

// file_of makes a file of nbytes from data and zeros.
static int file_of(char *path, const void *data, size_t n, size_t nbytes) {
    int fd = mkstemp(path);
    cr_assert(ge(int, fd, 0));
    cr_assert(eq(long, write(fd, data, n), (long)n));
    cr_assert(zero(int, ftruncate(fd, (off_t)nbytes)));
    return fd;
}

static void *map_at(void *at, int fd, size_t nbytes, size_t offset) {
    int flags = MAP_PRIVATE | (at != NULL ? MAP_FIXED : 0);
    void *p = mmap(at, nbytes, PROT_READ, flags, fd, (off_t)offset);
    cr_assert(ne(ptr, p, MAP_FAILED));
    return p;
}

static void must_be(uintptr_t pc, const char *path, uintptr_t offset) {
    char expected[PATH];
    print_stack(&pc, 1);
    snprintf(expected, sizeof expected, "    #0 0x%lx %s+0x%lx",
             (unsigned long)pc, path, (unsigned long)offset);
    cr_assert(eq(str, line_at[0], expected));
}

Test(stacktext, a_file_that_is_no_program_gives_places_in_the_file) {
    char path[] = "/tmp/mound stacktext-XXXXXX";
    int fd = file_of(path, "text", 4, 3 * PAGE);
    uintptr_t p = (uintptr_t)map_at(NULL, fd, 2 * PAGE, PAGE);

    must_be(p + 0x123, path, PAGE + 0x123);

    unlink(path);
    char gone[PATH];
    snprintf(gone, sizeof gone, "%s (deleted)", path);
    must_be(p + 0x1123, gone, 2 * PAGE + 0x123);
}

// An image of two segments that both show the first page of the file, as small
// libraries have it.
struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
};

static struct image image_at(uintptr_t vaddr) {
    struct image im;
    memset(&im, 0, sizeof im);
    im.header.e_phoff = sizeof(Elf64_Ehdr);
    im.header.e_phentsize = sizeof(Elf64_Phdr);
    im.header.e_phnum = 3;
    memcpy(im.header.e_ident, ELFMAG, SELFMAG);
    im.header.e_ident[EI_CLASS] = ELFCLASS64;
    im.segments[0].p_type = PT_NOTE;
    for (int i = 1; i < 3; i++) {
        im.segments[i].p_type = PT_LOAD;
        im.segments[i].p_vaddr = vaddr + (uintptr_t)(i - 1) * PAGE;
        im.segments[i].p_memsz = PAGE - 100;
    }
    return im;
}

// Two images side by side, of one file.
static void check_images(uintptr_t vaddr) {
    struct image im = image_at(vaddr);
    char path[] = "/tmp/mound-stacktext-XXXXXX";
    int fd = file_of(path, &im, sizeof im, PAGE);
    char *p =
        mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++)
        map_at(p + i * PAGE, fd, PAGE, 0);

    for (uintptr_t i = 0; i < 4; i++)
        must_be((uintptr_t)p + i * PAGE + 0x10, path,
                vaddr + (i % 2) * PAGE + 0x10);

    unlink(path);
}

Test(stacktext, images_side_by_side_are_told_apart_by_their_headers) {
    check_images(0);
}

Test(stacktext, an_image_linked_to_an_address_gives_addresses_from_there) {
    check_images(0x400000);
}

Test(stacktext, a_broken_header_is_a_file_like_any_other) {
    struct image im = image_at(0);
    im.header.e_phnum = 60000;
    im.header.e_phoff = (uint64_t)1 << 63;
    char path[] = "/tmp/mound-stacktext-XXXXXX";
    int fd = file_of(path, &im, sizeof im, PAGE);
    uintptr_t p = (uintptr_t)map_at(NULL, fd, PAGE, 0);

    must_be(p + 0x10, path, 0x10);

    unlink(path);
}

Test(stacktext, paths_that_do_not_fit_lose_their_folders_first) {
    char name[200], folder[PATH], path[16][PATH];
    uintptr_t pcs[16];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (unsigned i = 0; i < 16; i++) {
        snprintf(folder, sizeof folder, "/tmp/mound-%.60s-%u-XXXXXX", name, i);
        cr_assert(ne(ptr, mkdtemp(folder), NULL));
        snprintf(path[i], PATH, "%.120s/short-XXXXXX", folder);
        int fd = file_of(path[i], "", 0, PAGE);
        pcs[i] = (uintptr_t)map_at(NULL, fd, PAGE, 0);
        close(fd);
        unlink(path[i]);
        rmdir(folder);
    }

    print_stack(pcs, 16);

    cr_assert(eq(int, nlines, 16));
    int nwhole = 0, ncut = 0;
    for (unsigned i = 0; i < 16; i++) {
        const char *last = strrchr(path[i], '/') + 1;
        if (strstr(line_at[i], path[i]) != NULL)
            nwhole++;
        else if (strstr(line_at[i], last) != NULL)
            ncut++;
    }
    cr_assert(gt(int, nwhole, 4));
    cr_assert(gt(int, ncut, 0));
}

// Without /proc, as in a jail: here no descriptor is left to open it with.
Test(stacktext, without_maps_addresses_stand_alone) {
    uintptr_t pc = (uintptr_t)first_function;
    struct print out = print_to(PRINT_NOWHERE);
    char expected[128];
    const char *hint =
        unwind_has_choice()
            ? "    a short stack: MOUND_UNWIND=libunwind may find more\n"
            : "";
    snprintf(expected, sizeof expected, "    #0 0x%lx\n%s", (unsigned long)pc,
             hint);
    while (dup(2) >= 0)
        continue;
    errno = 77;

    stacktext_print(&out, &pc, 1);

    cr_assert(eq(int, errno, 77));
    cr_assert(eq(sz, out.n, strlen(expected)));
    cr_assert(zero(int, memcmp(out.buf, expected, out.n)));
}
