// doctor_preload.c: checks the libraries of an LD_PRELOAD, as the loader will find them.
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "elffile.h"
#include "library.h"

// may says whether the mode gives d's user a right: 4 to read, 1 to search a folder.
static bool may(const struct doctor *d, const struct stat *st, unsigned right) {
    if (d->uid == 0)
        return right != 1 || S_ISDIR(st->st_mode) || (st->st_mode & 0111) != 0;
    unsigned shift = st->st_uid == d->uid ? 6 : st->st_gid == d->gid ? 3 : 0;
    return (st->st_mode >> shift & right) != 0;
}

// closed_folder returns the length of the first folder of path that d's user may not
// search, or 0.
static size_t closed_folder(const struct doctor *d, const char *path) {
    char part[4096];
    for (const char *s = strchr(path + 1, '/'); s != NULL;
         s = strchr(s + 1, '/')) {
        struct stat st;
        snprintf(part, sizeof part, "%.*s", (int)(s - path), path);
        if (stat(doctor_path(d, part), &st) == 0 && !may(d, &st, 1))
            return (size_t)(s - path);
    }
    return 0;
}

static void look_at_versions(struct doctor *d, const char *path,
                             const struct elffile *library, const char *libc) {
    static struct elffile has;
    if (libc == NULL || !elffile_read(libc, &has) || has.nversions == 0)
        return;
    const char *lacking = elffile_lacks(library, &has);
    if (lacking != NULL)
        doctor_found(d,
                     "%s: the C library %s has no %s, which it needs: use a "
                     "libmound.so that was built on the older system",
                     path, libc, lacking);
}

// look checks one library and says whether the loader can load it.
static bool look(struct doctor *d, const char *path, const char *libc) {
    static struct elffile library;
    struct stat st;
    struct statvfs mount;
    size_t closed = closed_folder(d, path);
    const char *file = doctor_path(d, path); // until the next call
    if (stat(file, &st) != 0) {
        const char *why = strerror(errno);
        doctor_found(d, "%s: in LD_PRELOAD, but%s %s: %s", path,
                     d->root[0] != '\0' ? " where that process sees it:" : "",
                     why,
                     d->root[0] != '\0' && stat(path, &st) == 0
                         ? "copy or mount it into that container or chroot"
                         : "correct the path");
        return false;
    }
    if (closed != 0 || !may(d, &st, 4)) {
        doctor_found(d,
                     "%s: user %u may not %s %.*s: chmod %s, or install it "
                     "where all may read it",
                     path, (unsigned)d->uid, closed ? "enter" : "read",
                     (int)(closed ? closed : strlen(path)), path,
                     closed ? "o+x" : "o+r");
        return false;
    }
    if (!elffile_read(file, &library)) {
        doctor_found(
            d, "%s: in LD_PRELOAD, but it is %s: correct the path", path,
            S_ISDIR(st.st_mode) ? "a directory" : "not an ELF library");
        return false;
    }
    if (statvfs(file, &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0) {
        doctor_found(d,
                     "%s: on a file system mounted with noexec, so the loader "
                     "cannot map its code: move it to another",
                     path);
        return false;
    }
    if (!elffile_for_us(&library)) {
        doctor_found(d,
                     "%s: built for another processor: use the library for "
                     "this one",
                     path);
        return false;
    }
    look_at_versions(d, path, &library, libc);
    return true;
}

static void look_in_front(struct doctor *d, const char *path) {
    static struct elffile library;
    if (strchr(path, '/') != NULL &&
        elffile_read(doctor_path(d, path), &library) && library.defines_malloc)
        doctor_found(d,
                     "%s: preloaded before libmound.so, and has a malloc, "
                     "which comes first; mound serves what it passes on: "
                     "remove it from LD_PRELOAD",
                     path);
}

bool doctor_preload(struct doctor *d, const char *value, const char *libc) {
    bool found = false;
    char *copy = strdup(value), *rest = copy;
    for (char *path; copy != NULL && (path = strsep(&rest, " :")) != NULL;) {
        if (*path == '\0')
            continue;
        // The loader expands "$LIB" and the like, and searches for names without a
        // slash.
        bool place = strchr(path, '/') != NULL && strchr(path, '$') == NULL;
        if (library_is_named(path) || strncmp(path, "libmound.so", 11) == 0) {
            found = true;
            if (place)
                look(d, path, libc);
        } else if (!found) {
            look_in_front(d, path);
        }
    }
    free(copy);
    return found;
}
