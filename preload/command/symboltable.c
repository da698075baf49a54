// symboltable.c: see symboltable.h. libdwfl's own search reads all symbols for each
// address.
#include "symboltable.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

struct symboltable_start {
    GElf_Addr address;
    GElf_Addr end;   // = address if its symbol has no size
    GElf_Addr reach; // the highest end of all entries up to this
    GElf_Addr limit; // end of its section
    const char *name;
    unsigned rank; // less is better
};

static size_t length(const char *name) {
    return strcspn(name, "@"); // without a version
}

static int by_address(const void *a, const void *b) {
    const struct symboltable_start *x = a;
    const struct symboltable_start *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (length(x->name) != length(y->name))
        return length(x->name) < length(y->name) ? -1 : 1;
    return strcmp(x->name, y->name);
}

// section_of returns the header of a symbol's section if it contains code.
static bool section_of(Elf *elf, GElf_Word number, GElf_Shdr *ret) {
    Elf_Scn *section = elf != NULL ? elf_getscn(elf, number) : NULL;
    return section != NULL && gelf_getshdr(section, ret) != NULL &&
           ret->sh_flags & SHF_EXECINSTR;
}

// is_mark says whether a name marks a place and is not a function's.
static bool is_mark(const char *name) {
    return name[0] == '\0' || name[0] == '$' || strncmp(name, ".L", 2) == 0;
}

static bool read_symbol(Dwfl_Module *module, int i,
                        struct symboltable_start *ret) {
    GElf_Sym symbol;
    GElf_Addr address;
    GElf_Word number = SHN_UNDEF;
    Elf *elf = NULL;
    Dwarf_Addr bias = 0;
    GElf_Shdr section = {0};
    const char *name = dwfl_module_getsym_info(module, i, &symbol, &address,
                                               &number, &elf, &bias);
    if (name == NULL || is_mark(name) || number == SHN_UNDEF)
        return false;
    int type = GELF_ST_TYPE(symbol.st_info);
    bool typed = type == STT_FUNC || type == STT_GNU_IFUNC;
    if (!typed && type != STT_NOTYPE)
        return false;
    if ((!typed || symbol.st_size == 0) && !section_of(elf, number, &section))
        return false;
    bool local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL;
    *ret = (struct symboltable_start){.address = address,
                                      .end = address + symbol.st_size,
                                      .limit = section.sh_addr + bias +
                                               section.sh_size,
                                      .name = name,
                                      .rank = 2 * !typed + local};
    return true;
}

void symboltable_read(Dwfl_Module *module, struct symboltable *ret) {
    int n = dwfl_module_getsymtab(module);
    size_t capacity = 0;
    *ret = (struct symboltable){.n = 0};
    for (int i = 1; i < n; i++) {
        ret->starts =
            store_grow(ret->starts, ret->n, &capacity, sizeof ret->starts[0]);
        if (read_symbol(module, i, &ret->starts[ret->n]))
            ret->n++;
    }
    if (ret->n == 0)
        return;
    qsort(ret->starts, ret->n, sizeof ret->starts[0], by_address);
    GElf_Addr reach = 0;
    for (size_t i = 0; i < ret->n; i++) {
        if (ret->starts[i].end > reach)
            reach = ret->starts[i].end;
        ret->starts[i].reach = reach;
    }
}

void symboltable_free(struct symboltable *t) {
    free(t->starts);
    *t = (struct symboltable){.n = 0};
}

const char *symboltable_find(const struct symboltable *t, GElf_Addr address,
                             GElf_Addr *ret_start, bool *ret_sure) {
    size_t low = 0; // number of entries that start at address or before
    for (size_t high = t->n; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (t->starts[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    // The innermost that covers it, since a part may have its own name; of those that
    // start at one address, the first.
    const struct symboltable_start *found = NULL;
    for (size_t i = low; i > 0 && t->starts[i - 1].reach > address; i--) {
        const struct symboltable_start *s = &t->starts[i - 1];
        if (found != NULL && s->address != found->address)
            break;
        if (s->end > address)
            found = s;
    }
    *ret_sure = found != NULL;
    // Otherwise the last that starts before it and may reach to it.
    for (size_t i = low; found == NULL && i > 0; i--) {
        const struct symboltable_start *s = &t->starts[i - 1];
        if (s->address != t->starts[low - 1].address)
            break;
        if (s->end != s->address || address >= s->limit)
            return NULL;
        if (i == 1 || t->starts[i - 2].address != s->address)
            found = s;
    }
    if (found == NULL)
        return NULL;
    *ret_start = found->address;
    return found->name;
}
