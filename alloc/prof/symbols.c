// symbols.c: see symbols.h. Every number in a file may be anything: nothing is done
// with one but to read there, or not.
#include "prof/symbols.h"

#include <string.h>

#include "os/sys.h"

struct elf_header {
    uint32_t magic;
    uint8_t class;
    uint8_t byte_order;
    uint8_t rest[34];
    uint64_t sections_at;
    uint8_t flags_and_segments[10];
    uint16_t section_bytes;
    uint16_t nsections;
    uint16_t names;
};

struct elf_section {
    uint32_t name;
    uint32_t type;
    uint64_t flags_and_address[2];
    uint64_t offset;
    uint64_t nbytes;
    uint32_t link;
    uint32_t info;
    uint64_t align_and_entry[2];
};

struct elf_symbol {
    uint32_t name;
    uint8_t info;
    uint8_t other;
    uint16_t section;
    uint64_t value;
    uint64_t nbytes;
};

_Static_assert(sizeof(struct elf_header) == 64, "as in the file");
_Static_assert(sizeof(struct elf_section) == 64, "as in the file");
_Static_assert(sizeof(struct elf_symbol) == 24, "as in the file");

enum {
    ELF_MAGIC = 0x464c457f,
    ELF_CLASS_64 = 2,
    ELF_OUR_ORDER = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 : 2,
    SECTION_SYMBOLS = 2,
    SECTION_DYNAMIC = 11,
    SECTIONS_MAX = 1000,
    SYMBOL_FUNCTION = 2,
    SYMBOL_IFUNC = 10,
    SYMBOLS_MAX = 4 << 20,
};

static bool read_at(int fd, uint64_t offset, void *buf, size_t n) {
    return sys_pread(fd, buf, n, offset) == (long)n;
}

// find_tables finds the best table of symbols and the one with its names.
static bool find_tables(int fd, struct elf_section *ret_symbols,
                        struct elf_section *ret_names) {
    struct elf_header h;
    struct elf_section s;
    uint32_t found = 0;
    if (!read_at(fd, 0, &h, sizeof h) || h.magic != ELF_MAGIC ||
        h.class != ELF_CLASS_64 || h.byte_order != ELF_OUR_ORDER ||
        h.section_bytes != sizeof s)
        return false;
    for (unsigned i = 0; i < h.nsections && i < SECTIONS_MAX; i++) {
        if (!read_at(fd, h.sections_at + i * sizeof s, &s, sizeof s))
            return false;
        if (s.type == SECTION_SYMBOLS ||
            (s.type == SECTION_DYNAMIC && found == 0)) {
            found = s.type;
            *ret_symbols = s;
        }
    }
    return found != 0 &&
           read_at(fd, h.sections_at + ret_symbols->link * sizeof s, ret_names,
                   sizeof *ret_names);
}

// take notes a symbol for the addresses that it holds. Of several the smallest
// counts, for a part of a function may have a name of its own.
static void take(const struct elf_symbol *symbol, uint64_t names_at,
                 struct symbol *found, unsigned n) {
    unsigned type = symbol->info & 15;
    if ((type != SYMBOL_FUNCTION && type != SYMBOL_IFUNC) ||
        symbol->section == 0 || symbol->nbytes == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        if (found[i].address - symbol->value < symbol->nbytes &&
            (found[i].nbytes == 0 || symbol->nbytes < found[i].nbytes)) {
            found[i].start = symbol->value;
            found[i].nbytes = symbol->nbytes;
            found[i].name_at = names_at + symbol->name;
        }
}

static void look_up(struct symbols *s, const struct elf_section *symbols,
                    const struct elf_section *names, struct symbol *found,
                    unsigned n) {
    enum { PIECE = sizeof s->buf / sizeof(struct elf_symbol) };
    uint64_t nsymbols = symbols->nbytes / sizeof(struct elf_symbol);
    uint64_t offset = symbols->offset;
    if (nsymbols > SYMBOLS_MAX)
        nsymbols = SYMBOLS_MAX;
    while (nsymbols > 0) {
        struct elf_symbol symbol;
        unsigned piece = nsymbols < PIECE ? (unsigned)nsymbols : PIECE;
        if (!read_at(s->fd, offset, s->buf, piece * sizeof symbol))
            return;
        for (unsigned i = 0; i < piece; i++) {
            memcpy(&symbol, s->buf + i * sizeof symbol, sizeof symbol);
            take(&symbol, names->offset, found, n);
        }
        offset += piece * sizeof symbol;
        nsymbols -= piece;
    }
}

bool symbols_open(struct symbols *s, const char *path, struct symbol *found,
                  unsigned n) {
    struct elf_section symbols;
    struct elf_section names;
    // To open a pipe may wait for ever, and a device may do anything.
    if (sys_is_special(path))
        return false;
    s->fd = sys_open_read(path);
    if (s->fd < 0)
        return false;
    for (unsigned i = 0; i < n; i++)
        found[i].nbytes = 0;
    if (find_tables(s->fd, &symbols, &names)) {
        look_up(s, &symbols, &names, found, n);
        return true;
    }
    sys_close(s->fd);
    return false;
}

const char *symbols_name(struct symbols *s, const struct symbol *found) {
    long n = found->nbytes == 0
                 ? 0
                 : sys_pread(s->fd, s->buf, SYMBOLS_NAME_MAX, found->name_at);
    s->buf[n > 0 ? n : 0] = '\0';
    for (char *c = s->buf; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    return s->buf;
}

void symbols_close(struct symbols *s) {
    sys_close(s->fd);
}
