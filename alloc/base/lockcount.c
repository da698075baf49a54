// lockcount.c: see lockcount.h.
#include "base/lockcount.h"

#ifdef MOUND_LOCK_COUNTS
#include "base/print.h"
#include "os/file.h"
#include "os/sys.h"

_Atomic uint64_t lockcounts[LOCKRANK_COUNT][LOCKCOUNT_KINDS];

static const char *const names[LOCKRANK_COUNT] = {
    "fork",  "page",    "threads", "scavenger", "mcentral",
    "mheap", "special", "mprof",   "persistent"};

void lockcount_write(const char *path) {
    int fd = file_create(FILE_NO_DIR, path);
    if (fd < 0)
        return;
    struct print out = print_to(fd);
    for (int rank = 0; rank < LOCKRANK_COUNT; rank++) {
        print_str(&out, rank == 0 ? "{\"" : ", \"");
        print_str(&out, names[rank]);
        print_str(&out, "\": [");
        print_u64(&out, lockcounts[rank][LOCKCOUNT_TAKEN]);
        print_str(&out, ", ");
        print_u64(&out, lockcounts[rank][LOCKCOUNT_CONTENDED]);
        print_str(&out, "]");
    }
    print_str(&out, "}\n");
    print_flush(&out);
    sys_close(fd);
}
#else
// ISO C forbids an empty file.
typedef int lockcount_not_built;
#endif
