// next.c: see next.h. The loader keeps loaded libraries in a list, in search order. Those
// that the program was started with stay in it, in place, until the process ends. Those
// that dlopen adds come after them and may go, so nothing is read after the last library
// of the start.
#include "next.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

static AT_START const struct link_map *own;  // NULL: not known
static AT_START const struct link_map *last; // of the start

#if defined(DLFO_EH_SEGMENT_TYPE)
#pragma weak _dl_find_object

__attribute__((constructor)) static void note_list(void) {
    struct dl_find_object found;
    if (_dl_find_object == NULL || _dl_find_object(&own, &found) != 0)
        return;
    own = last = found.dlfo_link_map;
    while (last->l_next != NULL)
        last = last->l_next;
}
#endif

// struct names is the part of a library that is needed to look a name up.
struct names {
    const uint32_t *hashes;
    const ElfW(Sym) * symbols;
    const ElfW(Half) * versions; // or NULL
    const char *text;
};

// at returns an address in a library. glibc has already relocated most entries.
static const void *at(const struct link_map *map, ElfW(Addr) place) {
    return (const void *)(place < map->l_addr ? map->l_addr + place : place);
}

static struct names names_of(const struct link_map *map) {
    struct names n = {NULL, NULL, NULL, NULL};
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_GNU_HASH)
            n.hashes = at(map, d->d_un.d_ptr);
        else if (d->d_tag == DT_SYMTAB)
            n.symbols = at(map, d->d_un.d_ptr);
        else if (d->d_tag == DT_STRTAB)
            n.text = at(map, d->d_un.d_ptr);
        else if (d->d_tag == DT_VERSYM)
            n.versions = at(map, d->d_un.d_ptr);
    }
    return n;
}

static uint32_t hash_of(const char *name) {
    uint32_t h = 5381;
    for (; *name != '\0'; name++)
        h = h * 33 + (unsigned char)*name;
    return h;
}

// is_default says whether a symbol is the one that a name without a version refers to.
static bool is_default(const struct names *n, uint32_t i) {
    enum { OLD_VERSION = 0x8000 };
    return n->versions == NULL || !(n->versions[i] & OLD_VERSION);
}

// look_in returns the symbol of a name in a library, or NULL. The table: numbers of
// buckets, of the first symbol, of words of the filter; the filter; the first symbol
// of each bucket; of each symbol its hash, whose lowest bit ends a bucket.
static const ElfW(Sym) *
    look_in(const struct names *n, const char *name, uint32_t hash) {
    enum { HEADER = 4 };
    uint32_t nbuckets = n->hashes[0], first = n->hashes[1];
    const uint32_t *buckets =
        n->hashes + HEADER + n->hashes[2] * sizeof(ElfW(Addr)) / sizeof first;
    const uint32_t *chains = buckets + nbuckets;
    uint32_t i = nbuckets > 0 ? buckets[hash % nbuckets] : 0;
    if (i < first)
        return NULL;
    for (;; i++) {
        uint32_t here = chains[i - first];
        const ElfW(Sym) *s = &n->symbols[i];
        if ((here | 1) == (hash | 1) && s->st_shndx != SHN_UNDEF &&
            is_default(n, i) && str_same(n->text + s->st_name, name))
            return s;
        if (here & 1)
            return NULL;
    }
}

void *next_find(const char *name) {
    uint32_t hash = hash_of(name);
    if (own == NULL)
        return dlsym(RTLD_NEXT, name);
    for (const struct link_map *map = own; map != last;) {
        map = map->l_next;
        const struct names n = names_of(map);
        // Without such a table, only dlsym finds it.
        if (n.symbols == NULL || n.text == NULL || n.hashes == NULL)
            return dlsym(RTLD_NEXT, name);
        const ElfW(Sym) *s = look_in(&n, name, hash);
        if (s != NULL)
            return ELF64_ST_TYPE(s->st_info) == STT_FUNC
                       ? (void *)(map->l_addr + s->st_value)
                       : dlsym(RTLD_NEXT, name);
    }
    return NULL;
}
