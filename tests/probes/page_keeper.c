// Keeps a page (mound_page.h) as a process on mound does, with known figures, for tests
// of the readers of pages:
//
//   page_keeper NAME [serves=N] [refused=1] [listening=1]
//
// NAME is the program's name, in the page and for the kernel. The others set those
// members of the page.
//
// It prints the path of the page and sleeps. The figures: live objects 20 MiB, idle 8, in
// caches 2, and 1000 mallocs of each of the first ten classes. Readers take the RSS from
// /proc while it lives.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mound_page.h"

enum { MIB = 1 << 20 };

static uint64_t start_ticks(void) {
    char text[1024] = "";
    int fd = open("/proc/self/stat", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return 0;
    close(fd);
    const char *field = strrchr(text, ')') + 2; // the third
    for (int i = 3; i < 22; i++)
        field = strchr(field, ' ') + 1;
    return strtoull(field, NULL, 10);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void set(struct mound_page *page, const char *word) {
    unsigned n;
    if (sscanf(word, "serves=%u", &n) == 1)
        page->identity.serves = n;
    if (sscanf(word, "refused=%u", &n) == 1)
        page->stats.release_refused = n;
    if (sscanf(word, "listening=%u", &n) == 1)
        page->control.listening = n;
}

static void fill(struct mound_page *page, const char *name) {
    struct stat pids;
    struct mound_page_identity *who = &page->identity;
    struct mound_page_stats *s = &page->stats;
    who->pid = (uint32_t)getpid();
    who->uid = geteuid();
    who->pid_namespace =
        stat("/proc/self/ns/pid", &pids) == 0 ? pids.st_ino : 0;
    who->start_ticks = start_ticks();
    who->start_unix_ns = now_ns();
    snprintf(who->program, sizeof who->program, "%s", name);
    s->published_unix_ns = now_ns();
    s->npublished = 1;
    s->rss = 50 * MIB;
    s->rss_peak = 60 * MIB;
    s->rss_anon = 45 * MIB;
    s->rss_file = 5 * MIB;
    s->inuse = 30 * MIB;
    s->idle = 8 * MIB;
    s->live = 20 * MIB;
    s->cached = 2 * MIB;
    s->records = MIB;
    s->mallocs = 10000;
    s->frees = 4000;
    s->threads = 3;
    for (unsigned c = 1; c <= 10; c++) {
        s->classes[c].size = 16 * c;
        s->classes[c].mallocs = 1000;
        s->classes[c].frees = 400;
        s->classes[c].live = 600;
        s->classes[c].slots = 1000;
        s->classes[c].live_bytes = 600 * 16 * c;
    }
    page->version = MOUND_PAGE_VERSION;
    page->nbytes = sizeof *page;
    page->magic = MOUND_PAGE_MAGIC;
}

int main(int argc, char **argv) {
    char folder[64], path[128];
    snprintf(folder, sizeof folder, "/dev/shm/mound-%u", (unsigned)geteuid());
    snprintf(path, sizeof path, "%s/%d-%llu.page", folder, (int)getpid(),
             (unsigned long long)start_ticks());
    mkdir(folder, 0700);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (argc < 2 || fd < 0 || ftruncate(fd, sizeof(struct mound_page)) != 0) {
        perror(path);
        return 1;
    }
    struct mound_page *page =
        mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return 1;
    fill(page, argv[1]);
    prctl(PR_SET_NAME, argv[1]); // as readers call one that lives
    for (int i = 2; i < argc; i++)
        set(page, argv[i]);
    puts(path);
    fflush(stdout);
    pause();
    return 0;
}
