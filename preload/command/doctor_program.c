// doctor_program.c: checks whether mound can be loaded into a program that is to be
// started, and whether it will serve its malloc.
#include "doctor.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "elffile.h"
#include "message.h"

enum { LINE_BYTES = 256, SCRIPT_DEPTH = 4 };

// look_at_rights: for a program that gets more rights than its caller, the loader accepts
// in LD_PRELOAD only names of libraries in the system's folders that are set-user-ID
// themselves.
static bool look_at_rights(struct doctor *d, const char *path,
                           const char *file) {
    static const char remedy[] =
        "LD_PRELOAD is ignored there: put the path into /etc/ld.so.preload, or "
        "remove the rights";
    struct stat st;
    if (stat(file, &st) != 0)
        return true;
    bool runs = (st.st_mode & 0111) != 0;
    if (runs && (st.st_mode & S_ISUID) != 0 && st.st_uid != d->uid) {
        doctor_found(d, "%s: set-user-ID of user %u: %s", path,
                     (unsigned)st.st_uid, remedy);
        return false;
    }
    if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & 0010) != 0 &&
        st.st_gid != d->gid) {
        doctor_found(d, "%s: set-group-ID of group %u: %s", path,
                     (unsigned)st.st_gid, remedy);
        return false;
    }
    // File capabilities give root no additional rights.
    if (d->uid != 0 && getxattr(file, "security.capability", NULL, 0) > 0) {
        doctor_found(d, "%s: has file capabilities: %s", path, remedy);
        return false;
    }
    return true;
}

static const char *class_of(const struct elffile *e) {
    switch (e->machine) {
    case EM_386:
        return "32-bit x86";
    case EM_X86_64:
        return e->is64 ? "x86-64" : "x32";
    case EM_AARCH64:
        return "aarch64";
    case EM_ARM:
        return "32-bit arm";
    default:
        return "another processor";
    }
}

static bool look_at_loader(struct doctor *d, const char *path,
                           const struct elffile *e) {
    struct stat st;
    const char *name = strrchr(e->interpreter, '/');
    name = name != NULL ? name + 1 : e->interpreter;
    if (e->interpreter[0] == '\0') {
        doctor_found(d,
                     "%s: statically linked, so no loader reads LD_PRELOAD: "
                     "link it with -lmoundmalloc, or link it dynamically",
                     path);
        return false;
    }
    if (strncmp(name, "ld-linux", 8) != 0) {
        doctor_found(d,
                     "%s: its C library is %s (loader %s), and libmound.so "
                     "needs glibc: use a build for glibc",
                     path,
                     strncmp(name, "ld-musl", 7) == 0 ? "musl" : "another",
                     e->interpreter);
        return false;
    }
    if (stat(doctor_path(d, e->interpreter), &st) != 0) {
        doctor_found(d,
                     "%s: its loader %s: %s: it cannot start; install the C "
                     "library that it was built for",
                     path, e->interpreter, strerror(errno));
        return false;
    }
    return true;
}

static void look_at_malloc(struct doctor *d, const char *path,
                           const struct elffile *e) {
    if (e->sanitizer)
        doctor_found(d,
                     "%s: built with a sanitizer, whose malloc serves it: use "
                     "a build without",
                     path);
    else if (e->defines_malloc)
        doctor_found(d,
                     "%s: has a malloc of its own, which comes before any "
                     "library's: build it without that allocator",
                     path);
    else if (e->hidden_malloc)
        doctor_found(d,
                     "%s: has a malloc of its own for its own code; mound "
                     "serves only its libraries: build it without that "
                     "allocator",
                     path);
    else if (e->go)
        doctor_note(d,
                    "%s: a Go program, whose objects are in Go's heap; only "
                    "its C code calls malloc",
                    path);
    else if (e->python)
        doctor_note(
            d,
            "%s: python keeps small objects in arenas of its own, which are "
            "not mound's; PYTHONMALLOC=malloc turns these off",
            path);
    else if (e->other_malloc[0] != '\0')
        doctor_note(d,
                    "%s: has an allocator of its own (%s), and what it takes "
                    "from that is not mound's",
                    path, e->other_malloc);
}

