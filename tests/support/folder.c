// folder.c: see folder.h.
#include "folder.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NBUFFERS = 4, MAX_PATH = 600 };

struct folder folder_make(void) {
    struct folder f;
    const char *tmp = getenv("TMPDIR");
    snprintf(f.path, sizeof f.path, "%s/mound-test-XXXXXX", tmp ? tmp : "/tmp");
    cr_assert(mkdtemp(f.path), "mkdtemp %s: %s", f.path, strerror(errno));
    return f;
}

void folder_remove(const struct folder *f) {
    DIR *dir = opendir(f->path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        unlink(folder_join(f, e->d_name));
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(f->path);
}

const char *folder_join(const struct folder *f, const char *name) {
    static char buffers[NBUFFERS][MAX_PATH];
    static int turn;
    char *path = buffers[turn++ % NBUFFERS];
    snprintf(path, MAX_PATH, "%s/%s", f->path, name);
    return path;
}

int folder_count(const struct folder *f, const char *prefix,
                 char ret_name[256]) {
    int n = 0;
    DIR *dir = opendir(f->path);
    cr_assert(dir, "opendir %s: %s", f->path, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] != '.' || prefix[0] == '.') {
            if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
                n++;
                if (ret_name) {
                    snprintf(ret_name, 256, "%s", e->d_name);
                }
            }
        }
    }
    closedir(dir);
    return n;
}

bool folder_has(const struct folder *f, const char *name) {
    struct stat st;
    return lstat(folder_join(f, name), &st) == 0;
}

char *folder_read(const struct folder *f, const char *name, size_t *ret_size) {
    struct stat st;
    const char *path = folder_join(f, name);
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return NULL;
    }
    FILE *file = fopen(path, "re");
    cr_assert(file, "open %s: %s", path, strerror(errno));
    char *text = calloc(1, (size_t)st.st_size + 1);
    size_t n = fread(text, 1, (size_t)st.st_size, file);
    fclose(file);
    if (ret_size) {
        *ret_size = n;
    }
    return text;
}

void folder_write(const struct folder *f, const char *name, const char *text) {
    FILE *file = fopen(folder_join(f, name), "we");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0,
              "cannot write %s", name);
}
