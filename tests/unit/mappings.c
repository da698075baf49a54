// mappings.c: the list against the kernel's, and build ids of files that are
// anything.
#include "prof/mappings.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static struct mappings list;
static char build_id[BUILDID_TEXT];
static char folder[64];

static const char *in_folder(const char *name) {
    static char path[128];
    if (folder[0] == '\0') {
        strcpy(folder, "/tmp/mound-mappings-XXXXXX");
        cr_assert(ne(ptr, mkdtemp(folder), NULL));
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (folder[0] != '\0')
        cr_assert(zero(int, system(command)));
}

TestSuite(mappings, .fini = remove_folder);

// map_file maps the third page of a new file of that name to run code from.
static void *map_file(const char *name) {
    long page = sysconf(_SC_PAGESIZE);
    int fd = open(in_folder(name), O_RDWR | O_CREAT, 0700);
    cr_assert(zero(int, ftruncate(fd, 3 * page)));
    void *p = mmap(NULL, (size_t)page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
                   2 * page);
    cr_assert(ne(ptr, p, MAP_FAILED));
    close(fd);
    return p;
}

static bool find(const void *p, struct mapping *ret_mapping) {
    bool found = false;
    mappings_open(&list);
    while (!found && mappings_next(&list, ret_mapping))
        found = ret_mapping->start == (uintptr_t)p;
    mappings_close(&list);
    return found;
}

Test(mappings, they_are_the_executable_ones_of_the_kernels_list) {
    static char line[10000];
    struct mapping m;
    FILE *f = fopen("/proc/self/maps", "r");
    mappings_open(&list);

    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long start, limit, offset, inode;
        char perms[5];
        int at = 0;
        cr_assert(eq(int,
                     sscanf(line, "%lx-%lx %4s %lx %*s %lu %n", &start, &limit,
                            perms, &offset, &inode, &at),
                     5));
        line[strcspn(line, "\n")] = '\0';
        if (perms[2] != 'x' || (inode == 0 && line[at] == '\0'))
            continue;
        cr_assert(mappings_next(&list, &m));
        cr_assert(eq(u64, m.start, start));
        cr_assert(eq(u64, m.limit, limit));
        cr_assert(eq(u64, m.offset, offset));
        cr_assert(eq(str, (char *)m.name, line + at));
        cr_assert(not(m.deleted));
    }

    cr_assert(not(mappings_next(&list, &m)));
    mappings_close(&list);
    fclose(f);
}

Test(mappings, a_name_may_have_blanks_and_loses_only_the_kernels_mark) {
    struct mapping m;
    void *p = map_file("a name (deleted) of  mine ");
    cr_assert(find(p, &m));
    cr_assert(eq(str, (char *)m.name,
                 (char *)in_folder("a name (deleted) of  mine ")));
    cr_assert(eq(u64, m.offset, 2 * (uint64_t)sysconf(_SC_PAGESIZE)));
    cr_assert(not(m.deleted));

    unlink(in_folder("a name (deleted) of  mine "));

    cr_assert(find(p, &m));
    cr_assert(eq(str, (char *)m.name,
                 (char *)in_folder("a name (deleted) of  mine ")));
    cr_assert(m.deleted);
}

Test(mappings, code_without_file_or_name_is_left_out) {
    struct mapping m;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert(not(find(p, &m)));
}

Test(mappings, thousands_with_long_names_are_all_there) {
    enum { MANY = 3000 };
    static void *pages[MANY];
    static char name[200];
    struct mapping m;
    memset(name, 'x', sizeof name - 1);
    int fd = open(in_folder(name + 1), O_RDWR | O_CREAT, 0700);
    cr_assert(zero(int, ftruncate(fd, 4096)));
    // No two can be made one: their offsets are the same.
    for (int i = 0; i < MANY; i++)
        pages[i] = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    cr_assert(ne(ptr, pages[MANY - 1], MAP_FAILED));

    int n = 0;
    uint64_t last = 0;
    mappings_open(&list);
    while (mappings_next(&list, &m)) {
        cr_assert(m.start >= last);
        last = m.limit;
        n += strcmp(m.name, in_folder(name + 1)) == 0;
    }
    mappings_close(&list);

    cr_assert(eq(int, n, MANY));
}

Test(mappings, a_line_longer_than_the_buffer_harms_no_other) {
    // 40 folders of 250 characters: a path of more than the buffer.
    static char name[251];
    struct mapping m;
    in_folder("");
    cr_assert(zero(int, chdir(folder)));
    memset(name, 'd', 250);
    for (int i = 0; i < 40; i++)
        cr_assert(mkdir(name, 0700) == 0 && chdir(name) == 0);
    int fd = open("code", O_RDWR | O_CREAT, 0700);
    cr_assert(zero(int, ftruncate(fd, 4096)));
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    cr_assert(zero(int, chdir("/")));
    void *other = map_file("other");

    cr_assert(find(p, &m), "the mapping with the long name is lost");
    cr_assert(find(other, &m));
    cr_assert(eq(str, (char *)m.name, (char *)in_folder("other")));
    int n = 0;
    mappings_open(&list);
    while (mappings_next(&list, &m))
        n += strcmp(m.name, "[vdso]") == 0;
    mappings_close(&list);
    cr_assert(eq(int, n, 1));
}

