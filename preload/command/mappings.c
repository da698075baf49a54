// mappings.c: see mappings.h. smaps would have the sizes, but it walks over mound's own
// mappings too, 100 GiB of them; so candidates are chosen by the size of the mapping, and
// pagemap says which of their pages have memory.
#include "mappings.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CANDIDATES = 8,
    CHUNK_PAGES = 1 << 13,
};
// A larger mapping is counted up to here.
static const uint64_t COUNTED_BYTES = (uint64_t)8 << 30;

struct part {
    uint64_t begin, end;
    char name[256];
};

static bool is_ours(const struct mound_page_ranges *ours, uint64_t begin,
                    uint64_t end) {
    for (unsigned i = 0; i < MOUND_PAGE_RANGES; i++) {
        const struct mound_page_range *r = &ours->ranges[i];
        if (r->begin != 0 && begin < r->end && r->begin < end)
            return true;
    }
    return false;
}

// keep puts a mapping among the largest.
static void keep(struct part *parts, unsigned *n, const struct part *p) {
    unsigned i = *n < CANDIDATES ? (*n)++ : CANDIDATES;
    for (; i > 0 && parts[i - 1].end - parts[i - 1].begin < p->end - p->begin;
         i--)
        if (i < CANDIDATES)
            parts[i] = parts[i - 1];
    if (i < CANDIDATES)
        parts[i] = *p;
}

// resident counts the bytes of a mapping that have memory.
static uint64_t resident(int pagemap, const struct part *p) {
    static uint64_t words[CHUNK_PAGES];
    const uint64_t PRESENT = (uint64_t)1 << 63;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), n = 0;
    uint64_t end =
        p->end - p->begin > COUNTED_BYTES ? p->begin + COUNTED_BYTES : p->end;
    for (uint64_t at = p->begin; at < end;) {
        uint64_t npages = (end - at) / page;
        if (npages > CHUNK_PAGES)
            npages = CHUNK_PAGES;
        ssize_t got = pread(pagemap, words, npages * sizeof words[0],
                            (off_t)(at / page * sizeof words[0]));
        if (got < (ssize_t)sizeof words[0])
            break;
        for (size_t i = 0; i < (size_t)got / sizeof words[0]; i++)
            n += (words[i] & PRESENT) != 0;
        at += (uint64_t)got / sizeof words[0] * page;
    }
    return n * page;
}

static unsigned candidates(FILE *maps, const struct mound_page_ranges *ours,
                           struct part *ret) {
    char *line = NULL;
    size_t nbytes = 0;
    unsigned n = 0;
    bool known = ours->ranges[0].begin != 0 && ours->overflow == 0;
    while (getline(&line, &nbytes, maps) > 0) {
        struct part p;
        char access[8];
        int path = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &p.begin,
                   &p.end, access, &path) < 3)
            continue;
        const char *name = path == 0 ? "" : line + path;
        if (strncmp(access, "---", 3) == 0 || is_ours(ours, p.begin, p.end) ||
            (!known && name[0] == '\0') ||
            strncmp(name, "[anon:mound ", 12) == 0)
            continue;
        snprintf(p.name, sizeof p.name, "%s", name);
        keep(ret, &n, &p);
    }
    free(line);
    return n;
}

bool mappings_most(pid_t pid, const struct mound_page_ranges *ours,
                   struct mappings_most *ret) {
    struct part parts[CANDIDATES];
    uint64_t nbytes[CANDIDATES];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return false;
    unsigned n = candidates(maps, ours, parts);
    fclose(maps);
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
    int pagemap = open(path, O_RDONLY | O_CLOEXEC);
    if (pagemap < 0)
        return false;
    ret->resident = 0;
    for (unsigned i = 0; i < n; i++) {
        nbytes[i] = resident(pagemap, &parts[i]);
        // A file has several mappings.
        for (unsigned j = 0; j < i; j++)
            if (parts[i].name[0] != '\0' &&
                strcmp(parts[i].name, parts[j].name) == 0) {
                nbytes[i] += nbytes[j];
                break;
            }
        if (nbytes[i] > ret->resident) {
            ret->resident = nbytes[i];
            snprintf(ret->name, sizeof ret->name, "%s", parts[i].name);
        }
    }
    close(pagemap);
    return ret->resident > 0;
}
