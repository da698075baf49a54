// maps.c: see maps.h. After Go 1.19 runtime/pprof/proto.go, parseProcSelfMaps.
#include "prof/maps.h"

#include <string.h>

#include "base/str.h"
#include "os/sys.h"

// The second works where the first is empty: when the main thread has ended and
// others go on.
static const char *const paths[] = {"/proc/self/maps",
                                    "/proc/thread-self/maps"};

static bool fill(struct maps *list) {
    memmove(list->buf, list->buf + list->next, list->end - list->next);
    list->end -= list->next;
    list->next = 0;
    long n = sys_read(list->fd, list->buf + list->end, list->nbuf - list->end);
    if (n > 0)
        list->end += (size_t)n;
    return n > 0;
}

void maps_open(struct maps *list, char *buf, size_t nbuf) {
    *list = (struct maps){.fd = -1, .buf = buf, .nbuf = nbuf};
    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        list->fd = sys_open_read(paths[i]);
        if (list->fd < 0)
            continue;
        if (fill(list))
            return;
        maps_close(list);
    }
}

void maps_close(struct maps *list) {
    if (list->fd >= 0)
        sys_close(list->fd);
    list->fd = -1;
}

static char *find_newline(struct maps *list) {
    for (size_t i = list->next; i < list->end; i++)
        if (list->buf[i] == '\n')
            return &list->buf[i];
    return NULL;
}

// next_piece returns the next line, or a piece of one that does not fit into the
// buffer, ended by a NUL; or NULL. *ret_cut: there is more of it.
static char *next_piece(struct maps *list, bool *ret_cut) {
    char *newline = find_newline(list);
    while (newline == NULL && list->fd >= 0 && fill(list))
        newline = find_newline(list);
    *ret_cut = newline == NULL;
    if (newline == NULL && list->end < list->nbuf)
        return NULL;
    if (newline == NULL)
        newline = &list->buf[list->nbuf - 1];
    char *piece = list->buf + list->next;
    *newline = '\0';
    list->next = (size_t)(newline + 1 - list->buf);
    return piece;
}

// next_line returns the next line, or its beginning, or NULL.
static char *next_line(struct maps *list) {
    char *piece;
    bool rest;
    do {
        rest = list->cut;
        piece = next_piece(list, &list->cut);
    } while (piece != NULL && rest);
    return piece;
}

static uint64_t take_hex(char **s) {
    uint64_t n = 0;
    for (;; (*s)++) {
        char c = **s;
        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            return n;
    }
}

static void skip_field(char **s) {
    while (**s != ' ' && **s != '\0')
        (*s)++;
    while (**s == ' ')
        (*s)++;
}

// parse reads
//     55d0c0de0000-55d0c0de1000 r-xp 00000000 fe:00 1234      /usr/bin/prog
// and returns false if that is no such line.
static bool parse(char *s, struct maps_line *ret_line) {
    struct maps_line l;
    l.start = take_hex(&s);
    if (*s++ != '-')
        return false;
    l.limit = take_hex(&s);
    if (*s++ != ' ' || str_len(s) < 4 || l.limit <= l.start)
        return false;
    l.executable = s[2] == 'x';
    skip_field(&s); // permissions
    l.offset = take_hex(&s);
    skip_field(&s); // what is left of it: nothing
    skip_field(&s); // device
    l.no_file = s[0] == '0' && (s[1] == ' ' || s[1] == '\0');
    skip_field(&s); // inode
    l.name = s;
    *ret_line = l;
    return true;
}

bool maps_next(struct maps *list, struct maps_line *ret_line) {
    char *line;
    while ((line = next_line(list)) != NULL)
        if (parse(line, ret_line))
            return true;
    return false;
}

size_t maps_next_text(struct maps *list, const char **ret_text) {
    if (list->next == list->end && (list->fd < 0 || !fill(list)))
        return 0;
    size_t n = list->end - list->next;
    *ret_text = list->buf + list->next;
    list->next = list->end;
    return n;
}
