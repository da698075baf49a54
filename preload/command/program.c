// program.c: see program.h.
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "library.h"
#include "message.h"

// executable returns 0, or why a file cannot be executed.
static int executable(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

// search searches PATH. It returns 0, or why the last file found cannot be executed.
static int search(const char *name, char *ret_path, size_t nbytes) {
    const char *folders = getenv("PATH");
    int e = ENOENT;
    if (folders == NULL)
        folders = "/bin:/usr/bin"; // execvp's, since glibc 2.24
    for (;;) {
        size_t n = strcspn(folders, ":");
        // An empty entry means the current folder.
        snprintf(ret_path, nbytes, "%.*s%s%s", (int)n, folders,
                 n > 0 ? "/" : "", name);
        int found = executable(ret_path);
        if (found == 0)
            return 0;
        // EACCES may also mean that the folder cannot be searched: no file was found.
        struct stat st;
        if (found == EACCES && stat(ret_path, &st) == 0)
            e = found;
        folders += n;
        if (*folders++ == '\0')
            return e;
    }
}

bool program_find(const char *name, struct program *ret) {
    *ret = (struct program){.path = ""};
    int e = ENOENT;
    if (strchr(name, '/') != NULL) {
        snprintf(ret->path, sizeof ret->path, "%s", name);
        e = executable(name);
    } else if (name[0] != '\0') {
        e = search(name, ret->path, sizeof ret->path);
    }
    if (e != 0)
        message_error("%s: %s", name, strerror(e));
    return e == 0;
}

static bool refuse(const struct program *p, const char *why) {
    if (strcmp(p->path, p->file) == 0)
        message_error("%s: %s", p->path, why);
    else
        message_error("%s: its interpreter %s: %s", p->path, p->file, why);
    return false;
}

// raises_rights says whether the kernel gives a process that executes a file other
// rights: the loader then ignores paths in LD_PRELOAD.
static bool raises_rights(const char *path) {
    struct stat st;
    struct statvfs fs;
    if (stat(path, &st) != 0 ||
        (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0))
        return false;
    if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
        return true;
    if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        st.st_gid != getgid())
        return true;
    return geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

// script reads the interpreter of "#!INTERPRETER ARGUMENT" into p->file or, if that is
// env, the program that env starts. It returns 1; 0: it is no script; or -1 after a
// complaint.
static int script(struct program *p, const char *text) {
    if (strncmp(text, "#!", 2) != 0)
        return 0;
    char line[PATH_MAX], *rest = NULL;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text + 2, "\n"), text + 2);
    char *interpreter = strtok_r(line, " \t\r", &rest);
    if (interpreter == NULL) {
        refuse(p, "its first line names no interpreter");
        return -1;
    }
    const char *name = strrchr(interpreter, '/');
    char *word = NULL;
    if (name != NULL && strcmp(name, "/env") == 0)
        // Options and variables of env come first.
        for (word = strtok_r(NULL, " \t\r", &rest);
             word != NULL && (word[0] == '-' || strchr(word, '=') != NULL);
             word = strtok_r(NULL, " \t\r", &rest))
            ;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", interpreter);
    int e = executable(path);
    if (e == 0 && word != NULL)
        e = search(word, path, sizeof path);
    if (e != 0) {
        message_error("%s: its interpreter %s: %s", p->path,
                      word != NULL ? word : interpreter, strerror(e));
        return -1;
    }
    snprintf(p->file, sizeof p->file, "%s", path);
    return 1;
}

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#else
enum { OUR_MACHINE = EM_NONE };
#endif

// loader_of returns the path of the loader in ret, "" if there is none.
static void loader_of(int fd, Elf *elf, char *ret, size_t nbytes) {
    size_t n;
    ret[0] = '\0';
    for (size_t i = 0; elf_getphdrnum(elf, &n) == 0 && i < n; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL ||
            segment.p_type != PT_INTERP || segment.p_filesz >= nbytes)
            continue;
        ssize_t got = pread(fd, ret, segment.p_filesz, (off_t)segment.p_offset);
        ret[got < 0 ? 0 : got] = '\0';
        return;
    }
}

static bool takes_elf(struct program *p, int fd, Elf *elf) {
    GElf_Ehdr header;
    struct library library;
    char loader[PATH_MAX], why[PATH_MAX + 64];
    if (gelf_getehdr(elf, &header) == NULL)
        return refuse(p, elf_errmsg(-1));
    if (gelf_getclass(elf) != ELFCLASS64)
        return refuse(p, "a program of 32 bits; mound is for 64");
    if (OUR_MACHINE != EM_NONE && header.e_machine != OUR_MACHINE)
        return refuse(p, "for another processor than this mound");
    loader_of(fd, elf, loader, sizeof loader);
    if (loader[0] == '\0') {
        p->linked = library_read(fd, &library);
        library_end(&library);
        return p->linked ||
               refuse(p, "linked statically: nothing can be preloaded into "
                         "it; link it with libmoundmalloc.a");
    }
    if (strstr(loader, "ld-musl") != NULL)
        return refuse(p, "for musl's C library; mound is for glibc");
    if (access(loader, X_OK) != 0) {
        snprintf(why, sizeof why, "its loader %s: %s", loader, strerror(errno));
        return refuse(p, why);
    }
    return true;
}

bool program_takes(struct program *p) {
    enum { DEPTH_MAX = 5 }; // scripts of scripts: the kernel's limit
    snprintf(p->file, sizeof p->file, "%s", p->path);
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        // Set-user-ID bits of a script have no effect.
        char text[PATH_MAX] = "";
        int fd = open(p->file, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == EACCES)
            return !raises_rights(p->file) ||
                   refuse(p, "it has rights of its own (setuid): what is "
                             "preloaded is ignored");
        if (fd < 0)
            return refuse(p, strerror(errno));
        ssize_t n = read(fd, text, sizeof text - 1);
        if (n >= SELFMAG && memcmp(text, ELFMAG, SELFMAG) == 0) {
            bool ok = false;
            elf_version(EV_CURRENT);
            Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
            if (raises_rights(p->file))
                refuse(p, "it has rights of its own (setuid, setgid or "
                          "capabilities): what is preloaded is ignored");
            else if (elf == NULL)
                refuse(p, elf_errmsg(-1));
            else
                ok = takes_elf(p, fd, elf);
            elf_end(elf);
            close(fd);
            return ok;
        }
        close(fd);
        int interpreted = script(p, text);
        if (interpreted <= 0)
            return interpreted == 0; // exec decides, and says what is wrong
    }
    return refuse(p, strerror(ELOOP));
}
