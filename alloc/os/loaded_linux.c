// loaded_linux.c: loaded.h with glibc's dl_iterate_phdr, which counts what was
// loaded. All that is written here is written in its callback, under the loader's
// lock.
#include "os/loaded.h"

#include <link.h>
#include <string.h>

#include "base/bits.h"
#include "os/syscall.h"

// ThreadSanitizer does not know the loader's lock.
#define UNDER_LOADER_LOCK __attribute__((no_sanitize_thread))

enum {
    PLACES_MAX = 512,
    NOTE_ALIGN = 4,
    NOTES_BYTES_MAX = 4096,
    ID_NONE = 0,
    ID_PROGRAM = 1, // which stays where it is
};

// struct place is where a library is or was.
struct place {
    uintptr_t start;
    uintptr_t end;
    uint64_t id; // of its contents, or ID_NONE
};

static struct place places[PLACES_MAX]; // no two overlap
static unsigned nplaces;
static uint64_t nloads;   // libraries loaded, ever, when last looked
static uint64_t nunloads; // and of them unloaded
static uint32_t nreplaced;

// readable says whether n bytes, less than a page, can be read. A signal handler
// may have interrupted dlclose in this thread: then the list has a library whose
// memory is gone. There is no how ~0, but the kernel reads the set first.
static bool readable(const void *p, size_t n) {
    enum { SIGNALS_BYTES = 8 };
    const char *last = (const char *)p + n - SIGNALS_BYTES;
    return n >= SIGNALS_BYTES &&
           syscall4(SYS_rt_sigprocmask, ~0, p, 0, SIGNALS_BYTES) == -EINVAL &&
           syscall4(SYS_rt_sigprocmask, ~0, last, 0, SIGNALS_BYTES) == -EINVAL;
}

static uint64_t hash(const unsigned char *p, size_t n) {
    uint64_t h = 0xcbf29ce484222325u; // FNV-1a
    while (n-- > 0)
        h = (h ^ *p++) * 0x100000001b3u;
    return h > ID_PROGRAM ? h : ~h;
}

// build_id returns a hash of the build ID in n bytes of notes, or ID_NONE.
static uint64_t build_id(const char *p, size_t n) {
    const char *end = p + n;
    while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)p;
        const char *name = p + sizeof *note;
        size_t left = (size_t)(end - name);
        if (note->n_namesz > left || note->n_descsz > left)
            break;
        size_t desc_at = align_up(note->n_namesz, NOTE_ALIGN);
        size_t size = desc_at + align_up(note->n_descsz, NOTE_ALIGN);
        if (size > left)
            break;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(name, "GNU", 4) == 0)
            return hash((const unsigned char *)name + desc_at, note->n_descsz);
        p = name + size;
    }
    return ID_NONE;
}

// place_of returns an empty place for a library that is not quite there.
static struct place place_of(const struct dl_phdr_info *info) {
    struct place place = {UINTPTR_MAX, 0, ID_NONE};
    if (info->dlpi_name[0] == '\0')
        place.id = ID_PROGRAM;
    if (!readable(info->dlpi_phdr, info->dlpi_phnum * sizeof *info->dlpi_phdr))
        return place;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        uintptr_t end = start + segment->p_memsz;
        if (segment->p_type == PT_LOAD) {
            place.start = start < place.start ? start : place.start;
            place.end = end > place.end ? end : place.end;
        } else if (segment->p_type == PT_NOTE && place.id == ID_NONE &&
                   segment->p_memsz <= NOTES_BYTES_MAX &&
                   readable((const void *)start, segment->p_memsz)) {
            place.id = build_id((const char *)start, segment->p_memsz);
        }
    }
    return place;
}

UNDER_LOADER_LOCK static bool overlap(const struct place *a,
                                      const struct place *b) {
    return a->start < b->end && b->start < a->end;
}

UNDER_LOADER_LOCK static bool same(const struct place *a,
                                   const struct place *b) {
    return a->start == b->start && a->end == b->end && a->id == b->id;
}

// note_place enters a library. One without an ID is taken for another one than
// was there if it can be.
UNDER_LOADER_LOCK static void note_place(const struct place *place,
                                         bool unloaded) {
    bool replaces = false;
    for (unsigned i = 0; i < nplaces;) {
        if (same(&places[i], place) && !(unloaded && place->id == ID_NONE))
            return;
        if (overlap(&places[i], place)) {
            replaces = true;
            places[i] = places[--nplaces];
        } else {
            i++;
        }
    }
    if (nplaces < PLACES_MAX)
        places[nplaces++] = *place;
    else
        replaces = true;
    nreplaced += replaces;
}

struct look {
    bool going_on;
    bool unloaded; // something was, since the last time
    uint32_t nreplaced;
};

UNDER_LOADER_LOCK static int look_at(struct dl_phdr_info *info, size_t size,
                                     void *arg) {
    struct look *look = arg;
    (void)size;
    if (!look->going_on) {
        look->nreplaced = nreplaced;
        if (info->dlpi_adds == nloads)
            return 1; // no need to see the others
        look->unloaded = info->dlpi_subs != nunloads;
        nloads = info->dlpi_adds;
        nunloads = info->dlpi_subs;
        look->going_on = true;
    }
    struct place place = place_of(info);
    if (place.start < place.end)
        note_place(&place, look->unloaded);
    else
        nreplaced++; // perhaps
    look->nreplaced = nreplaced;
    return 0;
}

uint32_t loaded_replacements(void) {
    struct look look = {false, false, 0};
    dl_iterate_phdr(look_at, &look);
    return look.nreplaced;
}
