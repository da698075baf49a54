// What kind of file libmound.so is (traps 2, 5, 14, 15, 44): its needs, flags
// and TLS, as readelf sees them.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

// readelf returns what readelf prints about the library, to be given to
// spawn_free.
static struct spawn_result readelf(const char *what) {
    const char *const argv[] = {"readelf", "-W", what, spawn_lib(), NULL};
    static const char *const env[] = {"LC_ALL=C", NULL};
    struct spawn cmd = {.argv = argv, .env = env};
    struct spawn_result r = spawn_run(&cmd);
    if (spawn_exited(&r, 127)) {
        cr_skip_test("no readelf");
    }
    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    return r;
}

static int count(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) {
        n++;
    }
    return n;
}

Test(library, needs_libc_alone_and_stays_loaded) {
    struct spawn_result r = readelf("-d");

    cr_assert(count(r.out, "(NEEDED)") == 1, "%s", r.out);
    cr_assert(strstr(r.out, "[libc.so.6]"), "%s", r.out);
    cr_assert(strstr(r.out, "[libmound.so.0]"), "soname: %s", r.out);
    cr_assert(strstr(r.out, "NODELETE"), "%s", r.out);
    cr_assert(strstr(r.out, "INITFIRST"), "%s", r.out);
    cr_assert(strstr(r.out, "NOW"), "%s", r.out);
    cr_assert(!strstr(r.out, "TEXTREL"), "%s", r.out);
    spawn_free(&r);
}

Test(library, has_little_tls_in_the_static_area) {
    enum { MAX_TLS = 64 };
    struct spawn_result r = readelf("-l");
    const char *tls = strstr(r.out, "  TLS ");
    unsigned long nbytes = 0;

    cr_assert(tls && sscanf(tls, " TLS %*s %*s %*s %*s %lx", &nbytes) == 1,
              "%s", r.out);
    cr_assert(nbytes <= MAX_TLS, "%lu bytes of TLS", nbytes);
    spawn_free(&r);

#ifdef __aarch64__ // whose linker sets no flag
    r = readelf("-r");
    cr_assert(strstr(r.out, "TLS_TPREL"), "not initial-exec: %s", r.out);
    cr_assert(!strstr(r.out, "TLSDESC"), "not initial-exec: %s", r.out);
#else
    r = readelf("-d");
    cr_assert(strstr(r.out, "STATIC_TLS"), "not initial-exec: %s", r.out);
#endif
    spawn_free(&r);
}

Test(library, imports_nothing_that_may_allocate) {
    // What an allocator must not call, for these may call it or lock. (It does
    // call dl_iterate_phdr, for profiles only and with no lock of its own held; and
    // madvise and munmap, while somebody has put another in the place of libc's.)
    static const char *const banned[] = {"__tls_get_addr", "pthread_mutex_lock",
                                         "printf",         "snprintf",
                                         "vsnprintf",      "fopen",
                                         "getenv",         "malloc",
                                         "calloc",         "backtrace",
                                         "qsort",          "clock_gettime",
                                         "mmap",           "write"};
    struct spawn_result r = readelf("--dyn-syms");
    cr_assert(strstr(r.out, " UND "), "no imports at all: %s", r.out);
    for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n")) {
        const char *undefined = strstr(line, " UND ");
        if (!undefined) {
            continue;
        }
        char name[200] = "";
        sscanf(undefined, " UND %199[^@ ]", name);
        for (size_t i = 0; i < sizeof banned / sizeof banned[0]; i++) {
            cr_assert(strcmp(name, banned[i]) != 0, "it imports %s", name);
        }
    }
    spawn_free(&r);
}
