// doctor_machine.c: checks settings of the kernel, and the environment of this shell.
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mound_page.h"
#include "units.h"

#define SYSCTL "/proc/sys/"
#define THP_FOLDER "/sys/kernel/mm/transparent_hugepage/"

static void look_at_huge_pages(struct doctor *d) {
    char *setting = doctor_proc_file(THP_FOLDER "enabled", NULL);
    if (setting == NULL)
        doctor_note(d, THP_FOLDER "enabled: %s: mound uses no huge pages",
                    strerror(errno));
    else if (strstr(setting, "[always]") != NULL)
        doctor_note(d, THP_FOLDER
                    "enabled: always: the kernel makes huge pages unasked, of "
                    "idle memory too, which raises RSS; write madvise there");
    else if (strstr(setting, "[never]") != NULL)
        doctor_note(d, THP_FOLDER
                    "enabled: never: mound uses no huge pages, and large heaps "
                    "are slower; write madvise there");
    free(setting);
}

static void look_at_memory(struct doctor *d) {
    static const uint64_t MAPS_USUAL = 65530;
    uint64_t n;
    if (doctor_proc_number(SYSCTL "vm/overcommit_memory", &n) && n == 2)
        doctor_found(d, SYSCTL
                     "vm/overcommit_memory: 2: malloc returns NULL at the "
                     "commit limit, also while memory is free; write 0 there, "
                     "or raise vm.overcommit_ratio");
    if (doctor_proc_number(SYSCTL "vm/max_map_count", &n) && n < MAPS_USUAL)
        doctor_found(d,
                     SYSCTL
                     "vm/max_map_count: %llu: with many mappings mmap fails, "
                     "and malloc returns NULL; write %llu there",
                     (unsigned long long)n, (unsigned long long)MAPS_USUAL);
}

static void look_at_readers(struct doctor *d) {
    uint64_t n;
    if (!doctor_proc_number(SYSCTL "kernel/yama/ptrace_scope", &n) || n == 0)
        return;
    if (n == 1)
        doctor_note(d, SYSCTL
                    "kernel/yama/ptrace_scope: 1: only root can read processes "
                    "that have no page; start them by mound run");
    else
        doctor_note(d,
                    SYSCTL
                    "kernel/yama/ptrace_scope: %llu: %s can read processes "
                    "that have no page; start them by mound run",
                    (unsigned long long)n, n == 2 ? "only root" : "nobody");
}

void doctor_shm(struct doctor *d) {
    char folder[64];
    struct stat st;
    struct statvfs fs;
    const char *shm = doctor_path(d, "/dev/shm");
    if (stat(shm, &st) != 0 || !S_ISDIR(st.st_mode)) {
        doctor_found(d,
                     "/dev/shm: %s: pages (MOUND_WATCH) cannot be made: mount "
                     "a tmpfs there",
                     errno != 0 ? strerror(errno) : "not a directory");
        return;
    }
    if (statvfs(shm, &fs) == 0 &&
        (fs.f_bavail * fs.f_bsize < sizeof(struct mound_page) ||
         (fs.f_files > 0 && fs.f_favail == 0)))
        doctor_found(d, "/dev/shm: full: no page (MOUND_WATCH) fits; remove "
                        "files there, or mount it larger");
    if (fs.f_flag & ST_RDONLY)
        doctor_found(d, "/dev/shm: mounted read-only: no page (MOUND_WATCH) "
                        "can be made: mount it writable");
    snprintf(folder, sizeof folder, "/dev/shm/mound-%u", (unsigned)d->uid);
    if (lstat(doctor_path(d, folder), &st) == 0 &&
        (!S_ISDIR(st.st_mode) || st.st_uid != d->uid ||
         (st.st_mode & 0777) != 0700))
        doctor_found(d,
                     "%s: not a directory of user %u with mode 0700, so pages "
                     "(MOUND_WATCH) are not put there: remove it",
                     folder, (unsigned)d->uid);
}

static void look_at_every_program(struct doctor *d) {
    char *value = doctor_proc_file("/etc/ld.so.preload", NULL);
    if (value == NULL)
        return;
    for (char *s = value; *s != '\0'; s++)
        if (*s == '\n' || *s == '\t')
            *s = ' ';
    if (doctor_preload(d, value, NULL))
        doctor_note(d, "/etc/ld.so.preload: every program here loads mound");
    free(value);
}

void doctor_machine(struct doctor *d) {
    look_at_huge_pages(d);
    look_at_memory(d);
    look_at_readers(d);
    errno = 0;
    doctor_shm(d);
    look_at_every_program(d);
}
