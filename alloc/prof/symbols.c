// symbols.c: see symbols.h.
#include "prof/symbols.h"

#include <string.h>

#include "os/sys.h"
#include "prof/elf.h"

enum {
    SECTIONS_MAX = 1000,
    SYMBOLS_MAX = 4 << 20,
};

// find_tables finds the best table of symbols and the one with its names.
static bool find_tables(int fd, struct elf_section *ret_symbols,
                        struct elf_section *ret_names) {
    struct elf_header h;
    struct elf_section s;
    uint32_t found = 0;
    if (!elf_read_at(fd, 0, &h, sizeof h) || !elf_is_ours(&h) ||
        h.section_bytes != sizeof s)
        return false;
    for (unsigned i = 0; i < h.nsections && i < SECTIONS_MAX; i++) {
        if (!elf_read_at(fd, h.sections_at + i * sizeof s, &s, sizeof s))
            return false;
        if (s.type == ELF_SECTION_SYMBOLS ||
            (s.type == ELF_SECTION_DYNAMIC && found == 0)) {
            found = s.type;
            *ret_symbols = s;
        }
    }
    return found != 0 &&
           elf_read_at(fd, h.sections_at + ret_symbols->link * sizeof s,
                       ret_names, sizeof *ret_names);
}

// take notes a symbol for the addresses in it. Of several the smallest is used,
// because a part of a function may have its own name.
static void take(const struct elf_symbol *symbol, uint64_t names_at,
                 struct symbol *found, unsigned n) {
    unsigned type = symbol->info & 15;
    if ((type != ELF_SYMBOL_FUNCTION && type != ELF_SYMBOL_IFUNC) ||
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
        if (!elf_read_at(s->fd, offset, s->buf, piece * sizeof symbol))
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
    // Opening a pipe may block, and opening a device may have any effect.
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
