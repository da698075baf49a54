// elffile.c: see elffile.h. Numbers in a file may be wrong: libelf checks them against
// the file's size, and strings are looked up through it.
#include "elffile.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_segments(Elf *elf, struct elffile *ret) {
    size_t n, nbytes;
    const char *file = elf_rawfile(elf, &nbytes);
    if (elf_getphdrnum(elf, &n) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL)
            continue;
        if (segment.p_type == PT_DYNAMIC)
            ret->dynamic = true;
        if (segment.p_type == PT_INTERP && file != NULL &&
            segment.p_offset < nbytes &&
            segment.p_filesz <= nbytes - segment.p_offset)
            snprintf(ret->interpreter, sizeof ret->interpreter, "%.*s",
                     (int)(segment.p_filesz < sizeof ret->interpreter
                               ? segment.p_filesz
                               : sizeof ret->interpreter - 1),
                     file + segment.p_offset);
    }
}

static void add_version(struct elffile *ret, const char *name) {
    if (name != NULL && strncmp(name, "GLIBC_", 6) == 0 &&
        ret->nversions < ELFFILE_VERSIONS)
        snprintf(ret->versions[ret->nversions++], sizeof ret->versions[0], "%s",
                 name);
}

// read_needs reads which versions of libc.so.6 a file needs.
static void read_needs(Elf *elf, const GElf_Shdr *section, Elf_Data *data,
                       struct elffile *ret) {
    GElf_Verneed need;
    GElf_Vernaux part;
    for (size_t at = 0, n = 0; n < section->sh_info; n++) {
        if (gelf_getverneed(data, (int)at, &need) == NULL)
            return;
        const char *file = elf_strptr(elf, section->sh_link, need.vn_file);
        size_t at_part = at + need.vn_aux;
        for (unsigned i = 0; i < need.vn_cnt; i++) {
            if (gelf_getvernaux(data, (int)at_part, &part) == NULL)
                return;
            if (file != NULL && strcmp(file, "libc.so.6") == 0 &&
                (part.vna_flags & VER_FLG_WEAK) == 0)
                add_version(ret,
                            elf_strptr(elf, section->sh_link, part.vna_name));
            at_part += part.vna_next;
        }
        at += need.vn_next;
    }
}

static void read_has(Elf *elf, const GElf_Shdr *section, Elf_Data *data,
                     struct elffile *ret) {
    GElf_Verdef has;
    GElf_Verdaux name;
    for (size_t at = 0, n = 0; n < section->sh_info; n++) {
        if (gelf_getverdef(data, (int)at, &has) == NULL ||
            gelf_getverdaux(data, (int)(at + has.vd_aux), &name) == NULL)
            return;
        add_version(ret, elf_strptr(elf, section->sh_link, name.vda_name));
        at += has.vd_next;
    }
}

static void note_symbol(const char *name, const GElf_Sym *symbol, bool exported,
                        struct elffile *ret) {
    // Allocators that a program calls under their own names.
    static const char *const others[] = {"_rjem_malloc", "je_malloc",
                                         "mi_malloc", "tc_malloc", "rpmalloc"};
    bool defined = symbol->st_shndx != SHN_UNDEF;
    if (strcmp(name, "PyObject_Malloc") == 0)
        ret->python = true;
    if (strcmp(name, "dlopen") == 0 && !defined)
        ret->opens_libraries = true;
    // As preload/startup.c detects sanitizers.
    if (strcmp(name, "__sanitizer_get_allocated_size") == 0 ||
        strcmp(name, "__asan_init") == 0 || strcmp(name, "__tsan_init") == 0)
        ret->sanitizer = true;
    if (!defined || GELF_ST_TYPE(symbol->st_info) != STT_FUNC)
        return;
    if (strcmp(name, "malloc") == 0) {
        if (exported && GELF_ST_BIND(symbol->st_info) != STB_LOCAL)
            ret->defines_malloc = true;
        else
            ret->hidden_malloc = true;
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            snprintf(ret->other_malloc, sizeof ret->other_malloc, "%s", name);
}

static void read_symbols(Elf *elf, const GElf_Shdr *section, Elf_Data *data,
                         struct elffile *ret) {
    if (section->sh_entsize == 0)
        return;
    size_t n = section->sh_size / section->sh_entsize;
    for (size_t i = 0; i < n; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) == NULL)
            return;
        const char *name = elf_strptr(elf, section->sh_link, symbol.st_name);
        if (name != NULL)
            note_symbol(name, &symbol, section->sh_type == SHT_DYNSYM, ret);
    }
}

static void read_sections(Elf *elf, struct elffile *ret) {
    Elf_Scn *scn = NULL;
    size_t names = 0;
    elf_getshdrstrndx(elf, &names);
    while ((scn = elf_nextscn(elf, scn)) != NULL) {
        GElf_Shdr section;
        if (gelf_getshdr(scn, &section) == NULL)
            continue;
        Elf_Data *data;
        const char *name = elf_strptr(elf, names, section.sh_name);
        if (name != NULL && strcmp(name, ".go.buildinfo") == 0)
            ret->go = true;
        switch (section.sh_type) {
        case SHT_DYNSYM:
        case SHT_SYMTAB:
            if ((data = elf_getdata(scn, NULL)) != NULL)
                read_symbols(elf, &section, data, ret);
            break;
        case SHT_GNU_verneed:
            if ((data = elf_getdata(scn, NULL)) != NULL)
                read_needs(elf, &section, data, ret);
            break;
        case SHT_GNU_verdef:
            if ((data = elf_getdata(scn, NULL)) != NULL)
                read_has(elf, &section, data, ret);
            break;
        default:
            break;
        }
    }
}

bool elffile_read(const char *path, struct elffile *ret) {
    memset(ret, 0, sizeof *ret);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    GElf_Ehdr header;
    bool ok = elf != NULL && elf_kind(elf) == ELF_K_ELF &&
              gelf_getehdr(elf, &header) != NULL;
    if (ok) {
        ret->is64 = gelf_getclass(elf) == ELFCLASS64;
        ret->machine = header.e_machine;
        read_segments(elf, ret);
        read_sections(elf, ret);
        if (ret->defines_malloc)
            ret->hidden_malloc = false;
    }
    elf_end(elf);
    close(fd);
    errno = 0;
    return ok;
}

bool elffile_for_us(const struct elffile *e) {
#if defined(__x86_64__)
    return e->is64 && e->machine == EM_X86_64;
#elif defined(__aarch64__)
    return e->is64 && e->machine == EM_AARCH64;
#else
    return e->is64;
#endif
}

const char *elffile_lacks(const struct elffile *need,
                          const struct elffile *libc) {
    for (unsigned i = 0; i < need->nversions; i++) {
        bool there = false;
        for (unsigned j = 0; j < libc->nversions; j++)
            there = there || strcmp(need->versions[i], libc->versions[j]) == 0;
        if (!there)
            return need->versions[i];
    }
    return NULL;
}
