// cgroup.c: which limit is found, in trees of files as the kernel shows them.
#include "os/cgroup.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[] = "/tmp/mound-cgroup-XXXXXX";

static void make(void) {
    cr_assert(ne(ptr, mkdtemp(root), NULL));
}

static void drop(void) {
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert(zero(int, system(command)));
}

// put writes a file below the root, and makes the folders that it is in.
static void put(const char *name, const char *text) {
    char path[300];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *s = path + strlen(root) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        mkdir(path, 0700);
        *s = '/';
    }
    FILE *f = fopen(path, "we");
    cr_assert(ne(ptr, f, NULL));
    fputs(text, f);
    fclose(f);
}

TestSuite(cgroup, .init = make, .fini = drop);

Test(cgroup, version_2_has_the_smallest_of_all_groups_it_is_in) {
    put("/memory.max", "max\n");
    put("/a/memory.max", "200000000\n");
    put("/a/memory.high", "max\n");
    put("/a/b/memory.max", "300000000\n");
    put("/a/b/memory.high", "250000000\n");

    cr_assert(eq(u64, cgroup_limit_in("0::/a/b\n", root), 200000000));
    cr_assert(eq(u64, cgroup_limit_in("0::/a/b/c\n", root), 200000000));
    cr_assert(eq(u64, cgroup_limit_in("0::/\n", root), 0));
    put("/a/b/memory.high", "150000000\n");
    cr_assert(eq(u64, cgroup_limit_in("0::/a/b\n", root), 150000000));
}

Test(cgroup, in_a_container_the_group_is_the_root) {
    put("/memory.max", "104857600\n");
    cr_assert(eq(u64, cgroup_limit_in("0::/\n", root), 104857600));
}

Test(cgroup, version_1_is_found_by_its_controller) {
    const char *groups = "3:cpu,cpuacct:/x\n2:hugetlb,memory:/a/b\n"
                         "1:name=memory:/x\n0::/x\n";
    put("/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/memory/a/memory.limit_in_bytes", "150000000\n");
    put("/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    put("/memory/x/memory.limit_in_bytes", "1000\n");

    cr_assert(eq(u64, cgroup_limit_in(groups, root), 150000000));
}

Test(cgroup, what_cannot_be_read_is_no_limit) {
    put("/memory.max", "");
    put("/a/memory.max", "much\n");

    cr_assert(zero(u64, cgroup_limit_in("0::/a\n", root)));
    cr_assert(zero(u64, cgroup_limit_in("0::/none\n", root)));
    cr_assert(zero(u64, cgroup_limit_in("", root)));
    cr_assert(zero(u64, cgroup_limit_in("0:", root)));
    cr_assert(zero(u64, cgroup_limit_in("0::", root)));
}
