// maps.c: the kernel's list of mappings, through buffers of every size.
#include "prof/maps.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, LINE = 5000 };

// map_file maps a page of a new file, whose name is the folder's and this one.
static void *map_file(const char *name, char *ret_path) {
    char folder[] = "/tmp/mound-maps-XXXXXX";
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    sprintf(ret_path, "%s/%s", folder, name);
    int fd = open(ret_path, O_RDWR | O_CREAT, 0700);
    cr_assert(ge(int, fd, 0));
    cr_assert(zero(int, ftruncate(fd, PAGE)));
    void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    cr_assert(ne(ptr, p, MAP_FAILED));
    close(fd);
    unlink(ret_path);
    rmdir(folder);
    return p;
}

// must_be_kernels compares the list read through a buffer with the kernel's text.
static void must_be_kernels(size_t nbuf) {
    static char buf[LINE], line[LINE];
    struct maps list;
    struct maps_line l;
    FILE *f = fopen("/proc/self/maps", "r");
    maps_open(&list, buf, nbuf);
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long start, limit, offset, inode;
        char perms[5];
        int at = 0;
        cr_assert(eq(int,
                     sscanf(line, "%lx-%lx %4s %lx %*s %lu %n", &start, &limit,
                            perms, &offset, &inode, &at),
                     5));
        line[strcspn(line, "\n")] = '\0';
        if (strlen(line) >= nbuf)
            line[nbuf - 1] = '\0';
        cr_assert(maps_next(&list, &l), "%zu bytes: %s", nbuf, line);
        cr_assert(eq(u64, l.start, start), "%zu bytes: %s", nbuf, line);
        cr_assert(eq(u64, l.limit, limit));
        cr_assert(eq(u64, l.offset, offset));
        cr_assert(eq(int, l.executable, perms[2] == 'x'));
        cr_assert(eq(int, l.no_file, inode == 0));
        cr_assert(eq(str, l.name, line + at));
    }
    cr_assert(not(maps_next(&list, &l)));
    maps_close(&list);
    fclose(f);
}

Test(maps, lines_are_the_kernels_and_names_are_cut_to_the_buffer) {
    char path[300], name[201];
    memset(name, 'n', 200);
    name[200] = '\0';
    map_file(name, path);

    for (size_t nbuf = 100; nbuf < 400; nbuf += 7)
        must_be_kernels(nbuf);
    must_be_kernels(LINE);
}

// Wherever the name is cut, some buffer has a whole mapping behind that place.
Test(maps, what_is_left_of_a_line_is_no_mapping) {
    char path[300];
    map_file(
        "10-20 r-xp 00 00:00 1 10-20 r-xp 00 00:00 1 10-20 r-xp 00 00:00 1 "
        "10-20 r-xp 00 00:00 1 10-20 r-xp 00 00:00 1 10-20 r-xp 00 00:00 1",
        path);

    for (size_t nbuf = 100; nbuf < 260; nbuf++)
        must_be_kernels(nbuf);
}
