// symbolize.c: see symbolize.h. It goes file by file: all addresses in a file are looked
// up while that is open.
#include "symbolize.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "functionstart.h"
#include "message.h"
#include "names.h"
#include "symboltable.h"

// struct file is a file whose functions are looked up.
struct file {
    struct pprof *p;
    const char *name; // as in the profile
    uint32_t number;  // of name in the strings of p
    Dwfl_Module *module;
    Elf *elf; // of module; its addresses are bias lower
    GElf_Addr bias;
    struct pprof_mapping *mapping; // of the present location
    bool mapped;                   // the open file is the mapped one itself
    struct symboltable symbols;
};

static uint32_t add_function(struct file *f, const char *symbol,
                             const char *source) {
    struct pprof *p = f->p;
    struct pprof_function g = {.system_name = intern_add(&p->strings, symbol),
                               .file = intern_add(&p->strings, source)};
    // Locations of one function are close to one another.
    enum { BACK = 256 };
    for (size_t i = p->nfunctions; i > 0 && i + BACK > p->nfunctions; i--) {
        const struct pprof_function *h = &p->functions[i - 1];
        if (h->system_name == g.system_name && h->file == g.file)
            return (uint32_t)i - 1;
    }
    char *readable = names_readable(symbol);
    g.name = intern_add(&p->strings, readable);
    free(readable);
    p->functions =
        store_grow(p->functions, p->nfunctions, &p->functions_max, sizeof g);
    p->functions[p->nfunctions++] = g;
    return (uint32_t)p->nfunctions - 1;
}

static void add_line(struct file *f, struct pprof_location *l,
                     const char *symbol, const char *source, int line) {
    struct pprof *p = f->p;
    struct pprof_line new = {.function = add_function(f, symbol, source),
                             .line = line};
    p->lines = store_grow(p->lines, p->nlines, &p->lines_max, sizeof new);
    if (l->nlines == 0)
        l->first_line = (uint32_t)p->nlines;
    p->lines[p->nlines++] = new;
    l->nlines++;
    f->mapping->named = true;
    if (line > 0)
        f->mapping->has_lines = true;
    if (l->nlines > 1)
        f->mapping->has_inline = true;
}

// Debug information.

static bool is_function(Dwarf_Die *die) {
    int tag = dwarf_tag(die);
    return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
           tag == DW_TAG_entry_point;
}

// symbol_of returns the linkage name of a function, which says as much as a symbol, or
// its plain name; or NULL.
static const char *symbol_of(Dwarf_Die *die) {
    static const unsigned attributes[] = {DW_AT_linkage_name,
                                          DW_AT_MIPS_linkage_name, DW_AT_name};
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        Dwarf_Attribute attribute;
        const char *name = dwarf_formstring(
            dwarf_attr_integrate(die, attributes[i], &attribute));
        if (name != NULL)
            return name;
    }
    return NULL;
}

static int number_of(Dwarf_Die *die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0)
        return 0;
    return value <= INT32_MAX ? (int)value : 0;
}

// call_file returns the source file from which an inlined function is called.
static const char *call_file(Dwarf_Die *unit, Dwarf_Die *die) {
    Dwarf_Files *files;
    size_t nfiles;
    int file = number_of(die, DW_AT_call_file);
    if (dwarf_getsrcfiles(unit, &files, &nfiles) != 0 || file < 0 ||
        (size_t)file >= nfiles)
        return NULL;
    return dwarf_filesrc(files, (size_t)file, NULL, NULL);
}

// add_debug_lines adds the lines that debug information has for an address.
static void add_debug_lines(struct file *f, struct pprof_location *l,
                            Dwarf_Addr address, const char *symbol) {
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_addrdie(f->module, address, &bias);
    Dwarf_Die *scopes = NULL;
    Dwarf_Die *chain = NULL;
    if (unit == NULL)
        return;
    // Scopes in the source; the outer ones of the innermost by the code.
    int n = dwarf_getscopes(unit, address - bias, &scopes);
    if (n > 0)
        n = dwarf_getscopes_die(&scopes[0], &chain);
    int line = 0;
    const char *source = NULL;
    Dwfl_Line *at = dwfl_module_getsrc(f->module, address);
    if (at != NULL)
        source = dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL);
    for (int i = 0; i < n; i++) {
        if (!is_function(&chain[i]))
            continue;
        bool inlined = dwarf_tag(&chain[i]) == DW_TAG_inlined_subroutine;
        const char *name = symbol_of(&chain[i]);
        if (!inlined && symbol != NULL)
            name = symbol; // the name of a part or a copy
        add_line(f, l, name != NULL ? name : "[no name]",
                 source != NULL ? source : f->name, line);
        if (!inlined)
            break;
        source = call_file(unit, &chain[i]);
        line = number_of(&chain[i], DW_AT_call_line);
    }
    free(scopes);
    free(chain);
}