static bool look_at_elf(struct doctor *d, const char *path,
                        const struct elffile *e) {
    if (!elffile_for_us(e)) {
        doctor_found(d,
                     "%s: a program for %s, which cannot load this "
                     "libmound.so: use a build for this processor in 64 bits",
                     path, class_of(e));
        return false;
    }
    if (!look_at_loader(d, path, e))
        return false;
    look_at_malloc(d, path, e);
    return true;
}

// look_at_script checks the interpreter that the first line of a script names.
static bool look_at_script(struct doctor *d, const char *path, char *line,
                           unsigned depth);

static bool look_at_file(struct doctor *d, const char *path, const char *file,
                         unsigned depth) {
    static struct elffile e;
    char line[LINE_BYTES] = "";
    if (elffile_read(file, &e)) {
        bool can = look_at_elf(d, path, &e);
        return look_at_rights(d, path, file) && can;
    }
    struct stat st;
    if (errno == 0 && stat(file, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    FILE *f = errno == 0 ? fopen(file, "re") : NULL;
    if (f == NULL) {
        doctor_found(d,
                     "%s: %s: nobody can start it; correct the path or its "
                     "rights",
                     path, strerror(errno));
        return false;
    }
    if (access(file, X_OK) != 0) {
        doctor_found(d, "%s: not executable: chmod +x, or correct the path",
                     path);
        fclose(f);
        return false;
    }
    size_t n = fread(line, 1, sizeof line - 1, f);
    line[n] = '\0';
    fclose(f);
    if (strncmp(line, "#!", 2) == 0)
        return look_at_script(d, path, line, depth);
    doctor_found(d,
                 "%s: neither an ELF program nor a script with #!, so a shell "
                 "may run it: start its interpreter",
                 path);
    return false;
}

static bool look_at_script(struct doctor *d, const char *path, char *line,
                           unsigned depth) {
    char interpreter[LINE_BYTES], argument[LINE_BYTES] = "";
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "#! %255s %255s", interpreter, argument) < 1 ||
        depth == SCRIPT_DEPTH) {
        doctor_found(d, "%s: its first line names no interpreter: correct it",
                     path);
        return false;
    }
    // env finds its argument in PATH, with or without -S.
    const char *name = strrchr(interpreter, '/');
    if (name != NULL && strcmp(name, "/env") == 0 && argument[0] != '\0' &&
        argument[0] != '-') {
        const char *folders = getenv("PATH");
        char *copy = strdup(folders != NULL ? folders : "/usr/bin:/bin");
        char *rest = copy;
        for (char *folder; (folder = strsep(&rest, ":")) != NULL;) {
            char candidate[2 * LINE_BYTES];
            snprintf(candidate, sizeof candidate, "%.200s/%s", folder,
                     argument);
            if (access(doctor_path(d, candidate), X_OK) == 0) {
                snprintf(interpreter, sizeof interpreter, "%.255s", candidate);
                break;
            }
        }
        free(copy);
    }
    unsigned before = d->nfound;
    char file[4096];
    snprintf(file, sizeof file, "%s", doctor_path(d, interpreter));
    bool can = look_at_file(d, interpreter, file, depth + 1);
    if (d->nfound > before)
        doctor_note(d, "%s: a script, which %s runs", path, interpreter);
    return can;
}

bool doctor_program(struct doctor *d, const char *path, const char *file) {
    return look_at_file(d, path, file, 0);
}

const char *doctor_program_libc(const char *path) {
    static struct elffile e;
    static char libc[PATH_MAX + 16];
    if (!elffile_read(path, &e) || realpath(e.interpreter, libc) == NULL)
        return NULL;
    // If a link leads to the loader, the C library may be beside the link.
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1)
            snprintf(libc, sizeof libc, "%s", e.interpreter);
        char *name = strrchr(libc, '/');
        if (name == NULL)
            continue;
        strcpy(name + 1, "libc.so.6");
        if (access(libc, R_OK) == 0)
            return libc;
    }
    return NULL;
}
