// filter_linux.c: see filter.h.
#include "os/filter.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/str.h"
#include "os/syscall.h"

static AT_START _Atomic bool noted;
static AT_START bool none_at_start; // there was none; false if unknown

// line_after returns the line after the one that s is in, or NULL. It works on
// eight bytes at a time, because it runs at every start. It may read up to
// seven bytes after end.
static const char *line_after(const char *s, const char *end) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word, found = 0;
    for (; s < end && found == 0; s += sizeof word) {
        memcpy(&word, s, sizeof word);
        word ^= ones * '\n';
        found =
            (word - ones) & ~word & ones << 7; // the lowest set bit is right
    }
    if (found == 0)
        return NULL;
    s += __builtin_ctzl(found) / 8 + 1 - (int)sizeof word;
    return s < end ? s : NULL;
}

void filter_start(void) {
    char text[2048]; // the Seccomp line is within the first 1500 bytes
    // Not by prctl: the loader has just made these three calls, so they are
    // allowed.
    int fd = (int)syscall4(SYS_openat, AT_FDCWD, "/proc/self/status",
                           O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    long n = syscall3(SYS_read, fd, text, sizeof text - sizeof(uint64_t));
    syscall1(SYS_close, fd);
    if (n <= 0)
        return;
    memset(text + n, 0, sizeof(uint64_t));
    for (const char *s = text; s != NULL; s = line_after(s, text + n)) {
        const char *value = str_after(s, "Seccomp:\t");
        if (value != NULL)
            none_at_start = *value == '0';
    }
}

void filter_note(void) {
    atomic_store_explicit(&noted, true, memory_order_relaxed);
}

bool filter_noted(void) {
    return atomic_load_explicit(&noted, memory_order_relaxed);
}

bool filter_none(void) {
    return none_at_start && !filter_noted();
}

bool filter_came(void) {
    return filter_noted() ||
           (none_at_start && syscall1(SYS_prctl, PR_GET_SECCOMP) > 0);
}
