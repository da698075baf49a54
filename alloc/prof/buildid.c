// buildid.c: see buildid.h. It is found by program headers, as google/pprof's elfexec
// does, since a stripped file may have no sections.
#include "prof/buildid.h"

#include <string.h>

#include "base/bits.h"
#include "os/sys.h"
#include "prof/elf.h"

// Files have a handful of notes; a broken one may claim any number.
enum { NOTES_MAX = 64 };

size_t buildid_write(const uint8_t *bytes, size_t n,
                     char ret_text[BUILDID_TEXT]) {
    for (size_t i = 0; i < n; i++) {
        ret_text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        ret_text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    ret_text[2 * n] = '\0';
    return 2 * n;
}

static size_t read_id(int fd, uint64_t offset, size_t n,
                      char ret_text[BUILDID_TEXT]) {
    uint8_t bytes[BUILDID_BYTES];
    if (n > sizeof bytes || !elf_read_at(fd, offset, bytes, n))
        return 0;
    return buildid_write(bytes, n, ret_text);
}

// find_in_notes looks for the build id in a segment of notes.
static size_t find_in_notes(int fd, uint64_t offset, uint64_t nbytes,
                            char ret_text[BUILDID_TEXT]) {
    struct elf_note note;
    for (int i = 0; i < NOTES_MAX && nbytes >= sizeof note; i++) {
        if (!elf_read_at(fd, offset, &note, sizeof note))
            return 0;
        uint64_t text_at =
            ELF_NOTE_HEAD + align_up(note.name_bytes, ELF_NOTE_ALIGN);
        uint64_t next = text_at + align_up(note.text_bytes, ELF_NOTE_ALIGN);
        if (text_at + note.text_bytes > nbytes)
            return 0;
        if (note.type == ELF_NOTE_BUILD_ID && note.name_bytes == 4 &&
            memcmp(note.name, "GNU", 4) == 0)
            return read_id(fd, offset + text_at, note.text_bytes, ret_text);
        if (next >= nbytes)
            return 0;
        offset += next;
        nbytes -= next;
    }
    return 0;
}

static size_t find_in_file(int fd, char ret_text[BUILDID_TEXT]) {
    struct elf_header h;
    if (!elf_read_at(fd, 0, &h, sizeof h) || !elf_is_ours(&h) ||
        h.segment_bytes != sizeof(struct elf_segment))
        return 0;
    size_t n = 0;
    for (unsigned i = 0; i < h.nsegments && i < ELF_SEGMENTS_MAX && n == 0;
         i++) {
        struct elf_segment s;
        if (!elf_read_at(fd, h.segments_at + i * sizeof s, &s, sizeof s))
            return 0;
        if (s.type == ELF_SEGMENT_NOTES)
            n = find_in_notes(fd, s.offset, s.nbytes, ret_text);
    }
    return n;
}

size_t buildid_of_file(const char *path, char ret_text[BUILDID_TEXT]) {
    // Opening a pipe may block, and opening a device may have any effect.
    if (sys_is_special(path))
        return 0;
    int fd = sys_open_read(path);
    if (fd < 0)
        return 0;
    size_t n = find_in_file(fd, ret_text);
    sys_close(fd);
    return n;
}
