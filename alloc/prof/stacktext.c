// stacktext.c: see stacktext.h. /proc/self/maps is read once, line by line, and
// each module of a frame is found on the way.
//
// A module is one ELF image in memory, made of several mappings. Where it ends,
// and what its addresses are, stands in its headers, which the loader maps with
// its first page. Names and offsets in the file alone would not do: two
// mappings of one module may show the same part of the file, and two images of
// the same file may lie side by side.
#include "prof/stacktext.h"

#include <stdatomic.h>
#include <string.h>

#include "base/bits.h"
#include "base/str.h"
#include "os/fault.h"
#include "os/filter.h"
#include "os/sys.h"
#include "os/unwind.h"
#include "prof/symbols.h"

enum {
    READ_BYTES = 128,
    LINE_BYTES = 320, // paths are cut to what fits
    NAMES_BYTES = 512,
    NAME_NONE = NAMES_BYTES,
    STACKTEXT_SHORT = 3, // frames
};

// struct lines cuts a file into lines.
struct lines {
    int fd;
    unsigned at;
    unsigned n; // bytes in buf
    char buf[READ_BYTES];
    char line[LINE_BYTES]; // ends with NUL
};

// next_line reads the next line and returns false at the end of the file.
static bool next_line(struct lines *l) {
    unsigned n = 0;
    for (;;) {
        if (l->at == l->n) {
            long ret = sys_read(l->fd, l->buf, READ_BYTES);
            if (ret <= 0)
                return false;
            l->at = 0;
            l->n = (unsigned)ret;
        }
        char c = l->buf[l->at++];
        if (c == '\n')
            break;
        if (n + 1 < LINE_BYTES)
            l->line[n++] = c;
    }
    l->line[n] = '\0';
    return true;
}

struct mapping {
    uintptr_t start;
    uintptr_t end;
    uint64_t offset; // in the file
    const char *path;
};

// parse_hex reads digits and the character behind them.
static uint64_t parse_hex(const char **at) {
    uint64_t n = 0;
    for (;; (*at)++) {
        char c = **at;
        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            break;
    }
    if (**at != '\0')
        (*at)++;
    return n;
}

// skip_word passes over a word and the spaces behind it.
static const char *skip_word(const char *s) {
    while (*s != '\0' && *s != ' ')
        s++;
    while (*s == ' ')
        s++;
    return s;
}

// 55d0c0de0000-55d0c0de1000 r--p 00000000 fe:00 1234      /usr/bin/prog
static struct mapping parse(const char *s) {
    struct mapping m;
    m.start = (uintptr_t)parse_hex(&s);
    m.end = (uintptr_t)parse_hex(&s);
    s = skip_word(s); // permissions
    m.offset = parse_hex(&s);
    s = skip_word(s); // device
    m.path = skip_word(s);
    return m;
}

// struct module: addresses in [start, end) are bias above those in the file.
struct module {
    uintptr_t start;
    uintptr_t end;
    uintptr_t bias;
    bool elf;
    unsigned name; // in names, or NAME_NONE until a frame asks
};

// What of the ELF headers is read, in words of 8 bytes.
enum {
    WORD = 8,
    HEADER_WORDS = 8,
    ELF_MAGIC = 0x464c457f,
    ELF_CLASS64 = 2,
    PHDR_BYTES = 56,
    PHDRS_MAX = 64,
    PT_LOAD_ = 1,
};

// read_segment makes a module reach as far as the segment of a header does. It
// returns false if the header cannot be read.
static bool read_segment(uintptr_t header, struct module *m, bool *first) {
    // type and flags, offset, vaddr, paddr, filesz, memsz
    enum { TYPE, OFFSET, VADDR, MEMSZ = 5, NWORDS };
    uint64_t w[NWORDS];
    for (unsigned i = 0; i < NWORDS; i++)
        if (!fault_peek(header + i * WORD, &w[i]))
            return false;
    if ((uint32_t)w[TYPE] != PT_LOAD_)
        return true;
    if (*first)
        m->bias = m->start - align_down(w[VADDR] - w[OFFSET], sys_page_size());
    *first = false;
    uintptr_t end = align_up(m->bias + w[VADDR] + w[MEMSZ], sys_page_size());
    if (end > m->end)
        m->end = end;
    return true;
}

