// doctor_page.c: checks the page of a process that runs on mound.
#include "doctor.h"

#include <string.h>

#include "mound_page.h"
#include "pages.h"

struct search {
    pid_t pid;
    bool found;
    struct mound_page page;
};

static bool match(const struct pages_entry *entry, void *argument) {
    struct search *s = argument;
    if (entry->pid != s->pid)
        return true;
    s->page = *entry->page;
    s->found = true;
    return false;
}

static bool is_on(const struct doctor_proc *p, const char *name) {
    const char *value = doctor_proc_variable(p->environment, name);
    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

static void look_at_service(struct doctor *d, const struct mound_page *page) {
    static const char *const who[] = {
        [MOUND_PAGE_OFF] = "the C library (MOUND_OFF)",
        [MOUND_PAGE_SANITIZER] = "a sanitizer",
        [MOUND_PAGE_FRONT] = "another malloc, which comes first",
        [MOUND_PAGE_BEHIND] = "another malloc, which passes some calls on",
    };
    unsigned serves = page->identity.serves;
    if (serves < sizeof who / sizeof who[0] && who[serves] != NULL)
        doctor_found(d,
                     "page: %s serves malloc, so mound shows little or "
                     "nothing: see the other lines, or remove it",
                     who[serves]);
    if (page->stats.release_refused != 0)
        doctor_found(d, "page: the system takes no memory back (a filter of "
                        "system calls, or locked memory): permit madvise; no "
                        "mlockall");
}

static void look_at_control(struct doctor *d, const struct doctor_proc *p,
                            const struct mound_page *page) {
    unsigned listening = page->control.listening;
    if (listening == MOUND_PAGE_LISTENS || listening == MOUND_PAGE_PAUSED)
        return;
    if (listening == MOUND_PAGE_FILTERED || is_on(p, "MOUND_CONTROL"))
        doctor_found(d, "MOUND_CONTROL: no thread answers requests, as after a "
                        "filter of system calls: mound release and mound "
                        "profile have no effect; use MOUND_PROFILE_SIGNAL");
    else
        doctor_note(d, "MOUND_CONTROL: not set: mound release and mound "
                       "profile need it; mound run sets it");
}

void doctor_page(struct doctor *d, const struct doctor_proc *p) {
    static struct search s;
    s = (struct search){.pid = p->pid};
    pages_each(match, &s);
    if (s.found) {
        look_at_service(d, &s.page);
        look_at_control(d, p, &s.page);
    } else if (is_on(p, "MOUND_WATCH") && d->root[0] == '\0') {
        doctor_found(d,
                     "MOUND_WATCH: set, and there is no page in " PAGES_ROOT
                     "/mound-%u: it could not be made; free space there, and "
                     "start again",
                     (unsigned)p->uid);
    } else {
        doctor_note(d, "MOUND_WATCH: not set: no page outlives the process, "
                       "and only its own user or root may read it; mound "
                       "run sets it");
    }
}
