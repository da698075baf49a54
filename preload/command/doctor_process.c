// doctor_process.c: checks whether a process has loaded mound, and if not, why.
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library.h"
#include "message.h"

// other_root says whether the same path names another file in a process.
static bool other_root(pid_t pid) {
    char path[64], theirs[64] = "", ours[64] = "";
    struct stat root, own;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
    ssize_t n = readlink(path, theirs, sizeof theirs - 1);
    ssize_t m = readlink("/proc/self/ns/mnt", ours, sizeof ours - 1);
    snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
    return (n > 0 && m > 0 && strcmp(theirs, ours) != 0) ||
           (stat(path, &root) == 0 && stat("/", &own) == 0 &&
            (root.st_dev != own.st_dev || root.st_ino != own.st_ino));
}

static const char *libc_of(const struct doctor *d,
                           const struct doctor_proc *p) {
    for (unsigned i = 0; i < p->nlibraries; i++)
        if (strstr(p->libraries[i], "/libc.so.6") != NULL ||
            strstr(p->libraries[i], "/libc-2.") != NULL)
            return doctor_path(d, p->libraries[i]);
    return NULL;
}

// service_of finds the systemd service of a process.
static bool service_of(pid_t pid, char *ret, size_t nbytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    char *text = doctor_proc_file(path, NULL);
    char *end = text != NULL ? strstr(text, ".service") : NULL;
    if (end != NULL) {
        *end = '\0';
        char *name = strrchr(text, '/');
        snprintf(ret, nbytes, "%s", name != NULL ? name + 1 : text);
    }
    free(text);
    return end != NULL;
}

static void advise_start(struct doctor *d, const struct doctor_proc *p) {
    char service[128];
    if (service_of(p->pid, service, sizeof service) &&
        strncmp(service, "user@", 5) != 0)
        doctor_found(d,
                     "LD_PRELOAD: not set for the service %s: systemctl edit "
                     "%s, and [Service] Environment=LD_PRELOAD=PATH",
                     service, service);
    else
        doctor_found(d, "LD_PRELOAD: not set when it was started: start it by "
                        "mound run -- PROGRAM");
}

static const char *who_drops(const char *name) {
    static const char *const known[] = {"sudo",  "su",   "doas", "pkexec",
                                        "login", "sshd", "cron", "runuser"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0)
            return "such a program clears the environment: set it after, as in "
                   "sudo mound run -- PROGRAM";
    return "it starts programs with an environment of its own: set it in that "
           "program's settings, or start the program by mound run there";
}

// look_at_ancestors finds the ancestor that lost LD_PRELOAD: it started with the
// variable, its child without it.
static void look_at_ancestors(struct doctor *d, const struct doctor_proc *p) {
    static struct doctor_proc a;
    char child[64];
    pid_t pid = p->parent, lost = p->pid;
    snprintf(child, sizeof child, "%s", p->name);
    while (pid > 0) {
        memset(&a, 0, sizeof a);
        bool ok = doctor_proc_status(pid, &a);
        const char *value =
            ok && doctor_proc_environment(pid, &a)
                ? doctor_proc_variable(a.environment, "LD_PRELOAD")
                : NULL;
        bool has = value != NULL && strstr(value, "libmound.so") != NULL;
        doctor_proc_end(&a);
        if (has) {
            doctor_found(d,
                         "LD_PRELOAD: %s (pid %d) has it, its child %s (pid "
                         "%d) does not: %s",
                         a.name, (int)pid, child, (int)lost, who_drops(a.name));
            return;
        }
        if (!ok)
            break;
        snprintf(child, sizeof child, "%s", a.name);
        lost = pid;
        pid = a.parent;
    }
    advise_start(d, p);
}

static void look_why_not(struct doctor *d, const struct doctor_proc *p) {
    char path[64];
    const char *value = doctor_proc_variable(p->environment, "LD_PRELOAD");
    unsigned before = d->nfound;
    if (p->secure) {
        doctor_found(d,
                     "%s: started with more rights than its caller had "
                     "(set-user-ID, set-group-ID or file capabilities): "
                     "LD_PRELOAD is ignored there: put the path into "
                     "/etc/ld.so.preload",
                     p->exe);
        return;
    }
    snprintf(path, sizeof path, "/proc/%d/exe", (int)p->pid);
    if (!doctor_program(d, p->exe, path))
        return;
    if (value == NULL || strstr(value, "libmound.so") == NULL) {
        look_at_ancestors(d, p);
        return;
    }
    doctor_preload(d, value, libc_of(d, p));
    if (d->nfound == before)
        doctor_found(d,
                     "LD_PRELOAD=%s: could not be loaded when the process "
                     "started, and can be now: restart it",
                     value);
}

static bool loaded(const struct doctor_proc *p) {
    for (unsigned i = 0; i < p->nlibraries; i++)
        if (library_is_named(p->libraries[i]))
            return true;
    return false;
}

static bool refuse(pid_t pid, const struct doctor_proc *p, int error) {
    if (p->name[0] == '\0' || error == ESRCH)
        message_error("%d: %s", (int)pid,
                      strerror(error == ENOENT ? ESRCH : error));
    else if (geteuid() != 0 && p->uid == geteuid())
        message_error("%d (%s): %s: it is protected (not dumpable, or with "
                      "rights of its own); run as root",
                      (int)pid, p->name, strerror(error));
    else
        message_error("%d (%s): %s: it belongs to user %u%s", (int)pid, p->name,
                      strerror(error), (unsigned)p->uid,
                      geteuid() == 0 ? " or another namespace, or is protected"
                                     : "; run as that user or as root");
    return false;
}

bool doctor_process(struct doctor *d, pid_t pid) {
    static struct doctor_proc p;
    static char root[64];
    if (!doctor_proc_status(pid, &p))
        return refuse(pid, &p, errno);
    d->uid = p.uid;
    d->gid = p.gid;
    if (p.state == 'Z') {
        doctor_found(d,
                     "%d (%s): has ended, and its parent %d has not waited "
                     "for it: nothing of it is left to read",
                     (int)pid, p.name, (int)p.parent);
        return true;
    }
    if (!doctor_proc_read(pid, &p))
        return refuse(pid, &p, errno);
    if (p.exe[0] == '\0') {
        doctor_found(d, "%d (%s): a thread of the kernel: it has no malloc",
                     (int)pid, p.name);
        return true;
    }
    if (other_root(pid)) {
        snprintf(root, sizeof root, "/proc/%d/root", (int)pid);
        d->root = root;
    }
    if (loaded(&p))
        doctor_served(d, &p);
    else
        look_why_not(d, &p);
    doctor_options(d, p.environment);
    doctor_limits(d, &p);
    if (d->nfound == 0)
        doctor_say(
            "%s (pid %d): nothing found: mound is loaded and serves malloc",
            p.name, (int)pid);
    doctor_proc_end(&p);
    return true;
}
