// targets.c: see targets.h.
#include "targets.h"

#include <stdlib.h>
#include <unistd.h>

struct walk {
    bool (*f)(struct targets_entry *entry, void *argument);
    void *argument;
    bool more;
    // Processes that have a page.
    pid_t *seen;
    size_t nseen, max;
};

static void note(struct walk *w, pid_t pid) {
    if (w->nseen == w->max) {
        size_t max = w->max * 2 + 64;
        pid_t *more = realloc(w->seen, max * sizeof *more);
        if (more == NULL)
            return; // without memory it is listed twice
        w->seen = more;
        w->max = max;
    }
    w->seen[w->nseen++] = pid;
}

static int by_number(const void *a, const void *b) {
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
    return x < y ? -1 : x > y;
}

static bool call(struct walk *w, struct target *t, const struct process *p,
                 bool readable) {
    struct targets_entry entry = {t, *p, readable};
    w->more = w->f(&entry, w->argument);
    if (readable)
        target_close(t);
    return w->more;
}

static bool of_page(const struct pages_entry *page, void *argument) {
    struct walk *w = argument;
    struct target t;
    struct process p = {.pid = page->pid,
                        .inner = (pid_t)page->page->identity.pid,
                        .uid = page->uid};
    if (page->pid != 0) {
        note(w, page->pid);
        if (!process_read(page->pid, &p))
            return true; // ended just now
    }
    return target_of_page(page, &t) ? call(w, &t, &p, true) : true;
}

static void of_processes(struct walk *w) {
    struct process_walk walk = {NULL};
    struct process p;
    struct target t;
    enum live_answer answer;
    struct live_why why;
    pid_t pid;
    while (w->more && (pid = process_next(&walk)) != 0) {
        if (pid == getpid() ||
            (w->nseen > 0 &&
             bsearch(&pid, w->seen, w->nseen, sizeof pid, by_number) != NULL) ||
            !live_has(pid) || !process_read(pid, &p) || !process_runs(&p))
            continue;
        bool readable = target_of_process(&p, &t, &answer, &why);
        if (readable || answer != LIVE_ABSENT)
            call(w, &t, &p, readable);
    }
    process_stop(&walk);
}

void targets_each(bool (*f)(struct targets_entry *entry, void *argument),
                  void *argument) {
    struct walk w = {.f = f, .argument = argument, .more = true};
    pages_each(of_page, &w);
    if (w.nseen > 0)
        qsort(w.seen, w.nseen, sizeof *w.seen, by_number);
    if (w.more)
        of_processes(&w);
    free(w.seen);
}
