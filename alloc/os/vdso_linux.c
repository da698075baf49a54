// vdso_linux.c: see vdso.h. The vDSO is a small shared library. Its symbol
// table is read here, because the dynamic loader would take its lock.
#include "os/vdso.h"

#include <link.h>
#include <stdatomic.h>

#include "base/bits.h"
#include "base/str.h"
#include "os/auxv.h"
#include "os/loaded.h"

enum { PAGE_BYTES = 4096 }; // the vDSO is at least that large

#if defined(__aarch64__)
static const char CLOCK_NAME[] = "__kernel_clock_gettime";
#else
static const char CLOCK_NAME[] = "__vdso_clock_gettime";
#endif

// struct image is the part of the library that a lookup needs.
struct image {
    uintptr_t moved; // memory address minus address in the file
    const ElfW(Sym) * symbols;
    const char *names;
    size_t nsymbols;
};

// gnu_count returns the number of symbols by a GNU hash table: the chain of the
// highest bucket ends with a word whose lowest bit is set.
static size_t gnu_count(const uint32_t *table) {
    enum { HEADER_WORDS = 4 };
    uint32_t nbuckets = table[0], first = table[1], nbloom = table[2];
    const uint32_t *buckets =
        table + HEADER_WORDS + nbloom * (sizeof(ElfW(Addr)) / sizeof *table);
    const uint32_t *chains = buckets + nbuckets;
    uint32_t last = 0;
    for (uint32_t i = 0; i < nbuckets; i++)
        last = buckets[i] > last ? buckets[i] : last;
    if (last < first)
        return first;
    while ((chains[last - first] & 1) == 0)
        last++;
    return last + 1;
}

static bool read_image(uintptr_t base, struct image *ret_image) {
    const struct loaded object = {.start = base, .end = base + PAGE_BYTES};
    const void *headers;
    unsigned nheaders;
    const ElfW(Dyn) *d = NULL;
    struct image image = {0};
    if (!loaded_headers(&object, &headers, &nheaders, &image.moved))
        return false;
    for (unsigned i = 0; i < nheaders; i++) {
        const ElfW(Phdr) *segment = (const ElfW(Phdr) *)headers + i;
        if (segment->p_type == PT_DYNAMIC)
            d = (const ElfW(Dyn) *)(image.moved + segment->p_vaddr);
    }
    for (; d != NULL && d->d_tag != DT_NULL; d++) {
        const void *p = (const void *)(d->d_un.d_ptr + image.moved);
        switch (d->d_tag) {
        case DT_SYMTAB:
            image.symbols = p;
            break;
        case DT_STRTAB:
            image.names = p;
            break;
        case DT_HASH:
            image.nsymbols = ((const uint32_t *)p)[1];
            break;
        case DT_GNU_HASH:
            if (image.nsymbols == 0)
                image.nsymbols = gnu_count(p);
            break;
        default:
            break;
        }
    }
    *ret_image = image;
    return image.symbols != NULL && image.names != NULL;
}

static uintptr_t find(const char *name) {
    struct image image;
    uintptr_t base = auxv_get(AT_SYSINFO_EHDR);
    if (base == 0 || !read_image(base, &image))
        return 0;
    for (size_t i = 0; i < image.nsymbols; i++) {
        const ElfW(Sym) *s = &image.symbols[i];
        if (s->st_shndx != SHN_UNDEF &&
            str_same(image.names + s->st_name, name))
            return image.moved + s->st_value;
    }
    return 0;
}

vdso_clock *vdso_clock_gettime(void) {
    enum { UNKNOWN = 0, NONE = 1 };
    static AT_START _Atomic uintptr_t
        kept; // the first caller writes it; every caller would write the same
    uintptr_t addr = atomic_load_explicit(&kept, memory_order_relaxed);
    if (addr == UNKNOWN) {
        addr = find(CLOCK_NAME);
        addr = addr != 0 ? addr : NONE;
        atomic_store_explicit(&kept, addr, memory_order_relaxed);
    }
    return addr != NONE ? (vdso_clock *)addr : NULL;
}
