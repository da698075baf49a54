// verb_clean.c: mound clean, which removes what processes left behind that were killed.
#include <argp.h>
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "pages.h"
#include "units.h"
#include "verb.h"

struct cleaned {
    uint64_t npages;
    uint64_t nfiles; // beside them
    uint64_t nbytes;
    bool failed;
};

// drop removes a file; an error is said once for each.
static bool drop(const struct pages_entry *entry, const char *name,
                 struct cleaned *c) {
    struct stat st;
    if (fstatat(entry->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        unlinkat(entry->folder, name, 0) != 0) {
        if (errno != ENOENT) {
            message_error("%s: %s: %s", entry->path, name, strerror(errno));
            c->failed = true;
        }
        return false;
    }
    c->nbytes += (uint64_t)st.st_blocks * 512;
    return true;
}

// drop_beside removes the profiles that a process wrote beside its page: PID-START.page
// has PID-START.*.
static void drop_beside(const struct pages_entry *entry, struct cleaned *c) {
    size_t n = strlen(entry->name) - strlen("page");
    int fd = openat(entry->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (strncmp(e->d_name, entry->name, n) == 0 &&
            strcmp(e->d_name, entry->name) != 0 && drop(entry, e->d_name, c))
            c->nfiles++;
    if (dir != NULL)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

static bool clean(const struct pages_entry *entry, void *argument) {
    struct cleaned *c = argument;
    if (entry->pid == 0 && !entry->elsewhere) {
        drop_beside(entry, c);
        if (drop(entry, entry->name, c))
            c->npages++;
    }
    return true;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    (void)value;
    if (key == ARGP_KEY_ARG)
        argp_error(state, "takes no arguments");
    return key == ARGP_KEY_ARG ? 0 : ARGP_ERR_UNKNOWN;
}

int verb_clean(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .doc = "Removes the pages of processes that have ended, and the "
               "profiles beside them: those of the user, or, as root, of all."
               "\vExit status: 0 done, 2 something could not be removed."};
    struct cleaned c = {0};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    pages_each(clean, &c);
    printf("removed %" PRIu64 " page%s and %" PRIu64 " profile%s: %s\n",
           c.npages, c.npages == 1 ? "" : "s", c.nfiles,
           c.nfiles == 1 ? "" : "s", units_bytes(c.nbytes).s);
    return c.failed ? VERB_UNUSABLE : VERB_DONE;
}
