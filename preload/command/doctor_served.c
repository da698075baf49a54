// doctor_served.c: checks whether a process that has loaded mound is served by it, and
// what disturbs that.
#include "doctor.h"

#include <stdio.h>
#include <string.h>

#include "elffile.h"
#include "library.h"

static void look_at_library(struct doctor *d, const struct doctor_proc *p) {
    for (unsigned i = 0; i < p->nlibraries; i++) {
        const char *path = p->libraries[i];
        const char *name = strrchr(path, '/');
        if (library_is_named(path) && strstr(path, " (deleted)") != NULL)
            doctor_note(d,
                        "%s: replaced since the process started, and the "
                        "process runs on the old file; restart it",
                        path);
        if (name != NULL && (strncmp(name, "/libasan.", 9) == 0 ||
                             strncmp(name, "/libtsan.", 9) == 0 ||
                             strncmp(name, "/liblsan.", 9) == 0 ||
                             strncmp(name, "/libhwasan.", 11) == 0))
            doctor_found(d,
                         "%s: a sanitizer, whose malloc serves the process: "
                         "use a build without",
                         path);
    }
}

static void look_at_second_libc(struct doctor *d, const struct doctor_proc *p) {
    const char *deepbind =
        doctor_proc_variable(p->environment, "MOUND_DEEPBIND");
    if (p->nlibc > 1)
        doctor_found(d,
                     "libc.so.6: loaded %u times (dlmopen or LD_AUDIT): what "
                     "the others allocate is not mound's; load plugins by "
                     "dlopen",
                     p->nlibc);
    if (deepbind != NULL && strcmp(deepbind, "keep") == 0)
        doctor_found(d, "MOUND_DEEPBIND=keep: plugins that are loaded with "
                        "RTLD_DEEPBIND use the C library's malloc: unset it");
}

static void look_at_kernel(struct doctor *d, const struct doctor_proc *p) {
    uint64_t most;
    if (doctor_proc_number("/proc/sys/vm/max_map_count", &most) &&
        p->nmaps > most / 10 * 9)
        doctor_found(d,
                     "vm.max_map_count: %llu of %llu mappings used: mmap will "
                     "soon fail, and malloc return NULL; raise it",
                     (unsigned long long)p->nmaps, (unsigned long long)most);
    if (p->thp_disabled)
        doctor_note(d, "huge pages: disabled for this process by prctl; mound "
                       "uses none");
    if (p->seccomp != 0)
        doctor_note(d, "seccomp: the process has a filter of system calls; if "
                       "it installed it itself, nothing is written at its end "
                       "and there is no helper");
}

void doctor_served(struct doctor *d, const struct doctor_proc *p) {
    char path[64];
    const char *value = doctor_proc_variable(p->environment, "LD_PRELOAD");
    snprintf(path, sizeof path, "/proc/%d/exe", (int)p->pid);
    look_at_library(d, p);
    doctor_program(d, p->exe, path);
    if (value != NULL)
        doctor_preload(d, value, NULL);
    look_at_second_libc(d, p);
    look_at_kernel(d, p);
    const char *watch = doctor_proc_variable(p->environment, "MOUND_WATCH");
    if (watch != NULL && strcmp(watch, "0") != 0)
        doctor_shm(d);
    doctor_page(d, p);
}
