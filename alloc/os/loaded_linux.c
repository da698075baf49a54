// loaded_linux.c: loaded.h by glibc's _dl_find_object, which was made for
// unwinders: it reads a sorted table without a lock; dlopen and dlclose replace
// the table.
#include "os/loaded.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/bits.h"

enum {
    PAGE_BYTES = 4096,
    SUM_BYTES = 1024, // the headers and the notes after them
    NOTE_ALIGN = 4,
};

#if defined(DLFO_EH_SEGMENT_TYPE)

#pragma weak _dl_find_object

bool loaded_can_find(void) {
    return _dl_find_object != NULL;
}

static bool has(const struct loaded *object, uintptr_t addr) {
    return addr >= object->start && addr < object->end;
}

bool loaded_find(uintptr_t pc, struct loaded *ret_object) {
    struct dl_find_object found;
    if (!loaded_can_find() || _dl_find_object((void *)pc, &found) != 0)
        return false;
    ret_object->start = (uintptr_t)found.dlfo_map_start;
    ret_object->end = (uintptr_t)found.dlfo_map_end;
    ret_object->eh_frame_hdr = (uintptr_t)found.dlfo_eh_frame;
    ret_object->name = found.dlfo_link_map->l_name;
    ret_object->stays = ret_object->name[0] == '\0' ||
                        has(ret_object, (uintptr_t)loaded_find) ||
                        has(ret_object, (uintptr_t)getauxval);
    return true;
}

#else

bool loaded_can_find(void) {
    return false;
}

bool loaded_find(uintptr_t pc, struct loaded *ret_object) {
    (void)pc;
    (void)ret_object;
    return false;
}

#endif

bool loaded_headers(const struct loaded *object, const void **ret_headers,
                    unsigned *ret_nheaders, uintptr_t *ret_base) {
    const ElfW(Ehdr) *elf = (const void *)object->start;
    if (object->end - object->start < PAGE_BYTES ||
        memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
        elf->e_phentsize != sizeof(ElfW(Phdr)) || elf->e_phoff > PAGE_BYTES ||
        elf->e_phnum > (PAGE_BYTES - elf->e_phoff) / sizeof(ElfW(Phdr)))
        return false;
    const ElfW(Phdr) *headers = (const void *)(object->start + elf->e_phoff);
    for (unsigned i = 0; i < elf->e_phnum; i++)
        if (headers[i].p_type == PT_LOAD) { // segments are sorted by address
            *ret_headers = headers;
            *ret_nheaders = elf->e_phnum;
            *ret_base =
                object->start - align_down(headers[i].p_vaddr, PAGE_BYTES);
            return true;
        }
    return false;
}

uint64_t loaded_sum(const struct loaded *object) {
    enum { LANES = 4 };
    static const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t lane[LANES] = {object->start, object->end, 1, 2};
    const uint64_t *words = (const void *)object->start;
    if (object->end - object->start < SUM_BYTES)
        return 0;
    for (unsigned i = 0; i < SUM_BYTES / sizeof *words; i += LANES)
        for (unsigned k = 0; k < LANES; k++)
            lane[k] = (lane[k] ^ words[i + k]) * odd;
    uint64_t sum = 0;
    for (unsigned k = 0; k < LANES; k++)
        sum = (sum ^ lane[k] ^ lane[k] >> 32) * odd;
    return sum ^ sum >> 32;
}

// take_build_id looks for a build ID in n bytes of notes.
static void take_build_id(const char *p, size_t n, struct loaded_code *code) {
    const char *end = p + n;
    while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)p;
        const char *name = p + sizeof *note;
        size_t left = (size_t)(end - name);
        if (note->n_namesz > left || note->n_descsz > left)
            return;
        size_t desc_at = align_up(note->n_namesz, NOTE_ALIGN);
        size_t size = desc_at + align_up(note->n_descsz, NOTE_ALIGN);
        if (size > left)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(name, "GNU", 4) == 0 &&
            note->n_descsz <= LOADED_BUILD_ID_MAX) {
            code->nbuild_id = note->n_descsz;
            memcpy(code->build_id, name + desc_at, note->n_descsz);
            return;
        }
        p = name + size;
    }
}

bool loaded_code(const struct loaded *object, uintptr_t pc,
                 struct loaded_code *ret_code) {
    const void *headers;
    unsigned n;
    uintptr_t base;
    bool found = false;
    if (!loaded_headers(object, &headers, &n, &base))
        return false;
    ret_code->nbuild_id = 0;
    for (unsigned i = 0; i < n; i++) {
        const ElfW(Phdr) *h = (const ElfW(Phdr) *)headers + i;
        uintptr_t start = base + h->p_vaddr;
        if (start < object->start || h->p_memsz > object->end - start)
            continue;
        if (h->p_type == PT_LOAD && h->p_flags & PF_X && pc >= start &&
            pc - start < h->p_memsz) {
            ret_code->start = align_down(start, PAGE_BYTES);
            ret_code->limit = align_up(start + h->p_filesz, PAGE_BYTES);
            ret_code->offset = align_down(h->p_offset, PAGE_BYTES);
            found = true;
        } else if (h->p_type == PT_NOTE && ret_code->nbuild_id == 0) {
            take_build_id((const char *)start, h->p_filesz, ret_code);
        }
    }
    return found;
}