// Symbols.

// find_symbol returns the symbol that address is in. If no symbol with a size covers it,
// the last one before may belong to another function.
static const char *find_symbol(struct file *f, GElf_Addr address) {
    GElf_Addr start;
    bool sure;
    const char *name = symboltable_find(&f->symbols, address, &start, &sure);
    if (name == NULL || sure)
        return name;
    uint64_t begin = functionstart_find(f->elf, address - f->bias);
    return begin != 0 && start < begin + f->bias ? NULL : name;
}

static void name_location(struct file *f, struct pprof_location *l,
                          GElf_Addr address) {
    const char *found = find_symbol(f, address);
    char *symbol = NULL;
    if (found != NULL) { // cut the version: malloc@@GLIBC_2.2.5
        size_t n = strcspn(found, "@");
        symbol = store_copy(found, n > 0 ? n : strlen(found));
    }
    add_debug_lines(f, l, address, symbol);
    if (l->nlines == 0 && symbol != NULL)
        add_line(f, l, symbol, f->name, 0);
    uint64_t start =
        l->nlines == 0 ? functionstart_find(f->elf, address - f->bias) : 0;
    if (start != 0) {
        const char *slash = strrchr(f->name, '/');
        char *text = store_printf("fn_%#" PRIx64 " (%s)", start,
                                  slash != NULL ? slash + 1 : f->name);
        add_line(f, l, text, f->name, 0);
        free(text);
    }
    free(symbol);
}

// Files.

// address_of converts an offset in the file to an address in its address space, for code.
static bool address_of(Elf *elf, uint64_t offset, uint64_t *ret) {
    size_t nheaders = 0;
    if (elf_getphdrnum(elf, &nheaders) != 0)
        return false;
    for (size_t i = 0; i < nheaders; i++) {
        GElf_Phdr h;
        if (gelf_getphdr(elf, (int)i, &h) != NULL && h.p_type == PT_LOAD &&
            h.p_flags & PF_X && offset >= h.p_offset &&
            offset - h.p_offset < h.p_filesz) {
            *ret = offset - h.p_offset + h.p_vaddr;
            return true;
        }
    }
    return false;
}

// check_same returns NULL if the file is the one that was mapped, or the difference.
static const char *check_same(const struct file *f, const char *build_id,
                              const struct stat *st) {
    const unsigned char *bits = NULL;
    GElf_Addr address;
    int n = dwfl_module_build_id(f->module, &bits, &address);
    struct bytes own = {0};
    for (int i = 0; i < n; i++)
        bytes_printf(&own, "%02x", bits[i]);
    bytes_add(&own, "", 1);
    bool same = strcmp(own.at, build_id) == 0;
    bool has = own.at[0] != '\0';
    bytes_free(&own);
    if (f->mapped && build_id[0] == '\0')
        return NULL; // it was deleted already when the profile was written
    if (!same)
        return !has        ? "the file has changed: it has no build ID"
               : *build_id ? "the file has changed: its build ID is not the "
                             "one in the profile"
                           : "the profile has no build ID of it";
    uint64_t changed_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000u +
                          (uint64_t)st->st_mtim.tv_nsec;
    if (!has && changed_ns >= f->p->time_ns)
        return "without a build ID, it may not be the same file";
    return NULL;
}

static bool is_in(const struct pprof_location *l,
                  const struct pprof_mapping *m) {
    return l->address >= m->start && l->address < m->limit;
}

