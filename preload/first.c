// first.c: see first.h. The loader has recorded where the calls of each name lead (with
// -z now, before any constructor). The address of a function may be another: in a program
// that is not position-independent and takes the address too, it is a stub in the
// program.
#include "first.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "life/process.h"

// Made by the linker; a static program has no _DYNAMIC.
extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak, visibility("hidden")));
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

// struct calls is the part of _DYNAMIC that says where calls lead.
struct calls {
    const ElfW(Rela) * relocations;
    size_t nbytes;
    const ElfW(Sym) * symbols;
    const char *names;
};

// at returns an address in this library. glibc has already relocated some entries.
static const void *at(ElfW(Addr) place) {
    uintptr_t base = (uintptr_t)&__ehdr_start;
    return (const void *)(place < base ? base + place : place);
}

static struct calls find_calls(void) {
    struct calls found = {NULL, 0, NULL, NULL};
    for (const ElfW(Dyn) *d = _DYNAMIC; d != NULL && d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_JMPREL)
            found.relocations = at(d->d_un.d_ptr);
        if (d->d_tag == DT_PLTRELSZ)
            found.nbytes = d->d_un.d_val;
        if (d->d_tag == DT_SYMTAB)
            found.symbols = at(d->d_un.d_ptr);
        if (d->d_tag == DT_STRTAB)
            found.names = at(d->d_un.d_ptr);
    }
    return found;
}

bool first_is(const char *name, const void *own) {
    const struct calls calls = find_calls();
    uintptr_t base = (uintptr_t)&__ehdr_start;
    for (size_t i = 0; i < calls.nbytes / sizeof calls.relocations[0]; i++) {
        const ElfW(Rela) *r = &calls.relocations[i];
        const ElfW(Sym) *symbol = &calls.symbols[ELF64_R_SYM(r->r_info)];
        if (str_same(calls.names + symbol->st_name, name))
            return *(const void *const *)(base + r->r_offset) == own;
    }
    return true; // bound to the library when it was linked
}
