// release.c: which release of which allocator serves this process, as that
// says of itself: one line, a name and a version, or "unknown". scripts/bench
// runs it under each library, so that a table says what it compares with.
#include "bench.h"

#include <gnu/libc-version.h>

typedef int mi_version_fn(void);
typedef const char *tc_version_fn(int *, int *, const char **);
typedef int mallctl_fn(const char *, void *, size_t *, void *, size_t);

static void say(const char *name, const char *version) {
    printf("%s %s\n", name, version);
    exit(0);
}

int main(void) {
    mi_version_fn *mi = (mi_version_fn *)dlsym(RTLD_DEFAULT, "mi_version");
    if (mi != NULL) {
        char number[16];
        snprintf(number, sizeof number, "%d", mi());
        say("mimalloc", number);
    }
    tc_version_fn *tc = (tc_version_fn *)dlsym(RTLD_DEFAULT, "tc_version");
    if (tc != NULL) {
        int major, minor;
        const char *patch;
        say("tcmalloc", tc(&major, &minor, &patch));
    }
    mallctl_fn *mallctl = (mallctl_fn *)dlsym(RTLD_DEFAULT, "mallctl");
    const char *version = NULL;
    size_t size = sizeof version;
    if (mallctl != NULL && mallctl("version", &version, &size, NULL, 0) == 0) {
        say("jemalloc", version);
    }
    Dl_info info = {0};
    dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info);
    const char *file = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    if (file != NULL && strncmp(file, "/libc.so", strlen("/libc.so")) == 0) {
        say("glibc", gnu_get_libc_version());
    }
    printf("unknown\n");
    return 0;
}
