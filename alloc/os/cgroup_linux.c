// cgroup_linux.c: see cgroup.h.
#include "os/cgroup.h"

#include "os/sys.h"

enum { TEXT_MAX = 4096, PATH_MAX_BYTES = 1024 };

static long read_file(const char *path, char *ret, size_t n) {
    int fd = sys_open_read(path);
    if (fd < 0)
        return -1;
    size_t got = 0;
    long more;
    while (got < n - 1 && (more = sys_read(fd, ret + got, n - 1 - got)) > 0)
        got += (size_t)more;
    sys_close(fd);
    ret[got] = '\0';
    return (long)got;
}

// append adds text at n and returns the new length. A path that is too long is
// cut; no file of that name exists.
static size_t append(char *path, size_t n, const char *text) {
    while (*text != '\0' && n < PATH_MAX_BYTES - 1)
        path[n++] = *text++;
    path[n] = '\0';
    return n;
}

// smaller sets *limit to the number in the file if that is smaller. The number
// that version 1 has for "no limit" is above 1 << 60 and ignored.
static void smaller(const char *path, uint64_t *limit) {
    char text[32];
    uint64_t n = 0;
    const char *s = text;
    if (read_file(path, text, sizeof text) <= 0)
        return;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + (uint64_t)(*s - '0');
    if (s > text && n > 0 && n < (uint64_t)1 << 60 &&
        (*limit == 0 || n < *limit))
        *limit = n;
}

// limits_of reads the limits of a group and of all groups above it. group
// begins with a slash and ends before a newline.
static void limits_of(const char *mount, const char *group, uint64_t *limit) {
    char path[PATH_MAX_BYTES];
    size_t top = append(path, 0, mount);
    size_t n = top;
    while (*group != '\0' && *group != '\n' && n < PATH_MAX_BYTES - 1)
        path[n++] = *group++;
    for (;;) {
        while (n > top && path[n - 1] == '/')
            n--;
        static const char *const files[] = {"/memory.max", "/memory.high",
                                            "/memory.limit_in_bytes"};
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            append(path, n, files[i]);
            smaller(path, limit);
        }
        if (n <= top)
            return;
        while (n > top && path[n - 1] != '/')
            n--;
    }
}

// names_memory says whether memory is among the controllers in a line of
// /proc/self/cgroup. The list ends with a colon.
static bool names_memory(const char *s) {
    static const char memory[] = "memory";
    while (*s != ':' && *s != '\0') {
        size_t i = 0;
        while (i < sizeof memory - 1 && s[i] == memory[i])
            i++;
        if (i == sizeof memory - 1 && (s[i] == ',' || s[i] == ':'))
            return true;
        while (*s != ',' && *s != ':' && *s != '\0')
            s++;
        if (*s == ',')
            s++;
    }
    return false;
}

uint64_t cgroup_limit_in(const char *groups, const char *mount) {
    char memory[PATH_MAX_BYTES];
    uint64_t limit = 0;
    append(memory, append(memory, 0, mount), "/memory");
    // A line is NUMBER:CONTROLLERS:GROUP; in version 2 it is 0::GROUP.
    for (const char *s = groups; *s != '\0';) {
        while (*s != ':' && *s != '\0' && *s != '\n')
            s++;
        const char *controllers = *s == ':' ? s + 1 : s;
        const char *group = controllers;
        while (*group != ':' && *group != '\0' && *group != '\n')
            group++;
        if (*group == ':' && group == controllers)
            limits_of(mount, group + 1, &limit);
        else if (*group == ':' && names_memory(controllers))
            limits_of(memory, group + 1, &limit);
        for (s = group; *s != '\0' && *s++ != '\n';)
            ;
    }
    return limit;
}

uint64_t cgroup_memory_limit(void) {
    char text[TEXT_MAX];
    if (read_file("/proc/self/cgroup", text, sizeof text) <= 0)
        return 0;
    return cgroup_limit_in(text, "/sys/fs/cgroup");
}
