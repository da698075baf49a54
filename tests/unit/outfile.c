// outfile.c: names that files get, on filesystems and under filters that can do
// less than ours.
#include "out/outfile.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"

static const char *contents = "contents\n";

static int said;

static int write_contents(int fd) {
    size_t n = strlen(contents);
    return write(fd, contents, n) == (ssize_t)n ? 0 : -errno;
}

static int write_nothing(int fd) {
    (void)fd;
    return -ENOSPC;
}

static struct outfile file_for(const char *path) {
    return (struct outfile){.variable = "MOUND_TEST",
                            .path = path,
                            .write = write_contents,
                            .said = &said};
}

static int write_at(const struct folder *folder, const char *name,
                    uint64_t number) {
    struct outfile out = file_for(folder_join(folder, name));
    return outfile_write(&out, number);
}

static void holds(const struct folder *folder, const char *name,
                  const char *text) {
    char *got = folder_read(folder, name, NULL);
    cr_assert(got != NULL && strcmp(got, text) == 0, "%s holds %s", name,
              got == NULL ? "nothing" : got);
    free(got);
}

static void has_files(const struct folder *folder, int n) {
    cr_assert(eq(int, folder_count(folder, "", NULL), n));
    cr_assert(eq(int, folder_count(folder, ".", NULL), 2)); // . and ..
}

// What a filter says to one system call. With flags only when its argument has one
// of them.
struct rule {
    int nr;
    unsigned argument;
    unsigned flags;
    unsigned answer;
};

// can_filter says whether this kernel does so from now on; some emulators have no filters.
static bool can_filter(const struct rule *rules, size_t nrules) {
    struct sock_filter code[64];
    unsigned short n = 0;
    for (size_t i = 0; i < nrules; i++) {
        unsigned at = (unsigned)(offsetof(struct seccomp_data, args) +
                                 8 * rules[i].argument);
        code[n++] = (struct sock_filter)BPF_STMT(
            BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)rules[i].nr, 0,
                                                 rules[i].flags != 0 ? 3 : 1);
        if (rules[i].flags != 0) {
            code[n++] =
                (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at);
            code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
                                                     rules[i].flags, 0, 1);
        }
        code[n++] =
            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rules[i].answer);
    }
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void filter(const struct rule *rules, size_t nrules) {
    if (!can_filter(rules, nrules))
        cr_skip_test("no filters here");
}

enum { TMPFILE = O_TMPFILE & ~O_DIRECTORY, NOREPLACE = 1 };
#define ERROR(e) (SECCOMP_RET_ERRNO | (e))

static const struct rule no_unnamed = {SYS_openat, 2, TMPFILE,
                                       ERROR(EOPNOTSUPP)};
static const struct rule no_new_rename = {SYS_renameat2, 4, NOREPLACE,
                                          ERROR(EINVAL)};
static const struct rule no_links = {SYS_linkat, 0, 0, ERROR(EPERM)};

// names_are_right writes files of every kind of name.
static void names_are_right(void) {
    struct folder folder = folder_make();
    contents = "old\n";
    cr_assert(zero(int, write_at(&folder, "fixed", 0)));
    cr_assert(zero(int, write_at(&folder, "n%n.txt", 0)));
    contents = "new\n";
    cr_assert(zero(int, write_at(&folder, "fixed", 0)));
    cr_assert(zero(int, write_at(&folder, "n%n.txt", 0)));
    folder_write(&folder, "n4.txt", "taken\n");
    cr_assert(zero(int, write_at(&folder, "n%n.txt", 0)));
    cr_assert(zero(int, write_at(&folder, "n%n.txt", 0)));
    cr_assert(zero(int, write_at(&folder, "heap.pb.gz", 7)));

    holds(&folder, "fixed", "new\n");
    holds(&folder, "n1.txt", "old\n");
    holds(&folder, "n2.txt", "new\n");
    holds(&folder, "n3.txt", "new\n");
    holds(&folder, "n4.txt", "taken\n");
    holds(&folder, "n5.txt", "new\n");
    holds(&folder, "heap.7.pb.gz", "new\n");

    // A name with the number of the process is never another's.
    char name[64];
    for (int i = 0; i < 3; i++)
        cr_assert(zero(int, write_at(&folder, "%p.txt", 0)));
    for (int i = 1; i <= 3; i++) {
        snprintf(name, sizeof name, i == 1 ? "%d.txt" : "%d.%d.txt", getpid(),
                 i);
        holds(&folder, name, "new\n");
    }
    has_files(&folder, 10);
    folder_remove(&folder);
}

Test(outfile, has_its_name_in_one_step) {
    names_are_right();
}

Test(outfile, needs_no_files_without_names) {
    filter(&no_unnamed, 1);
    names_are_right();
}

Test(outfile, needs_no_rename_that_replaces_nothing) {
    filter((struct rule[]){no_unnamed, no_new_rename}, 2);
    names_are_right();
}

Test(outfile, needs_no_links) {
    filter((struct rule[]){no_unnamed, no_new_rename, no_links}, 3);
    names_are_right();
}

