// mappings.c: see mappings.h. After Go 1.19 runtime/pprof/proto.go,
// parseProcSelfMaps; the build id is found by program headers as
// google/pprof's elfexec does, since a stripped file may have no sections.
#include "prof/mappings.h"

#include <string.h>

#include "base/bits.h"
#include "base/str.h"
#include "os/sys.h"

// The second works where the first is empty: when the main thread has ended and
// others go on.
static const char *const list_paths[] = {"/proc/self/maps",
                                         "/proc/thread-self/maps"};

static bool fill(struct mappings *list) {
    memmove(list->buf, list->buf + list->next, list->end - list->next);
    list->end -= list->next;
    list->next = 0;
    long n =
        sys_read(list->fd, list->buf + list->end, sizeof list->buf - list->end);
    if (n > 0)
        list->end += (size_t)n;
    return n > 0;
}

void mappings_open(struct mappings *list) {
    for (unsigned i = 0; i < 2; i++) {
        list->next = list->end = 0;
        list->fd = sys_open_read(list_paths[i]);
        if (list->fd < 0)
            continue;
        if (fill(list))
            return;
        mappings_close(list);
    }
}

void mappings_close(struct mappings *list) {
    if (list->fd >= 0)
        sys_close(list->fd);
    list->fd = -1;
}

static char *find_newline(struct mappings *list) {
    for (size_t i = list->next; i < list->end; i++)
        if (list->buf[i] == '\n')
            return &list->buf[i];
    return NULL;
}

// next_line returns the next line, ended by a NUL, or NULL. One that does not
// fit into the buffer comes in pieces, of which only the first is a mapping.
static char *next_line(struct mappings *list) {
    char *newline = find_newline(list);
    while (newline == NULL && list->fd >= 0 && fill(list))
        newline = find_newline(list);
    if (newline == NULL && list->end < sizeof list->buf)
        return NULL;
    if (newline == NULL)
        newline = &list->buf[sizeof list->buf - 1];
    char *line = list->buf + list->next;
    *newline = '\0';
    list->next = (size_t)(newline + 1 - list->buf);
    return line;
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

// cut_deleted cuts what the kernel puts behind the name of a removed file.
static bool cut_deleted(char *name) {
    static const char mark[] = " (deleted)";
    size_t n = str_len(name);
    size_t nmark = sizeof mark - 1;
    if (n < nmark || !str_same(name + n - nmark, mark))
        return false;
    name[n - nmark] = '\0';
    return true;
}

// parse reads "start-limit rwxp offset device inode name"; false if that is no
// mapping we want.
static bool parse(char *s, struct mapping *ret_mapping) {
    struct mapping m;
    m.start = take_hex(&s);
    if (*s++ != '-')
        return false;
    m.limit = take_hex(&s);
    if (*s++ != ' ' || str_len(s) < 4 || s[2] != 'x' || m.limit <= m.start)
        return false;
    skip_field(&s); // permissions
    m.offset = take_hex(&s);
    skip_field(&s); // what is left of it: nothing
    skip_field(&s); // device
    bool no_file = s[0] == '0' && (s[1] == ' ' || s[1] == '\0');
    skip_field(&s); // inode
    m.deleted = cut_deleted(s);
    m.name = s;
    *ret_mapping = m;
    return m.name[0] != '\0' || !no_file;
}

bool mappings_next(struct mappings *list, struct mapping *ret_mapping) {
    char *line;
    while ((line = next_line(list)) != NULL)
        if (parse(line, ret_mapping))
            return true;
    return false;
}

size_t mappings_next_text(struct mappings *list, const char **ret_text) {
    if (list->next == list->end && (list->fd < 0 || !fill(list)))
        return 0;
    size_t n = list->end - list->next;
    *ret_text = list->buf + list->next;
    list->next = list->end;
    return n;
}

// What we read of an ELF file of 64 bits. Every number in it may be anything:
// nothing is done with one but to read there, or not.
struct elf_header {
    char magic[4];
    uint8_t class;
    uint8_t byte_order;
    uint8_t ident[10];
    uint8_t type_to_version[8];
    uint64_t entry;
    uint64_t segments_at;
    uint64_t sections_at;
    uint32_t flags;
    uint16_t header_bytes;
    uint16_t segment_bytes;
    uint16_t nsegments;
    uint16_t sections[3];
};

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t addresses[2];
    uint64_t nbytes;
    uint64_t memory_and_align[2];
};