// read_headers fills a module in from the ELF headers at its start.
static bool read_headers(struct module *m) {
    enum { IDENT, PHOFF = 4, SIZES = 6, COUNTS };
    uint64_t w[HEADER_WORDS];
    for (unsigned i = 0; i < HEADER_WORDS; i++)
        if (!fault_peek(m->start + i * WORD, &w[i]))
            return false;
    // at 54: the size of a program header; at 56: their number
    if ((uint32_t)w[IDENT] != ELF_MAGIC ||
        (w[IDENT] >> 32 & 0xff) != ELF_CLASS64 ||
        w[SIZES] >> 48 != PHDR_BYTES || w[PHOFF] % WORD != 0)
        return false;
    uint64_t nheaders = w[COUNTS] & 0xffff;
    bool first = true;
    struct module found = *m;
    for (uint64_t i = 0; i < nheaders && i < PHDRS_MAX; i++)
        if (!read_segment(m->start + w[PHOFF] + i * PHDR_BYTES, &found, &first))
            return false;
    *m = found;
    return !first;
}

// struct frames is what is known of each address.
struct frames {
    const uintptr_t *pcs;
    unsigned npcs;
    unsigned nnames; // bytes in names
    uint16_t name[STACKTEXT_MAX];
    uintptr_t offset[STACKTEXT_MAX];
    char names[NAMES_BYTES];
};

// add_name keeps a path, or its last part, or nothing, as there is room.
static unsigned add_name(struct frames *f, const char *path) {
    size_t room = NAMES_BYTES - f->nnames;
    if (str_len(path) >= room) {
        const char *last = str_find_last(path, '/');
        if (last == NULL || str_len(last + 1) >= room)
            return NAME_NONE;
        path = last + 1;
    }
    unsigned at = f->nnames;
    memcpy(f->names + at, path, str_len(path) + 1);
    f->nnames += (unsigned)str_len(path) + 1;
    return at;
}

// module_of returns the module that a mapping belongs to: the last one, or a
// new one that begins here.
static struct module module_of(const struct mapping *m,
                               const struct module *last) {
    if (last->elf && m->start < last->end)
        return *last;
    struct module new = {m->start, m->end, m->start - m->offset, false,
                         NAME_NONE};
    if (m->offset == 0 && m->path[0] != '\0')
        new.elf = read_headers(&new);
    return new;
}

// find_frames looks for the addresses in one mapping.
static void find_frames(struct frames *f, const struct mapping *m,
                        struct module *module) {
    for (unsigned i = 0; i < f->npcs; i++) {
        if (f->pcs[i] < m->start || f->pcs[i] >= m->end)
            continue;
        if (module->name == NAME_NONE && m->path[0] != '\0')
            module->name = add_name(f, m->path);
        f->name[i] = (uint16_t)module->name;
        f->offset[i] = f->pcs[i] - module->bias;
    }
}

static void read_maps(struct frames *f) {
    struct lines l;
    struct module module = {.name = NAME_NONE};
    uintptr_t highest = 0;
    for (unsigned i = 0; i < f->npcs; i++)
        highest = max_size(highest, f->pcs[i]);
    l.fd = filter_noted() ? -1 : sys_open_read("/proc/self/maps");
    if (l.fd < 0)
        return;
    l.at = l.n = 0;
    while (next_line(&l)) {
        struct mapping m = parse(l.line);
        if (m.start > highest)
            break;
        module = module_of(&m, &module);
        find_frames(f, &m, &module);
    }
    sys_close(l.fd);
}

// What looks names up is too large for a small stack. Who finds it in use, as a
// signal handler does that came in between, prints none.
static struct {
    _Atomic bool used;
    struct symbols symbols;
    struct symbol found[STACKTEXT_MAX];
} lookup;

static bool lookup_begin(void) {
    // acquire: the last one is done; partner: release in lookup_end
    return !filter_noted() &&
           !atomic_exchange_explicit(&lookup.used, true, memory_order_acquire);
}

static void lookup_end(void) {
    atomic_store_explicit(&lookup.used, false, memory_order_release);
}

// in_file says whether frame i is in the file of a name that can be opened.
static bool in_file(const struct frames *f, unsigned i, unsigned name) {
    static const char gone[] = " (deleted)";
    if (name == NAME_NONE || f->name[i] != name || f->names[name] != '/')
        return false;
    size_t n = str_len(f->names + name);
    return n < sizeof gone ||
           !str_same(f->names + name + n + 1 - sizeof gone, gone);
}

