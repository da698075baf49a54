// elf.h: what we read of 64-bit ELF files, in files and in memory. Every number
// in one may be wrong: each is checked before anything is read by it.
#ifndef MOUND_PROF_ELF_H
#define MOUND_PROF_ELF_H

#include "base/compiler.h"
#include "os/sys.h"

struct elf_header {
    uint32_t magic;
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
    uint16_t section_bytes;
    uint16_t nsections;
    uint16_t names;
};

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t physical;
    uint64_t nbytes; // in the file
    uint64_t memory_bytes;
    uint64_t align;
};

struct elf_section {
    uint32_t name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    uint64_t offset;
    uint64_t nbytes;
    uint32_t link;
    uint32_t info;
    uint64_t align;
    uint64_t entry_bytes;
};

struct elf_symbol {
    uint32_t name;
    uint8_t info;
    uint8_t other;
    uint16_t section;
    uint64_t value;
    uint64_t nbytes;
};

struct elf_note {
    uint32_t name_bytes;
    uint32_t text_bytes;
    uint32_t type;
    char name[4]; // of a GNU note
};

_Static_assert(sizeof(struct elf_header) == 64, "as in the file");
_Static_assert(sizeof(struct elf_segment) == 56, "as in the file");
_Static_assert(sizeof(struct elf_section) == 64, "as in the file");
_Static_assert(sizeof(struct elf_symbol) == 24, "as in the file");
_Static_assert(sizeof(struct elf_note) == 16, "as in the file");

enum {
    ELF_MAGIC = 0x464c457f,
    ELF_CLASS_64 = 2,
    ELF_OUR_ORDER = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 : 2,
    ELF_SEGMENT_LOAD = 1,
    ELF_SEGMENT_NOTES = 4,
    ELF_SECTION_SYMBOLS = 2,
    ELF_SECTION_DYNAMIC = 11,
    ELF_SYMBOL_FUNCTION = 2,
    ELF_SYMBOL_IFUNC = 10,
    ELF_NOTE_HEAD = 12, // before its name
    ELF_NOTE_ALIGN = 4,
    ELF_NOTE_BUILD_ID = 3,
    // Files have a dozen segments; a broken one may claim any number.
    ELF_SEGMENTS_MAX = 64,
};

// elf_is_64 says whether this is the header of an ELF file of 64 bits, and elf_is_ours
// whether it is in our byte order, too, as all that is loaded here.
static inline bool elf_is_64(const struct elf_header *h) {
    return h->magic == ELF_MAGIC && h->class == ELF_CLASS_64;
}

static inline bool elf_is_ours(const struct elf_header *h) {
    return elf_is_64(h) && h->byte_order == ELF_OUR_ORDER;
}

// elf_read_at reads n bytes of a file; false: they are not all there.
static inline bool elf_read_at(int fd, uint64_t offset, void *buf, size_t n) {
    return sys_pread(fd, buf, n, offset) == (long)n;
}

#endif // MOUND_PROF_ELF_H