struct elf_note {
    uint32_t name_bytes;
    uint32_t text_bytes;
    uint32_t type;
    char name[4]; // of a GNU note
};

_Static_assert(sizeof(struct elf_header) == 64, "as in the file");
_Static_assert(sizeof(struct elf_segment) == 56, "as in the file");
_Static_assert(sizeof(struct elf_note) == 16, "as in the file");

enum {
    ELF_CLASS_64 = 2,
    ELF_OUR_ORDER = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 : 2,
    ELF_SEGMENT_NOTES = 4,
    ELF_NOTE_HEAD = 12, // before its name
    ELF_NOTE_ALIGN = 4,
    ELF_NOTE_BUILD_ID = 3,
    // Files have a dozen segments and a handful of notes; a broken one may
    // claim any number.
    SEGMENTS_MAX = 64,
    NOTES_MAX = 64,
};

static bool read_at(int fd, uint64_t offset, void *buf, size_t n) {
    return sys_pread(fd, buf, n, offset) == (long)n;
}

static size_t read_hex(int fd, uint64_t offset, size_t n,
                       char ret_text[MAPPINGS_BUILD_ID]) {
    uint8_t bytes[MAPPINGS_BUILD_ID_BYTES];
    if (n > sizeof bytes || !read_at(fd, offset, bytes, n))
        return 0;
    for (size_t i = 0; i < n; i++) {
        ret_text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        ret_text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    ret_text[2 * n] = '\0';
    return 2 * n;
}

// find_in_notes looks for the build id in a segment of notes.
static size_t find_in_notes(int fd, uint64_t offset, uint64_t nbytes,
                            char ret_text[MAPPINGS_BUILD_ID]) {
    struct elf_note note;
    for (int i = 0; i < NOTES_MAX && nbytes >= sizeof note; i++) {
        if (!read_at(fd, offset, &note, sizeof note))
            return 0;
        uint64_t text_at =
            ELF_NOTE_HEAD + align_up(note.name_bytes, ELF_NOTE_ALIGN);
        uint64_t next = text_at + align_up(note.text_bytes, ELF_NOTE_ALIGN);
        if (text_at + note.text_bytes > nbytes)
            return 0;
        if (note.type == ELF_NOTE_BUILD_ID && note.name_bytes == 4 &&
            memcmp(note.name, "GNU", 4) == 0)
            return read_hex(fd, offset + text_at, note.text_bytes, ret_text);
        if (next >= nbytes)
            return 0;
        offset += next;
        nbytes -= next;
    }
    return 0;
}

static size_t find_in_file(int fd, char ret_text[MAPPINGS_BUILD_ID]) {
    struct elf_header h;
    if (!read_at(fd, 0, &h, sizeof h) || memcmp(h.magic, "\177ELF", 4) != 0 ||
        h.class != ELF_CLASS_64 || h.byte_order != ELF_OUR_ORDER ||
        h.segment_bytes != sizeof(struct elf_segment))
        return 0;
    size_t n = 0;
    for (unsigned i = 0; i < h.nsegments && i < SEGMENTS_MAX && n == 0; i++) {
        struct elf_segment s;
        if (!read_at(fd, h.segments_at + i * sizeof s, &s, sizeof s))
            return 0;
        if (s.type == ELF_SEGMENT_NOTES)
            n = find_in_notes(fd, s.offset, s.nbytes, ret_text);
    }
    return n;
}

size_t mappings_build_id(const struct mapping *m,
                         char ret_text[MAPPINGS_BUILD_ID]) {
    // To open a pipe may wait for ever, and a device may do anything.
    if (m->name[0] != '/' || m->deleted || sys_is_special(m->name))
        return 0;
    int fd = sys_open_read(m->name);
    if (fd < 0)
        return 0;
    size_t n = find_in_file(fd, ret_text);
    sys_close(fd);
    return n;
}
