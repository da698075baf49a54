// stacktext.c: see stacktext.h. The list of mappings is read once, and each module of
// a frame is found on the way.
//
// A module is one ELF image in memory, made of several mappings. Its end and
// its addresses are in its headers, which the loader maps with its first page.
// File names and offsets are not enough: two mappings of one module may map the
// same part of the file, and two images of the same file may be adjacent.
#include "prof/stacktext.h"

#include <string.h>

#include "base/bits.h"
#include "base/str.h"
#include "base/turn.h"
#include "os/fault.h"
#include "os/filter.h"
#include "os/sys.h"
#include "os/unwind.h"
#include "prof/elf.h"
#include "prof/maps.h"
#include "prof/symbols.h"

enum {
    LINE_BYTES = 384, // paths are cut to what fits
    NAMES_BYTES = 512,
    NAME_NONE = NAMES_BYTES,
    STACKTEXT_SHORT = 3, // frames
};

// struct module: addresses in [start, end) are bias above those in the file.
struct module {
    uintptr_t start;
    uintptr_t end;
    uintptr_t bias;
    bool elf;
    unsigned name; // in names, or NAME_NONE until a frame is in it
};

// peek reads memory that may not be mapped.
static bool peek(uintptr_t addr, void *ret, size_t n) {
    uint64_t word;
    for (size_t at = 0; at < n; at += sizeof word) {
        if (!fault_peek(addr + at, &word))
            return false;
        memcpy((char *)ret + at, &word, sizeof word);
    }
    return true;
}

// add_segment extends a module to the end of one of its segments.
static void add_segment(struct module *m, const struct elf_segment *s,
                        bool first) {
    if (first)
        m->bias =
            m->start - align_down(s->address - s->offset, sys_page_size());
    uintptr_t end =
        align_up(m->bias + s->address + s->memory_bytes, sys_page_size());
    if (end > m->end)
        m->end = end;
}

// read_headers fills a module in from the ELF headers at its start.
static bool read_headers(struct module *m) {
    struct elf_header h;
    struct elf_segment s;
    if (!peek(m->start, &h, sizeof h) || !elf_is_64(&h) ||
        h.segment_bytes != sizeof s)
        return false;
    bool first = true;
    struct module found = *m;
    for (unsigned i = 0; i < h.nsegments && i < ELF_SEGMENTS_MAX; i++) {
        if (!peek(m->start + h.segments_at + i * sizeof s, &s, sizeof s))
            return false;
        if (s.type != ELF_SEGMENT_LOAD)
            continue;
        add_segment(&found, &s, first);
        first = false;
    }
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

// add_name stores a path, or its last component, or nothing, depending on the
// room left.
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
static struct module module_of(const struct maps_line *m,
                               const struct module *last) {
    if (last->elf && m->start < last->end)
        return *last;
    struct module new = {m->start, m->limit, m->start - m->offset, false,
                         NAME_NONE};
    if (m->offset == 0 && m->name[0] != '\0')
        new.elf = read_headers(&new);
    return new;
}

// find_frames looks for the addresses in one mapping.
static void find_frames(struct frames *f, const struct maps_line *m,
                        struct module *module) {
    for (unsigned i = 0; i < f->npcs; i++) {
        if (f->pcs[i] < m->start || f->pcs[i] >= m->limit)
            continue;
        if (module->name == NAME_NONE && m->name[0] != '\0')
            module->name = add_name(f, m->name);
        f->name[i] = (uint16_t)module->name;
        f->offset[i] = f->pcs[i] - module->bias;
    }
}

static void read_maps(struct frames *f) {
    char buf[LINE_BYTES];
    struct maps list;
    struct maps_line line;
    struct module module = {.name = NAME_NONE};
    uintptr_t highest = 0;
    if (filter_noted())
        return;
    for (unsigned i = 0; i < f->npcs; i++)
        highest = max_size(highest, f->pcs[i]);
    maps_open(&list, buf, sizeof buf);
    while (maps_next(&list, &line) && line.start <= highest) {
        module = module_of(&line, &module);
        find_frames(f, &line, &module);
    }
    maps_close(&list);
}

// The symbol reader is too large for a small stack. If it is in use, as for a
// signal handler that interrupted it, no names are printed.
static struct {
    struct turn turn;
    struct symbols symbols;
    struct symbol found[STACKTEXT_MAX];
} lookup;

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

// call_of returns the address of the call before a return address; the call may
// be the last instruction of its function.
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
    if (npcs >= STACKTEXT_SHORT || mode == UNWIND_LIBUNWIND ||
        !unwind_has_choice() || filter_noted())
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
    bool named = !filter_noted() && turn_take(&lookup.turn, 0) == 0;
    print_frames(out, &f, named);
    if (named)
        turn_give(&lookup.turn);
    print_commands(out, &f);
    print_hint(out, f.npcs);
}
