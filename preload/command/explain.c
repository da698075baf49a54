// explain.c: see explain.h. The rule: explain the largest part of the RSS. Live objects
// count by half, since they are what the program needs.
#include "explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mappings.h"
#include "prof/parts.h"
#include "units.h"

enum {
    SMALL_BYTES = 8 << 20, // below this, memory is what any program takes
    LIVE_SHARE = 2,
    SHOWN_DURATION = 4, // half-lives until 1/16 is left
};

struct case_of {
    const struct target *t;
    const struct mound_page *before;
    const struct mound_page_stats *st;
    struct parts p;
    struct explain_text *ret;
};

__attribute__((format(printf, 2, 3))) static void say(struct explain_text *ret,
                                                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret->s, sizeof ret->s, format, arguments);
    va_end(arguments);
}

// whom is the process argument for other verbs.
static const char *whom(const struct case_of *c) {
    static char pid[16];
    if (!c->t->alive)
        return "";
    snprintf(pid, sizeof pid, " %d", (int)c->t->pid);
    return pid;
}

// trend says how live objects changed since the previous reading, and has a word for the
// sentence.
struct trend {
    bool known;
    int64_t change;
    uint64_t ns;
};

static struct trend trend_of(const struct case_of *c) {
    struct trend ret = {0};
    if (c->before == NULL ||
        c->st->published_ns <= c->before->stats.published_ns)
        return ret;
    ret.known = true;
    ret.ns = c->st->published_ns - c->before->stats.published_ns;
    ret.change = (int64_t)(c->st->live - c->before->stats.live);
    return ret;
}

// is_flat: changed by at most 1 %.
static bool is_flat(const struct case_of *c, const struct trend *t) {
    int64_t limit = (int64_t)(c->st->live / 100);
    return t->change <= limit && t->change >= -limit;
}

static void of_live(struct case_of *c) {
    struct trend t = trend_of(c);
    const char *profile =
        c->t->alive ? "mound profile" : "a profile of the next run";
    if (t.known && !is_flat(c, &t) && t.change > 0)
        say(c->ret,
            "Live objects grow, by %s in %s: %s%s shows which functions "
            "allocate them.",
            units_bytes((uint64_t)t.change).s, units_duration(t.ns).s, profile,
            whom(c));
    else
        say(c->ret,
            "Mostly live objects%s: %s%s shows which functions allocated them.",
            t.known ? ", and they do not grow" : "", profile, whom(c));
}

// worst is the class with the most free slots.
static unsigned worst(const struct case_of *c) {
    unsigned ret = 1;
    for (unsigned i = 2; i < MOUND_PAGE_CLASSES; i++)
        if (parts_free(&c->t->page, i) > parts_free(&c->t->page, ret))
            ret = i;
    return ret;
}

static void of_holes(struct case_of *c) {
    struct trend t = trend_of(c);
    unsigned class = worst(c);
    char most[96] = "";
    if (parts_free(&c->t->page, class) > 0)
        snprintf(most, sizeof most, ", most (%s) in slots of %" PRIu64 " bytes",
                 units_bytes(parts_free(&c->t->page, class)).s,
                 c->st->classes[class].size);
    if (t.known && is_flat(c, &t))
        say(c->ret,
            "Fragmentation, not a leak: live objects do not grow; %s are free "
            "slots between them%s.",
            units_bytes(c->p.holes).s, most);
    else
        say(c->ret,
            "Fragmentation: %s are free slots between live objects, for new "
            "objects of their sizes%s.",
            units_bytes(c->p.holes).s, most);
}