// name_all names all locations of an open file.
static void name_all(struct file *f, uint32_t build_id) {
    struct pprof *p = f->p;
    for (size_t i = 0; i < p->nlocations; i++) {
        struct pprof_location *l = &p->locations[i];
        if (l->nlines > 0 || l->mapping == PPROF_NONE)
            continue;
        f->mapping = &p->mappings[l->mapping];
        uint64_t address;
        if (f->mapping->file == f->number && f->mapping->build_id == build_id &&
            is_in(l, f->mapping) &&
            address_of(f->elf,
                       l->address - f->mapping->start + f->mapping->offset,
                       &address))
            name_location(f, l, address + f->bias);
    }
}

// look_into names the locations of a file; it returns NULL or what is wrong with it.
static const char *look_into(struct file *f, int fd, uint32_t build_id) {
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .section_address = dwfl_offline_section_address,
    };
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    // Reading a pipe may block for ever, and a device may do anything.
    if (!S_ISREG(st.st_mode))
        return "not a regular file";
    Dwfl *dwfl = dwfl_begin(&callbacks);
    const char *wrong = "there is not enough memory for it";
    if (dwfl != NULL) {
        wrong = NULL;
        dwfl_report_begin(dwfl);
        // By its real path, because debug files are looked for relative to it.
        f->module = dwfl_report_elf(dwfl, f->name, f->name, dup(fd), 0, true);
        dwfl_report_end(dwfl, NULL, NULL);
        if (f->module != NULL)
            f->elf = dwfl_module_getelf(f->module, &f->bias);
        if (f->module == NULL || f->elf == NULL)
            wrong = dwfl_errmsg(-1);
        if (wrong == NULL)
            wrong = check_same(f, pprof_text(f->p, build_id), &st);
        if (wrong == NULL) {
            symboltable_read(f->module, &f->symbols);
            name_all(f, build_id);
            symboltable_free(&f->symbols);
        }
        dwfl_end(dwfl);
    }
    return wrong;
}

// open_file opens the file of a mapping: through the mapping if permitted, which works
// also if another file has its name now; else by its path in the process's container;
// else by its path here.
static int open_file(const struct pprof_mapping *m, struct file *f, pid_t pid) {
    enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
    if (pid > 0) {
        char *path = store_printf("/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
                                  (int)pid, m->start, m->limit);
        int fd = open(path, FLAGS);
        free(path);
        f->mapped = fd >= 0;
        if (fd < 0) {
            path = store_printf("/proc/%d/root%s", (int)pid, f->name);
            fd = open(path, FLAGS);
            free(path);
        }
        if (fd >= 0)
            return fd;
    }
    return open(f->name, FLAGS);
}

// limit_waiting limits the time to fetch one debug file to 10 s, unless the user has set
// another limit.
static void limit_waiting(void) {
    setenv("DEBUGINFOD_TIMEOUT", "10", 0);
    setenv("DEBUGINFOD_MAXTIME", "30", 0);
}

// complain says what is wrong with a file, once: two profiles may have the same files.
static void complain(const char *name, const char *wrong) {
    static struct intern told;
    if (told.n == 0)
        intern_init(&told);
    size_t before = told.n;
    char *text = store_printf("%s: %s", name, wrong);
    intern_add(&told, text);
    if (told.n > before)
        message_error("%s", text);
    free(text);
}

void symbolize_profile(struct pprof *p, pid_t pid) {
    limit_waiting();
    bool *done = store_new(p->nmappings * sizeof done[0]);
    for (size_t i = 0; i < p->nlocations; i++) {
        uint32_t mapping = p->locations[i].mapping;
        if (p->locations[i].nlines > 0 || mapping == PPROF_NONE ||
            done[mapping])
            continue;
        uint32_t build_id = p->mappings[mapping].build_id;
        struct file f = {.p = p,
                         .name = pprof_text(p, p->mappings[mapping].file),
                         .number = p->mappings[mapping].file};
        for (size_t k = 0; k < p->nmappings; k++)
            if (p->mappings[k].file == p->mappings[mapping].file &&
                p->mappings[k].build_id == build_id)
                done[k] = true;
        // [vdso] and anonymous memory have no slash.
        if (p->mappings[mapping].named || f.name[0] != '/')
            continue;
        int fd = open_file(&p->mappings[mapping], &f, pid);
        const char *wrong =
            fd < 0 ? strerror(errno) : look_into(&f, fd, build_id);
        if (fd >= 0)
            close(fd);
        if (wrong != NULL)
            complain(f.name, wrong);
    }
    free(done);
}
