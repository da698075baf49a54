// core.c: see core.h. core(5) and elf(5) describe the kernel's notes in a core.
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "heapread.h"
#include "library.h"

struct segment {
    uint64_t address, nbytes, offset;
};

// struct core is an open core. mound is the file that contains mound's code.
struct core {
    int fd;
    Elf *elf;
    struct segment *segments; // by address
    size_t nsegments;
    uint64_t begin; // where mound is mapped; 0: not found
    char mound[PATH_MAX];
    char program[17];
    char file[PATH_MAX]; // of the program, the first one that is mapped
    uint64_t file_begin;
    pid_t pid;
    uid_t uid;
    int signal;
};

__attribute__((format(printf, 2, 3))) static bool
refuse(struct core_why *ret, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret->s, sizeof ret->s, format, arguments);
    va_end(arguments);
    return false;
}

bool core_is(const char *path) {
    Elf64_Ehdr header;
    struct stat st;
    // Opening anything but a regular file may block.
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = read(fd, &header, sizeof header) == (ssize_t)sizeof header &&
              memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
              header.e_type == ET_CORE;
    close(fd);
    return ok;
}

static bool read_core(const struct memory *m, uint64_t address, void *to,
                      size_t nbytes) {
    const struct core *c = m->of;
    size_t low = 0, high = c->nsegments;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct segment *s = &c->segments[middle];
        if (address >= s->address + s->nbytes)
            low = middle + 1;
        else
            high = middle;
    }
    // The bytes may be in several adjacent segments.
    for (char *at = to; nbytes > 0; low++) {
        const struct segment *s = &c->segments[low];
        if (low >= c->nsegments || address < s->address)
            return false;
        uint64_t left = s->address + s->nbytes - address;
        size_t n = nbytes < left ? nbytes : (size_t)left;
        if (pread(c->fd, at, n, (off_t)(s->offset + address - s->address)) !=
            (ssize_t)n)
            return false;
        at += n;
        address += n;
        nbytes -= n;
    }
    return true;
}

static uint64_t word(const char *at) {
    uint64_t n;
    memcpy(&n, at, sizeof n);
    return n;
}

// take_files looks for mound in the list of mapped files: their number, the page size,
// begin, end and offset of each, and then their names.
static void take_files(struct core *c, const char *note, size_t nbytes) {
    enum { WORDS = 3 * 8 };
    if (nbytes < 16)
        return;
    uint64_t n = word(note);
    if (n > (nbytes - 16) / WORDS)
        return;
    const char *name = note + 16 + n * WORDS, *end = note + nbytes;
    for (uint64_t i = 0; i < n && name < end; i++) {
        const char *words = note + 16 + i * WORDS;
        size_t length = strnlen(name, (size_t)(end - name));
        if (name + length == end)
            return;
        bool first = word(words + 16) == 0;
        if (first && c->begin == 0 && library_is_named(name)) {
            c->begin = word(words);
            snprintf(c->mound, sizeof c->mound, "%s", name);
        }
        if (first && c->file[0] == '\0') {
            c->file_begin = word(words);
            snprintf(c->file, sizeof c->file, "%s", name);
        }
        name += length + 1;
    }
}

static void take_note(struct core *c, GElf_Word type, const char *note,
                      size_t nbytes) {
    if (type == NT_PRPSINFO && nbytes >= sizeof(struct elf_prpsinfo)) {
        struct elf_prpsinfo info;
        memcpy(&info, note, sizeof info);
        snprintf(c->program, sizeof c->program, "%.16s", info.pr_fname);
        c->pid = info.pr_pid;
        c->uid = info.pr_uid;
    } else if (type == NT_PRSTATUS && c->signal == 0 &&
               nbytes >= sizeof(struct elf_prstatus)) {
        struct elf_prstatus status;
        memcpy(&status, note, sizeof status);
        c->signal = status.pr_cursig;
    } else if (type == NT_FILE) {
        take_files(c, note, nbytes);
    }
}