Test(mappings, the_text_is_what_the_kernel_writes) {
    static char ours[1 << 18], theirs[1 << 18];
    const char *text;
    size_t n, nours = 0;
    mappings_open(&list);
    while ((n = mappings_next_text(&list, &text)) > 0) {
        cr_assert(le(sz, nours + n, sizeof ours));
        memcpy(ours + nours, text, n);
        nours += n;
    }
    mappings_close(&list);

    int fd = open("/proc/self/maps", O_RDONLY);
    long got;
    size_t ntheirs = 0;
    while ((got = read(fd, theirs + ntheirs, sizeof theirs - ntheirs)) > 0)
        ntheirs += (size_t)got;
    cr_assert(eq(sz, nours, ntheirs));
    cr_assert(zero(int, memcmp(ours, theirs, nours)));
}

// The program's build id as it stands in memory.
static int note_of_program(struct dl_phdr_info *info, size_t size, void *ret) {
    (void)size;
    char *text = ret;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        const char *at = (const char *)info->dlpi_addr + ph->p_vaddr;
        const char *end = at + ph->p_memsz;
        while (ph->p_type == PT_NOTE && at < end) {
            const ElfW(Nhdr) *note = (const void *)at;
            const unsigned char *desc = (const unsigned char *)at +
                                        sizeof *note +
                                        (note->n_namesz + 3) / 4 * 4;
            if (note->n_type == NT_GNU_BUILD_ID)
                for (unsigned j = 0; j < note->n_descsz; j++)
                    sprintf(text + 2 * j, "%02x", desc[j]);
            at = (const char *)desc + (note->n_descsz + 3) / 4 * 4;
        }
    }
    return 1; // the first is the program
}

static char *program_path(void) {
    static char path[4096];
    cr_assert(gt(long, readlink("/proc/self/exe", path, sizeof path - 1), 0));
    return path;
}

static size_t id_of(const char *path) {
    struct mapping m = {.name = path};
    memset(build_id, 0, sizeof build_id);
    return mappings_build_id(&m, build_id);
}

Test(mappings, the_build_id_is_the_one_in_memory) {
    char want[200] = "";
    dl_iterate_phdr(note_of_program, want);
    cr_assert(gt(sz, strlen(want), 0), "the test was linked without one");

    size_t n = id_of(program_path());

    cr_assert(eq(str, build_id, (char *)want));
    cr_assert(eq(sz, n, strlen(want)));
}

Test(mappings, what_is_no_file_with_a_build_id_has_none, .timeout = 20) {
    struct mapping deleted = {.name = program_path(), .deleted = true};
    errno = 77;

    cr_assert(zero(sz, mappings_build_id(&deleted, build_id)));
    cr_assert(zero(sz, id_of("")));
    cr_assert(zero(sz, id_of("[vdso]")));
    cr_assert(zero(sz, id_of("/nowhere")));
    cr_assert(zero(sz, id_of("/tmp")));
    cr_assert(zero(sz, id_of("/dev/zero")));
    cr_assert(zero(sz, id_of("/etc/passwd")));
    cr_assert(zero(sz, id_of("/proc/self/maps")));

    cr_assert(eq(int, errno, 77));
    cr_assert(zero(int, mkfifo(in_folder("pipe"), 0700)));
    cr_assert(zero(sz, id_of(in_folder("pipe")))); // and does not wait
    close(open(in_folder("empty"), O_CREAT | O_RDWR, 0700));
    cr_assert(zero(sz, id_of(in_folder("empty"))));
}

Test(mappings, broken_files_give_an_answer, .timeout = 60) {
    enum { HEAD = 4096, ROUNDS = 30000 };
    static unsigned char good[HEAD], bad[HEAD];
    static const uint64_t wild[] = {
        0,          1,          UINT64_MAX, (uint64_t)1 << 63,
        UINT32_MAX, 0x7fffffff, 0xfffffff0, HEAD - 4};
    struct random r = random_from(5);
    int fd = open(program_path(), O_RDONLY);
    cr_assert(eq(long, read(fd, good, HEAD), HEAD));
    close(fd);
    int file = open(in_folder("broken"), O_RDWR | O_CREAT, 0700);
    cr_assert(eq(long, pwrite(file, good, HEAD, 0), HEAD));
    cr_assert(gt(sz, id_of(in_folder("broken")), 0), "its head is not enough");

    size_t nfound = 0;
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(bad, good, HEAD);
        for (uint64_t j = 1 + random_below(&r, 4); j > 0; j--) {
            size_t at = random_below(&r, 1000) & ~(size_t)1;
            size_t n = (size_t)2 << random_below(&r, 3);
            uint64_t value = random_below(&r, 2) == 0
                                 ? random_next(&r)
                                 : wild[random_below(&r, 8)];
            memcpy(bad + at, &value, n);
        }
        cr_assert(eq(long, pwrite(file, bad, HEAD, 0), HEAD));
        size_t n = id_of(in_folder("broken"));
        cr_assert(n < sizeof build_id && strlen(build_id) == n);
        nfound += n > 0;
    }

    cr_assert(gt(sz, nfound, 0));
    cr_assert(lt(sz, nfound, ROUNDS));
    close(file);
}
