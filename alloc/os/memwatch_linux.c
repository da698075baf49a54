// memwatch_linux.c: see memwatch.h.
#include "os/memwatch.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "base/str.h"
#include "os/loaded.h"

enum {
    // A jump to any address is no longer than this, on all architectures.
    CODE_BYTES = 16,
#if defined(__aarch64__)
    SLOT_RELOCATION = R_AARCH64_JUMP_SLOT,
    DATA_RELOCATION = R_AARCH64_GLOB_DAT,
#elif defined(__x86_64__)
    SLOT_RELOCATION = R_X86_64_JUMP_SLOT,
    DATA_RELOCATION = R_X86_64_GLOB_DAT,
#else
    SLOT_RELOCATION = -1,
    DATA_RELOCATION = -2,
#endif
};

// struct watched is one of libc's functions. slot is the loader's entry through
// which our calls go; others may change it.
struct watched {
    const char *name;
    const uintptr_t *slot; // NULL: not found, as in a static program
    uintptr_t function;    // what the slot held at the start
    bool replaced;         // that was not libc's own function
    unsigned char code[CODE_BYTES];
};

static struct watched advise = {.name = "madvise"}, unmap = {.name = "munmap"};
static AT_START bool (*leave_slow_path)(
    uintptr_t *ret_saved); // NULL: not started
static AT_START void (*enter_again)(const uintptr_t *saved);

// This library's dynamic section. Weak: a static program has none.
extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak, visibility("hidden")));

// struct object is the library that holds an address.
struct object {
    uintptr_t addr;
    uintptr_t moved; // from the addresses in the file to those in memory
    uintptr_t start;
    uintptr_t end;
    bool found;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *arg) {
    struct object *o = arg;
    (void)size;
    o->start = UINTPTR_MAX;
    o->end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        o->start = start < o->start ? start : o->start;
        o->end = start + segment->p_memsz > o->end ? start + segment->p_memsz
                                                   : o->end;
    }
    o->moved = info->dlpi_addr;
    o->found = o->addr - o->start < o->end - o->start && o->start < o->end;
    return o->found;
}

// By dl_iterate_phdr only if there is no other way: sanitizers interpose it,
// and their version is not ready when we start.
static struct object object_of(uintptr_t addr) {
    struct object o = {.addr = addr};
    struct loaded l;
    const void *headers;
    unsigned nheaders;
    if (!loaded_can_find()) {
        int (*iterate)(int (*)(struct dl_phdr_info *, size_t, void *), void *);
        *(void **)&iterate = dlsym(RTLD_DEFAULT, "dl_iterate_phdr");
        if (iterate != NULL)
            iterate(look_at, &o);
    } else if (loaded_find(addr, &l)) {
        o.start = l.start;
        o.end = l.end;
        o.found = loaded_headers(&l, &headers, &nheaders, &o.moved);
    }
    return o;
}

// struct relocations is a table of the loader's entries.
struct relocations {
    const ElfW(Rela) * entries;
    size_t nbytes;
};

// look_in finds the slots of both functions in a table of relocations.
static void look_in(const struct relocations *table, const ElfW(Sym) * symbols,
                    const char *names, uintptr_t moved) {
    size_t n = table->nbytes / sizeof *table->entries;
    for (size_t i = 0; i < n && (advise.slot == NULL || unmap.slot == NULL);
         i++) {
        const ElfW(Rela) *r = &table->entries[i];
        long type = (long)ELF64_R_TYPE(r->r_info);
        if (type != SLOT_RELOCATION && type != DATA_RELOCATION)
            continue;
        const char *name = names + symbols[ELF64_R_SYM(r->r_info)].st_name;
        struct watched *w = name[0] == 'm' && name[1] == 'a' ? &advise : &unmap;
        if (str_same(name, w->name))
            w->slot = (const uintptr_t *)(moved + r->r_offset);
    }
}