// is_first says whether frame i is the first of its file.
static bool is_first(const struct frames *f, unsigned i) {
    for (unsigned k = 0; k < i; k++)
        if (f->name[k] == f->name[i])
            return false;
    return in_file(f, i, f->name[i]);
}

// call_of returns the place of the call that a return address stands behind, which
// may be the last instruction of its function.
static uintptr_t call_of(const struct frames *f, unsigned i) {
    return f->offset[i] - 1;
}

// print_quoted prints a path as a shell takes it for one word.
static void print_quoted(struct print *out, const char *path) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
        "WXYZ0123456789/._-+,:@%=";
    const char *s = path;
    while (*s != '\0' && str_find(plain, *s) != NULL)
        s++;
    if (*s == '\0') {
        print_str(out, path);
        return;
    }
    print_char(out, '\'');
    for (; *path != '\0'; path++)
        if (*path == '\'')
            print_str(out, "'\\''");
        else
            print_char(out, *path);
    print_char(out, '\'');
}

static void print_frame(struct print *out, const struct frames *f, unsigned i,
                        const char *function, uint64_t start) {
    print_str(out, "    #");
    print_u64(out, i);
    print_char(out, ' ');
    print_hex(out, f->pcs[i]);
    if (f->name[i] != NAME_NONE) {
        print_char(out, ' ');
        print_str(out, f->names + f->name[i]);
        print_char(out, '+');
        print_hex(out, f->offset[i]);
    }
    if (function[0] != '\0') {
        print_str(out, " (");
        print_str(out, function);
        print_char(out, '+');
        print_hex(out, f->offset[i] - start);
        print_char(out, ')');
    }
    print_char(out, '\n');
}

// print_frames looks up a file's frames, in order, while the file stays the same.
static void print_frames(struct print *out, const struct frames *f,
                         bool named) {
    for (unsigned i = 0; i < f->npcs;) {
        unsigned end = i + 1;
        while (end < f->npcs && f->name[end] == f->name[i])
            end++;
        struct symbol *found = lookup.found;
        bool open = false;
        if (named && in_file(f, i, f->name[i])) {
            for (unsigned k = i; k < end; k++)
                found[k].address = call_of(f, k);
            open = symbols_open(&lookup.symbols, f->names + f->name[i],
                                &found[i], end - i);
        }
        for (; i < end; i++)
            print_frame(out, f, i,
                        open ? symbols_name(&lookup.symbols, &found[i]) : "",
                        open ? found[i].start : 0);
        if (open)
            symbols_close(&lookup.symbols);
    }
}

// print_commands prints what names lines of the source, ready to be pasted.
static void print_commands(struct print *out, const struct frames *f) {
    for (unsigned i = 0; i < f->npcs; i++) {
        if (!is_first(f, i))
            continue;
        print_str(out, "    addr2line -Cfipe ");
        print_quoted(out, f->names + f->name[i]);
        for (unsigned k = i; k < f->npcs; k++)
            if (f->name[k] == f->name[i]) {
                print_char(out, ' ');
                print_hex(out, call_of(f, k));
            }
        print_char(out, '\n');
    }
}

static void print_hint(struct print *out, unsigned npcs) {
    enum unwind_mode mode = unwind_mode();
    if (npcs >= STACKTEXT_SHORT || mode == UNWIND_LIBUNWIND || filter_noted())
        return;
    print_str(out, "    a short stack: MOUND_UNWIND=");
    print_str(out, mode == UNWIND_FP ? "tables or MOUND_UNWIND=" : "");
    print_str(out, "libunwind may find more\n");
}

void stacktext_print(struct print *out, const uintptr_t *pcs, unsigned npcs) {
    struct frames f;
    f.pcs = pcs;
    f.npcs = npcs < STACKTEXT_MAX ? npcs : STACKTEXT_MAX;
    f.nnames = 0;
    for (unsigned i = 0; i < f.npcs; i++)
        f.name[i] = NAME_NONE;
    read_maps(&f);
    bool named = lookup_begin();
    print_frames(out, &f, named);
    if (named)
        lookup_end();
    print_commands(out, &f);
    print_hint(out, f.npcs);
}