Test(outfile, needs_no_links_for_files_without_names) {
    filter(&no_links, 1);
    names_are_right();
}

// rewritten writes one file three times.
static void rewritten(const char *template, const char *name) {
    struct folder folder = folder_make();
    uint64_t which = 0;
    struct outfile out = file_for(folder_join(&folder, template));
    out.tag = "peak";
    out.which = &which;
    contents = "first\n";
    cr_assert(zero(int, outfile_write(&out, 0)));
    holds(&folder, name, contents);
    contents = "second\n";
    cr_assert(zero(int, outfile_write(&out, 0)));
    cr_assert(zero(int, outfile_write(&out, 0)));
    holds(&folder, name, contents);
    has_files(&folder, 1);
    folder_remove(&folder);
}

static void files_are_rewritten(void) {
    char own[64];
    rewritten("heap.pb.gz", "heap.peak.pb.gz");
    rewritten("heap.%n.pb.gz", "heap.peak.1.pb.gz");
    rewritten("heap", "heap.peak");
    snprintf(own, sizeof own, "%d.peak.txt", getpid());
    rewritten("%p.txt", own);
}

Test(outfile, one_that_is_written_again_keeps_its_name) {
    files_are_rewritten();
    filter((struct rule[]){no_unnamed, no_new_rename}, 2);
    files_are_rewritten();
}

static void leaves_nothing(void) {
    struct folder folder = folder_make();
    struct outfile out = file_for(folder_join(&folder, "name"));
    out.write = write_nothing;

    cr_assert(eq(int, outfile_write(&out, 0), -ENOSPC));

    has_files(&folder, 0);
    folder_remove(&folder);
}

Test(outfile, that_does_not_fit_leaves_nothing) {
    freopen("/dev/null", "w", stderr);
    leaves_nothing();
    filter(&no_unnamed, 1);
    leaves_nothing();
}

// A filter may deny to open, and end who does anything else with files.
Test(outfile, that_may_not_be_opened_is_given_up_at_once) {
    static const int deadly[] = {SYS_unlinkat,     SYS_linkat, SYS_renameat2,
                                 SYS_faccessat,    SYS_statfs, SYS_readlinkat,
                                 SYS_rt_sigpending};
    struct rule rules[10] = {{SYS_openat, 0, 0, ERROR(EACCES)}};
    enum { NDEADLY = sizeof deadly / sizeof deadly[0] - 1 };
    for (int i = 0; i < NDEADLY; i++)
        rules[i + 1] = (struct rule){deadly[i], 0, 0, SECCOMP_RET_KILL_PROCESS};
    struct outfile out = file_for("/tmp/name");
    enum { NO_FILTERS = 77 };
    pid_t pid = fork();
    if (pid == 0) {
        close(2);
        if (!can_filter(rules, NDEADLY + 1))
            _exit(NO_FILTERS);
        _exit(outfile_write(&out, 0) == -EACCES ? 0 : 1);
    }
    int status = 1;
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTERS)
        cr_skip_test("no filters here");
    cr_assert(zero(int, status), "status %x", (unsigned)status);
}

Test(outfile, goes_by_what_there_is_not_by_its_spelling) {
    struct folder folder = folder_make();
    struct stat st;
    freopen("/dev/null", "w", stderr);
    cr_assert(zero(int, mkdir(folder_join(&folder, "folder"), 0700)));
    cr_assert(zero(int, symlink("loop", folder_join(&folder, "loop"))));
    cr_assert(
        zero(int, symlink("/nowhere/at/all", folder_join(&folder, "nowhere"))));
    cr_assert(zero(int, symlink("new", folder_join(&folder, "link"))));

    cr_assert(eq(int, write_at(&folder, "folder", 0), -EISDIR));
    cr_assert(eq(int, write_at(&folder, "folder/", 0), -ENOENT));
    cr_assert(eq(int, write_at(&folder, ".", 0), -EISDIR));
    cr_assert(eq(int, write_at(&folder, "loop", 0), -ELOOP));
    cr_assert(eq(int, write_at(&folder, "nowhere", 0), -ENOENT));
    cr_assert(eq(int, write_at(&folder, "link", 0), 0));

    holds(&folder, "link", "contents\n");
    cr_assert(zero(int, lstat(folder_join(&folder, "link"), &st)));
    bool plain = S_ISREG(st.st_mode) && !folder_has(&folder, "new");
    cr_assert(plain);
    rmdir(folder_join(&folder, "folder"));
    folder_remove(&folder);
}

// A device at the name with a number, or at the one without.
Test(outfile, with_a_number_replaces_no_device) {
    struct folder folder = folder_make();
    cr_assert(zero(int, symlink("/dev/null", folder_join(&folder, "a.gz"))));
    cr_assert(zero(int, symlink("/dev/null", folder_join(&folder, "b.2.gz"))));

    cr_assert(zero(int, write_at(&folder, "a.gz", 2)));
    cr_assert(zero(int, write_at(&folder, "b.gz", 2)));

    has_files(&folder, 2);
    folder_remove(&folder);
}
