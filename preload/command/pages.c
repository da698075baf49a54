// pages.c: see pages.h.
#include "pages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "whose.h"

struct walk {
    bool (*f)(const struct pages_entry *entry, void *argument);
    void *argument;
    const char *root;
    const char
        *only; // the only file name to look for, without complaints; NULL: all
    uid_t only_owner; // owner of only's folder: in a container it may differ
    bool unfinished;  // only those
    struct whose seen;
    struct mound_page page;
};

// complain says what is wrong with a path, except in a search for one page and in the
// walk for unfinished ones.
static void complain(const struct walk *w, const char *path, const char *why) {
    if (w->only == NULL && !w->unfinished)
        message_error("%s: %s", path, why);
}

static bool ends_in(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

// is_name says whether a file has the name of a page: PID-START.page, or PID-START.N.page.
static bool is_name(const char *name, pid_t *ret_pid, uint64_t *ret_start) {
    int n = 0, number = 0;
    if (sscanf(name, "%9d-%19" SCNu64 "%n", ret_pid, ret_start, &n) != 2)
        return false;
    const char *rest = name + n;
    if (sscanf(rest, ".%2d%n", &number, &n) == 1)
        rest += n;
    return strcmp(rest, ".page") == 0;
}

// unfinished passes on an unfinished page if its process is not visible and has had
// enough time to finish it.
static bool unfinished(struct walk *w, const struct pages_entry *entry) {
    enum { TIME_S = 10 }; // it takes some microseconds, unless it is stopped
    struct stat st;
    struct process p;
    pid_t pid;
    uint64_t start;
    if (!w->unfinished || !is_name(entry->name, &pid, &start) ||
        (process_read(pid, &p) && process_runs(&p) && p.start_ticks == start) ||
        fstatat(entry->folder, entry->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode) || time(NULL) - st.st_mtime <= TIME_S)
        return true;
    return w->f(entry, w->argument);
}

enum { STEP_NS = 5 * 1000 * 1000, STEPS = 200 };

static bool one(struct walk *w, int folder, const char *path, uid_t uid,
                const char *name) {
    char whole[PATH_MAX];
    struct pagefile file = {.unfinished = false};
    struct pagefile_why why;
    struct stat st;
    snprintf(whole, sizeof whole, "%s/%s", path, name);
    bool read = pagefile_read(folder, name, &w->page, &file, &why);
    // A page that is looked for by name may be being made right now.
    for (int i = 0; !read && file.unfinished && w->only != NULL && i < STEPS;
         i++) {
        nanosleep(&(struct timespec){0, STEP_NS}, NULL);
        read = pagefile_read(folder, name, &w->page, &file, &why);
    }
    if (!read) {
        if (file.unfinished) {
            const struct pages_entry entry = {
                .folder = folder, .name = name, .path = whole, .uid = uid};
            return unfinished(w, &entry);
        }
        // No complaint if it is gone: processes remove their page at exit.
        if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            complain(w, whole, why.s);
        return true;
    }
    if (w->unfinished)
        return true;
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

// of_user walks over the folder of a user. A folder of that name that another user owns
// is rejected.
static bool of_user(struct walk *w, int root, const char *name, uid_t uid) {
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", w->root, name);
    int fd =
        openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            complain(w, path, strerror(errno));
        return true;
    }
    bool own =
        fstat(fd, &st) == 0 && (st.st_mode & 022) == 0 &&
        (st.st_uid == uid || (w->only != NULL && st.st_uid == w->only_owner));
    if (!own) {
        complain(w, path, "other users may write there: left out");
        close(fd);
        return true;
    }
    if (w->only != NULL) {
        bool more = faccessat(fd, w->only, F_OK, AT_SYMLINK_NOFOLLOW) != 0 ||
                    one(w, fd, path, uid, w->only);
        close(fd);
        return more;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        complain(w, path, strerror(errno));
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

// of_all walks over the folders of all users.
static void of_all(struct walk *w, DIR *root) {
    static const char prefix[] = "mound-";
    bool more = true;
    struct dirent *e;
    while (more && (e = readdir(root)) != NULL) {
        char *end, *digits = e->d_name + sizeof prefix - 1;
        if (strncmp(e->d_name, prefix, sizeof prefix - 1) != 0)
            continue;
        unsigned long uid = strtoul(digits, &end, 10);
        if (end > digits && *end == '\0' && uid < UINT_MAX)
            more = of_user(w, dirfd(root), e->d_name, (uid_t)uid);
    }
}

static void each(struct walk *w) {
    DIR *root = opendir(w->root);
    if (root == NULL) {
        message_error("%s: %s", w->root, strerror(errno));
        return;
    }
    if (geteuid() != 0) {
        char name[32];
        snprintf(name, sizeof name, "mound-%u", geteuid());
        of_user(w, dirfd(root), name, geteuid());
    } else {
        of_all(w, root);
    }
    closedir(root);
    whose_end(&w->seen);
}

void pages_each(bool (*f)(const struct pages_entry *entry, void *argument),
                void *argument) {
    each(&(struct walk){.f = f, .argument = argument, .root = PAGES_ROOT});
}

void pages_each_unfinished(bool (*f)(const struct pages_entry *entry,
                                     void *argument),
                           void *argument) {
    each(&(struct walk){
        .f = f, .argument = argument, .root = PAGES_ROOT, .unfinished = true});
}

void pages_of(const struct process *p,
              bool (*f)(const struct pages_entry *entry, void *argument),
              void *argument) {
    char there[64], name[64];
    struct walk w = {.f = f, .argument = argument, .only_owner = p->uid};
    snprintf(there, sizeof there, "/proc/%d/root" PAGES_ROOT, (int)p->pid);
    snprintf(name, sizeof name, "%d-%" PRIu64 ".page", (int)p->inner,
             p->start_ticks);
    w.only = name;
    DIR *root = NULL;
    // For a process with our root it is "/", and paths are shorter.
    if (!process_has_our_root(p->pid))
        root = opendir(w.root = there);
    if (root == NULL)
        root = opendir(w.root = PAGES_ROOT);
    if (root == NULL)
        return;
    of_all(&w, root);
    closedir(root);
    whose_end(&w.seen);
}

// drop removes a file and returns 0 or an error.
static int drop(int folder, const char *name, uint64_t *count,
                uint64_t *nbytes) {
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        unlinkat(folder, name, 0) != 0)
        return errno == ENOENT ? 0 : errno;
    *nbytes += (uint64_t)st.st_blocks * 512;
    ++*count;
    return 0;
}

int pages_remove(const struct pages_entry *entry, struct pages_removed *sum) {
    // Remove PID-START.page and the files PID-START.* beside it.
    size_t n = strlen(entry->name) - strlen("page");
    int fd = openat(entry->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int error = 0;
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        if (strncmp(e->d_name, entry->name, n) != 0 ||
            strcmp(e->d_name, entry->name) == 0)
            continue;
        int one = drop(entry->folder, e->d_name, &sum->nprofiles, &sum->nbytes);
        error = error != 0 ? error : one;
    }
    if (dir != NULL)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    int own = drop(entry->folder, entry->name, &sum->npages, &sum->nbytes);
    return error != 0 ? error : own;
}
