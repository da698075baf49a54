// fleet.c: see fleet.h.
#include "fleet.h"

#include <stdlib.h>
#include <time.h>

#include "targets.h"

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// struct reading is the new reading of a fleet, and the previous one.
struct reading {
    struct fleet *before, now;
    bool without_page;
};

static struct fleet_ship *add(struct fleet *f, struct target *t, uid_t uid) {
    if (f->nships == f->room) {
        size_t room = f->room == 0 ? 16 : 2 * f->room;
        struct fleet_ship *more = realloc(f->ships, room * sizeof *more);
        if (more == NULL)
            return NULL;
        f->ships = more;
        f->room = room;
    }
    f->ships[f->nships] = (struct fleet_ship){
        .target = *t, .uid = uid, .mallocs_s = -1, .read_ns = now_ns()};
    t->path = NULL; // the fleet has it now
    return &f->ships[f->nships++];
}

// note computes the rate since the previous reading.
static void note(struct fleet_ship *s, const struct fleet_ship *before) {
    uint64_t mallocs = s->target.page.stats.mallocs;
    uint64_t earlier = before->target.page.stats.mallocs;
    if (s->target.page.identity.start_ticks ==
            before->target.page.identity.start_ticks &&
        mallocs >= earlier && s->read_ns > before->read_ns)
        s->mallocs_s = (double)(mallocs - earlier) * 1e9 /
                       (double)(s->read_ns - before->read_ns);
}

static bool take(struct targets_entry *entry, void *argument) {
    struct reading *r = argument;
    if (!entry->readable ||
        (!r->without_page && entry->target->source != TARGET_PAGE))
        return true;
    uid_t uid = entry->target->alive ? entry->process.uid
                                     : entry->target->page.identity.uid;
    struct fleet_ship *s = add(&r->now, entry->target, uid);
    if (s == NULL)
        return false;
    const struct fleet_ship *before =
        s->target.alive ? fleet_find(r->before, s->target.pid) : NULL;
    if (before != NULL)
        note(s, before);
    return true;
}

struct fleet_ship *fleet_find(struct fleet *f, pid_t pid) {
    for (size_t i = 0; i < f->nships; i++)
        if (f->ships[i].target.alive && f->ships[i].target.pid == pid)
            return &f->ships[i];
    return NULL;
}

void fleet_read(struct fleet *f, bool without_page) {
    struct reading r = {.before = f, .without_page = without_page};
    targets_each(take, &r);
    fleet_end(f);
    *f = r.now;
}

void fleet_end(struct fleet *f) {
    for (size_t i = 0; i < f->nships; i++)
        target_close(&f->ships[i].target);
    free(f->ships);
    *f = (struct fleet){0};
}