static void of_idle(struct case_of *c) {
    const char *release = c->t->alive ? "mound release" : "";
    if (c->st->release_refused != 0)
        say(c->ret,
            "Idle pages, %s: the system takes no memory back (madvise is "
            "refused, as by a seccomp filter).",
            units_bytes(c->p.idle).s);
    else if (c->st->half_life_ns == UINT64_MAX)
        say(c->ret, "Idle pages, %s: kept as MOUND_DECAY=never says%s%s%s.",
            units_bytes(c->p.idle).s, c->t->alive ? "; now by " : "", release,
            whom(c));
    else if (c->st->threads <= 1 &&
             c->t->page.control.listening != MOUND_PAGE_LISTENS)
        say(c->ret,
            "Idle pages, %s: given back by the next calls of malloc and free, "
            "because a program with one thread has no helper "
            "(MOUND_HELPER=always)%s%s%s.",
            units_bytes(c->p.idle).s, c->t->alive ? "; now by " : "", release,
            whom(c));
    else if (c->st->half_life_ns != 0)
        say(c->ret,
            "Idle pages, %s: given back within %s if they stay idle%s%s%s.",
            units_bytes(c->p.idle).s,
            units_duration(SHOWN_DURATION * c->st->half_life_ns).s,
            c->t->alive ? "; now by " : "", release, whom(c));
    else
        say(c->ret,
            "Idle pages, %s: kept for the next mallocs, and given back over "
            "time%s%s%s.",
            units_bytes(c->p.idle).s, c->t->alive ? "; now by " : "", release,
            whom(c));
}

static void of_caches(struct case_of *c) {
    say(c->ret,
        "Caches, %s: free slots that %" PRIu64
        " thread%s for the next mallocs.",
        units_bytes(c->p.caches).s, c->st->threads,
        c->st->threads == 1 ? " holds" : "s hold");
}

static void of_records(struct case_of *c) {
    say(c->ret,
        "Mound's own records, %s: page map, caches of %" PRIu64
        " thread%s, and%s profiles.",
        units_bytes(c->p.records).s, c->st->threads,
        c->st->threads == 1 ? "" : "s", c->st->profile_stacks > 0 ? "" : " no");
}

// mapping_name is how a sentence calls the mappings of one name.
static const char *mapping_name(const struct mappings_most *most) {
    static char ret[MAPPINGS_NAME_BYTES];
    if (most->name[0] != '\0')
        return most->name;
    if (most->nmappings == 1)
        return "a mapping without a name";
    snprintf(ret, sizeof ret,
             "%" PRIu64 " mappings without a name (mmap by the program, stacks "
             "of threads)",
             most->nmappings);
    return ret;
}

static void of_other(struct case_of *c) {
    struct mappings_most most;
    if (!c->t->alive || !mappings_most(c->t->pid, &c->t->page.ranges, &most))
        say(c->ret,
            "Not mound's, %s: code, stacks, and what the program maps itself.",
            units_bytes(c->p.other).s);
    else
        say(c->ret, "Not mound's, %s: %s %.400s, with %s.",
            units_bytes(c->p.other).s,
            most.resident >= c->p.other / 2 ? "mostly"
                                            : "most of what has a name is",
            mapping_name(&most), units_bytes(most.resident).s);
}

static void of_huge(struct case_of *c) {
    say(c->ret,
        "No object uses %s of the huge pages: MOUND_THP=never avoids them, at "
        "the price of speed.",
        units_bytes(c->st->heap_huge_unused).s);
}

static void of_small(struct case_of *c) {
    say(c->ret, "Small: about any program takes %s.", units_bytes(c->p.rss).s);
}

struct explain_text explain(const struct target *t,
                            const struct mound_page *before) {
    struct explain_text ret = {""};
    struct case_of c = {t, before, &t->page.stats, {0}, &ret};
    parts_of(&t->page, &c.p);
    if (t->page.identity.serves != MOUND_PAGE_SERVES)
        return ret;
    uint64_t live = c.p.live + c.p.rounding;
    const struct {
        uint64_t nbytes;
        void (*of)(struct case_of *c);
    } others[] = {
        {c.st->huge_ns == c.st->published_ns ? c.st->heap_huge_unused : 0,
         of_huge},
        {c.p.idle, of_idle},
        {c.p.holes, of_holes},
        {c.p.other, of_other},
        {c.p.caches, of_caches},
        {c.p.records, of_records},
    };
    unsigned most = 0;
    for (unsigned i = 1; i < sizeof others / sizeof others[0]; i++)
        if (others[i].nbytes > others[most].nbytes)
            most = i;
    if (c.p.rss < SMALL_BYTES)
        of_small(&c);
    else if (others[most].nbytes < live / LIVE_SHARE)
        of_live(&c);
    else
        others[most].of(&c);
    return ret;
}
