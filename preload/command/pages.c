// pages.c: see pages.h.
#include "pages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "whose.h"

struct walk {
    bool (*f)(const struct pages_entry *entry, void *argument);
    void *argument;
    struct whose seen;
    struct mound_page page;
};

static bool ends_in(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static bool one(struct walk *w, int folder, const char *path, uid_t uid,
                const char *name) {
    char whole[PATH_MAX];
    struct pagefile file;
    struct pagefile_why why;
    struct stat st;
    snprintf(whole, sizeof whole, "%s/%s", path, name);
    if (!pagefile_read(folder, name, &w->page, &file, &why)) {
        // It may have gone, as those of processes do that end.
        if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            message_error("%s: %s", whole, why.s);
        return true;
    }
    pid_t pid = whose_process(&w->seen, &w->page.identity, &file);
    const struct pages_entry entry = {
        .folder = folder,
        .name = name,
        .path = whole,
        .uid = uid,
        .pid = pid,
        .elsewhere = pid == 0 && !whose_is_seen(&w->page.identity),
        .page = &w->page,
        .file = &file,
    };
    return w->f(&entry, w->argument);
}

// of_user walks over the folder of a user. A folder of that name that another has made
// is not believed.
static bool of_user(struct walk *w, int root, const char *name, uid_t uid) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, PAGES_ROOT "/%s", name);
    int fd =
        openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            message_error("%s: %s", path, strerror(errno));
        return true;
    }
    if (fstat(fd, &st) != 0 || st.st_uid != uid || (st.st_mode & 022) != 0) {
        message_error("%s: others than its user may write there: left out",
                      path);
        close(fd);
        return true;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        message_error("%s: %s", path, strerror(errno));
        close(fd);
        return true;
    }
    bool more = true;
    struct dirent *e;
    while (more && (e = readdir(dir)) != NULL)
        if (e->d_name[0] != '.' && ends_in(e->d_name, ".page"))
            more = one(w, dirfd(dir), path, uid, e->d_name);
    closedir(dir);
    return more;
}

void pages_each(bool (*f)(const struct pages_entry *entry, void *argument),
                void *argument) {
    struct walk w = {f, argument, {0}, {0}};
    DIR *root = opendir(PAGES_ROOT);
    if (root == NULL) {
        message_error(PAGES_ROOT ": %s", strerror(errno));
        return;
    }
    if (geteuid() != 0) {
        char name[32];
        snprintf(name, sizeof name, "mound-%u", geteuid());
        of_user(&w, dirfd(root), name, geteuid());
    } else {
        bool more = true;
        struct dirent *e;
        while (more && (e = readdir(root)) != NULL) {
            char *end;
            if (strncmp(e->d_name, "mound-", 6) != 0)
                continue;
            unsigned long uid = strtoul(e->d_name + 6, &end, 10);
            if (end > e->d_name + 6 && *end == '\0' && uid < UINT_MAX)
                more = of_user(&w, dirfd(root), e->d_name, (uid_t)uid);
        }
    }
    closedir(root);
    whose_end(&w.seen);
}
