// mappings.c: see mappings.h. smaps has the sizes, but the kernel would also walk over
// mound's own mappings, 100 GiB of them. So candidates are chosen by the size of the
// mappings, and pagemap says which of their pages have memory.
#include "mappings.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAMES = 8, // with the largest mappings, which are counted
    CHUNK_PAGES = 1 << 13,
    MAPPINGS_MAX = 1 << 16, // the kernel's limit, unless raised
};
// At most this much is counted of one name.
static const uint64_t COUNTED_BYTES = (uint64_t)8 << 30;

struct part {
    uint64_t begin, end;
    unsigned group;
};

struct group {
    char name[MAPPINGS_NAME_BYTES];
    uint64_t size; // of the mappings of that name
    uint64_t resident;
    uint64_t nparts;
};

struct table {
    struct part *parts;
    size_t nparts, max_parts;
    struct group *groups;
    size_t ngroups, max_groups;
};

// next_not_ours sets p to its first part from at on that no range covers; false: there
// is none. The kernel merges adjacent mappings of mound and of the program.
static bool next_not_ours(const struct mound_page_ranges *ours, uint64_t at,
                          uint64_t end, struct part *p) {
    bool moved = true;
    p->end = end;
    while (moved && at < end) {
        moved = false;
        for (unsigned i = 0; i < MOUND_PAGE_RANGES; i++) {
            const struct mound_page_range *r = &ours->ranges[i];
            if (r->begin == 0)
                continue;
            if (r->begin <= at && at < r->end) {
                at = r->end;
                moved = true;
            }
        }
    }
    for (unsigned i = 0; i < MOUND_PAGE_RANGES; i++)
        if (ours->ranges[i].begin > at && ours->ranges[i].begin < p->end)
            p->end = ours->ranges[i].begin;
    p->begin = at;
    return at < end;
}

// grow makes room for one more element of nbytes.
static bool grow(void **array, size_t n, size_t *max, size_t nbytes) {
    if (n < *max)
        return true;
    size_t more = *max * 2 + 64;
    void *p = realloc(*array, more * nbytes);
    if (p == NULL)
        return false;
    *array = p;
    *max = more;
    return true;
}

// add records a mapping. The mappings of one file are usually adjacent, so its name is
// looked for among the last names.
static bool add(struct table *t, const struct part *p, const char *name) {
    size_t g = t->ngroups;
    while (g > 0 && strcmp(t->groups[g - 1].name, name) != 0)
        g--;
    if (g == 0) {
        if (!grow((void **)&t->groups, t->ngroups, &t->max_groups,
                  sizeof *t->groups))
            return false;
        t->groups[t->ngroups] = (struct group){.size = 0};
        snprintf(t->groups[t->ngroups].name, MAPPINGS_NAME_BYTES, "%s", name);
        g = ++t->ngroups;
    }
    if (!grow((void **)&t->parts, t->nparts, &t->max_parts, sizeof *t->parts))
        return false;
    t->groups[g - 1].size += p->end - p->begin;
    t->groups[g - 1].nparts++;
    t->parts[t->nparts] = *p;
    t->parts[t->nparts++].group = (unsigned)(g - 1);
    return true;
}

static void read_maps(FILE *maps, const struct mound_page_ranges *ours,
                      struct table *t) {
    char *line = NULL;
    size_t nbytes = 0;
    bool known = ours->ranges[0].begin != 0 && ours->overflow == 0;
    while (t->nparts < MAPPINGS_MAX && getline(&line, &nbytes, maps) > 0) {
        struct part p = {0};
        uint64_t begin, end;
        char access[8], name[MAPPINGS_NAME_BYTES];
        int path = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %n", &begin,
                   &end, access, &path) < 3)
            continue;
        snprintf(name, sizeof name, "%s", path == 0 ? "" : line + path);
        if (strncmp(access, "---", 3) == 0 || (!known && name[0] == '\0') ||
            strncmp(name, "[anon:mound ", 12) == 0)
            continue;
        while (next_not_ours(ours, begin, end, &p) && add(t, &p, name))
            begin = p.end;
    }
    free(line);
}

// resident counts the bytes of a mapping that have memory, of at most nbytes.
static uint64_t resident(int pagemap, const struct part *p, uint64_t nbytes) {
    static uint64_t words[CHUNK_PAGES];
    const uint64_t PRESENT = (uint64_t)1 << 63;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), n = 0;
    uint64_t end = p->end - p->begin > nbytes ? p->begin + nbytes : p->end;
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

// nth_size returns the size of the n-th largest group, or of the smallest.
static uint64_t nth_size(const struct table *t, unsigned n) {
    uint64_t below = UINT64_MAX;
    for (size_t left = n < t->ngroups ? n : t->ngroups; left > 0; left--) {
        uint64_t most = 0;
        for (size_t g = 0; g < t->ngroups; g++)
            if (t->groups[g].size < below && t->groups[g].size > most)
                most = t->groups[g].size;
        if (most == 0)
            break;
        below = most;
    }
    return below;
}

static void count(struct table *t, int pagemap) {
    uint64_t least = nth_size(t, NAMES);
    for (size_t i = 0; i < t->nparts; i++) {
        struct group *g = &t->groups[t->parts[i].group];
        if (g->size >= least && g->resident < COUNTED_BYTES)
            g->resident +=
                resident(pagemap, &t->parts[i], COUNTED_BYTES - g->resident);
    }
}

bool mappings_most(pid_t pid, const struct mound_page_ranges *ours,
                   struct mappings_most *ret) {
    struct table t = {0};
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
    int pagemap = open(path, O_RDONLY | O_CLOEXEC);
    *ret = (struct mappings_most){.resident = 0};
    if (maps != NULL && pagemap >= 0) {
        read_maps(maps, ours, &t);
        count(&t, pagemap);
        for (size_t g = 0; g < t.ngroups; g++)
            if (t.groups[g].resident > ret->resident) {
                ret->resident = t.groups[g].resident;
                ret->nmappings = t.groups[g].nparts;
                memcpy(ret->name, t.groups[g].name, sizeof ret->name);
            }
    }
    if (maps != NULL)
        fclose(maps);
    if (pagemap >= 0)
        close(pagemap);
    free(t.parts);
    free(t.groups);
    return ret->resident > 0;
}