static void find_slots(void) {
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    struct relocations calls = {NULL, 0}, others = {NULL, 0};
    struct object own = object_of((uintptr_t)&advise);
    for (const ElfW(Dyn) *d = _DYNAMIC; d != NULL && d->d_tag != DT_NULL; d++) {
        const void *p = (const void *)d->d_un.d_ptr; // the loader moved it
        switch (d->d_tag) {
        case DT_SYMTAB:
            symbols = p;
            break;
        case DT_STRTAB:
            names = p;
            break;
        case DT_JMPREL:
            calls.entries = p;
            break;
        case DT_PLTRELSZ:
            calls.nbytes = d->d_un.d_val;
            break;
        case DT_RELA:
            others.entries = p;
            break;
        case DT_RELASZ:
            others.nbytes = d->d_un.d_val;
            break;
        default:
            break;
        }
    }
    // Some loaders leave these addresses as they are in the file, and static
    // code has no such tables: then there is nothing to read.
    if (!own.found || (uintptr_t)symbols < own.start ||
        (uintptr_t)names < own.start)
        return;
    if ((uintptr_t)calls.entries >= own.start)
        look_in(&calls, symbols, names, own.moved);
    if ((uintptr_t)others.entries >= own.start)
        look_in(&others, symbols, names, own.moved);
}

// bind resolves both functions where the loader resolves at the first call, as
// in a program that this library is linked into: until then a slot points into
// this library. Neither call has an effect.
static void bind(void) {
    struct object own = object_of((uintptr_t)&advise);
    int error = errno;
    if (advise.slot != NULL && *advise.slot - own.start < own.end - own.start)
        madvise(NULL, 0, MADV_NORMAL);
    if (unmap.slot != NULL && *unmap.slot - own.start < own.end - own.start)
        munmap(NULL, 0);
    errno = error;
}

static void note(struct watched *w, const struct object *libc) {
    if (w->slot == NULL)
        return;
    w->function = *w->slot;
    w->replaced = w->function - libc->start >= libc->end - libc->start;
    memcpy(w->code, (const void *)w->function, sizeof w->code);
}

void memwatch_start(bool (*leave)(uintptr_t *ret_saved),
                    void (*back)(const uintptr_t *saved)) {
    // getauxval: a function of libc that no one has a reason to replace.
    struct object libc = object_of((uintptr_t)&getauxval);
    if (!libc.found)
        return;
    find_slots();
    bind();
    note(&advise, &libc);
    note(&unmap, &libc);
    enter_again = back;
    leave_slow_path = leave;
}

static bool is_watched(const struct watched *w) {
    if (w->slot == NULL)
        return false;
    return w->replaced ||
           __atomic_load_n(w->slot, __ATOMIC_RELAXED) != w->function ||
           memcmp(w->code, (const void *)w->function, sizeof w->code) != 0;
}

bool memwatch_watched(void) {
    return leave_slow_path != NULL &&
           (is_watched(&advise) || is_watched(&unmap));
}

bool memwatch_can_tell(void) {
    uintptr_t saved[MEMWATCH_SAVED];
    if (!leave_slow_path(saved))
        return false;
    enter_again(saved);
    return true;
}

bool memwatch_madvise_away(uintptr_t addr, size_t nbytes) {
    uintptr_t saved[MEMWATCH_SAVED];
    if (!leave_slow_path(saved))
        return false;
    int error = errno;
    bool done = madvise((void *)addr, nbytes, MADV_DONTNEED) == 0;
    errno = error;
    enter_again(saved);
    return done;
}

bool memwatch_munmap(uintptr_t addr, size_t nbytes) {
    uintptr_t saved[MEMWATCH_SAVED];
    if (!leave_slow_path(saved))
        return false;
    int error = errno;
    bool done = munmap((void *)addr, nbytes) == 0;
    errno = error;
    enter_again(saved);
    return done;
}
