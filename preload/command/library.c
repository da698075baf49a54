// library.c: see library.h.
#include "library.h"

#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool library_is_named(const char *path) {
    const char *name = strrchr(path, '/');
    return name != NULL && strncmp(name + 1, "libmound.so", 11) == 0;
}

uint32_t library_version(const char *path) {
    unsigned major, minor, patch;
    const char *name = strrchr(path, '/');
    if (name == NULL ||
        sscanf(name, "/libmound.so.%u.%u.%u", &major, &minor, &patch) != 3)
        return 0;
    return major * 10000 + minor * 100 + patch;
}

// take records a symbol if it is one of mound's.
static void take(const char *name, const GElf_Sym *symbol,
                 struct library *ret) {
    if (symbol->st_shndx == SHN_UNDEF || name == NULL)
        return;
    if (strcmp(name, "mound_stats") == 0)
        ret->stats = symbol->st_value;
    else if (strcmp(name, "mound_layout_heap") == 0)
        ret->heap = symbol->st_value;
    else if (strcmp(name, "mound_layout_mode") == 0)
        ret->mode = symbol->st_value;
    else if (strcmp(name, "mound_layout") == 0) {
        ret->layout = symbol->st_value;
        ret->layout_bytes = symbol->st_size;
    }
}

static void look_in(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                    struct library *ret) {
    Elf_Data *data = elf_getdata(section, NULL);
    if (data == NULL || header->sh_entsize == 0)
        return;
    size_t n = header->sh_size / header->sh_entsize;
    for (size_t i = 0; i < n; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) != NULL)
            take(elf_strptr(elf, header->sh_link, symbol.st_name), &symbol,
                 ret);
    }
}

// look_for searches the symbol tables of one type.
static void look_for(Elf *elf, GElf_Word type, struct library *ret) {
    Elf_Scn *section = NULL;
    while (ret->stats == 0 && (section = elf_nextscn(elf, section)) != NULL) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL && header.sh_type == type)
            look_in(elf, section, &header, ret);
    }
}

// A mapping begins at a page of the kernel; if those are larger, linkers align segments
// to them.
enum { PAGE_BYTES = 4096 };

// read_table reads the layout table from the segment that contains it.
static void read_table(int fd, const GElf_Phdr *segment, struct library *ret) {
    enum { TABLE_BYTES_MAX = 1 << 16 };
    static char table[TABLE_BYTES_MAX];
    uint64_t at = ret->layout - segment->p_vaddr;
    if (ret->layout < segment->p_vaddr || at >= segment->p_filesz ||
        ret->layout_bytes > segment->p_filesz - at ||
        ret->layout_bytes > sizeof table)
        return;
    if (pread(fd, table, ret->layout_bytes, (off_t)(segment->p_offset + at)) ==
        (ssize_t)ret->layout_bytes)
        layout_take(table, ret->layout_bytes, &ret->table);
}

static void look_at_segments(int fd, Elf *elf, struct library *ret) {
    size_t n;
    ret->begin = UINT64_MAX;
    for (size_t i = 0; elf_getphdrnum(elf, &n) == 0 && i < n; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL ||
            segment.p_type != PT_LOAD)
            continue;
        if (ret->layout != 0 && ret->table.n == 0)
            read_table(fd, &segment, ret);
        if (segment.p_vaddr < ret->begin)
            ret->begin = segment.p_vaddr & -(uint64_t)PAGE_BYTES;
    }
}

bool library_read(int fd, struct library *ret) {
    *ret = (struct library){0};
    elf_version(EV_CURRENT);
    // Read, not mapped: the owner of the file may truncate it meanwhile.
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf == NULL)
        return false;
    if (gelf_getclass(elf) == ELFCLASS64) {
        look_for(elf, SHT_DYNSYM, ret);
        look_for(elf, SHT_SYMTAB, ret); // for a program that exports nothing
        look_at_segments(fd, elf, ret);
    }
    elf_end(elf);
    if (ret->stats != 0 && ret->begin != UINT64_MAX)
        return true;
    library_end(ret);
    return false;
}

void library_end(struct library *library) {
    layout_end(&library->table);
}