static void take_notes(struct core *c, const GElf_Phdr *segment) {
    Elf_Data *data = elf_getdata_rawchunk(
        c->elf, (int64_t)segment->p_offset, segment->p_filesz,
        segment->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    size_t at = 0, name, note;
    GElf_Nhdr header;
    while (data != NULL &&
           (at = gelf_getnote(data, at, &header, &name, &note)) > 0)
        take_note(c, header.n_type, (const char *)data->d_buf + note,
                  header.n_descsz);
}

static int by_address(const void *a, const void *b) {
    uint64_t x = ((const struct segment *)a)->address;
    uint64_t y = ((const struct segment *)b)->address;
    return x < y ? -1 : x > y;
}

static bool take_segments(struct core *c, struct core_why *why) {
    size_t n;
    if (elf_getphdrnum(c->elf, &n) != 0)
        return refuse(why, "%s", elf_errmsg(-1));
    c->segments = calloc(n + 1, sizeof *c->segments);
    if (c->segments == NULL)
        return refuse(why, "%s", strerror(errno));
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr p;
        if (gelf_getphdr(c->elf, (int)i, &p) == NULL)
            return refuse(why, "%s", elf_errmsg(-1));
        if (p.p_type == PT_NOTE)
            take_notes(c, &p);
        else if (p.p_type == PT_LOAD && p.p_filesz > 0 &&
                 p.p_filesz <= UINT64_MAX - p.p_vaddr)
            c->segments[c->nsegments++] =
                (struct segment){p.p_vaddr, p.p_filesz, p.p_offset};
    }
    qsort(c->segments, c->nsegments, sizeof *c->segments, by_address);
    return true;
}

// find_mound finds the file that contains mound and its address.
static bool find_mound(struct core *c, struct library *ret,
                       struct core_why *why) {
    bool own = c->begin == 0; // it may be linked into the program
    if (own) {
        c->begin = c->file_begin;
        snprintf(c->mound, sizeof c->mound, "%s", c->file);
    }
    int fd = c->mound[0] == '\0'
                 ? -1
                 : open(c->mound, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && !own)
        return refuse(why, "the library that it ran with, %.256s: %s", c->mound,
                      strerror(errno));
    bool found = fd >= 0 && library_read(fd, ret);
    if (fd >= 0)
        close(fd);
    return found || refuse(why, "mound is not in it");
}

static bool fill(struct core *c, struct mound_page *ret, struct core_why *why) {
    struct library library;
    const struct memory memory = {read_core, c};
    if (!take_segments(c, why) || !find_mound(c, &library, why))
        return false;
    struct stat st;
    *ret = (struct mound_page){
        .magic = MOUND_PAGE_MAGIC,
        .version = MOUND_PAGE_VERSION,
        .nbytes = sizeof *ret,
        .identity = {.pid = (uint32_t)c->pid,
                     .uid = c->uid,
                     .library = library_version(c->mound),
                     .state = MOUND_PAGE_SIGNALLED,
                     .status = c->signal == 0 ? -1 : c->signal},
    };
    snprintf(ret->identity.program, sizeof ret->identity.program, "%s",
             c->program);
    if (fstat(c->fd, &st) == 0)
        ret->stats.published_unix_ns = ret->identity.end_unix_ns =
            (uint64_t)st.st_mtim.tv_sec * 1000000000;
    uint64_t bias = c->begin - library.begin;
    enum counters_answer answer =
        counters_read(&memory, bias + library.stats, &ret->stats);
    if (answer == COUNTERS_READ) {
        heapread(&memory, &library, bias, ret);
        ret->identity.serves = heapread_mode(&memory, &library, bias);
        if (library.table.library != 0)
            ret->identity.library = library.table.library;
    }
    library_end(&library);
    switch (answer) {
    case COUNTERS_READ:
        return true;
    case COUNTERS_UNUSED:
        ret->identity.serves = MOUND_PAGE_OFF;
        return true;
    case COUNTERS_OTHER:
        return refuse(why, "it is of another version of mound than this "
                           "command");
    default:
        return refuse(why,
                      "the counters of mound in it are damaged, or %.256s "
                      "is not the library that it ran with",
                      c->mound);
    }
}

bool core_read(const char *path, struct mound_page *ret,
               struct core_why *ret_why) {
    struct core c = {.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    if (c.fd < 0)
        return refuse(ret_why, "%s", strerror(errno));
    elf_version(EV_CURRENT);
    c.elf = elf_begin(c.fd, ELF_C_READ, NULL);
    bool ok = c.elf == NULL ? refuse(ret_why, "%s", elf_errmsg(-1))
              : gelf_getclass(c.elf) != ELFCLASS64
                  ? refuse(ret_why, "a core of 32 bits; mound is for 64")
                  : fill(&c, ret, ret_why);
    elf_end(c.elf);
    free(c.segments);
    close(c.fd);
    return ok;
}
