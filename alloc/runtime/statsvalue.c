// statsvalue.c: see statsvalue.h.
#include "runtime/statsvalue.h"

#include <string.h>

#include "base/str.h"
#include "os/sys.h"
#include "out/outname.h"
#include "runtime/value.h"

// read_descriptor reads fd:N.
static bool read_descriptor(const char *text, size_t n,
                            struct statsvalue *ret) {
    const char *digits = str_after(text, "fd:"), *rest;
    uint64_t fd;
    if (digits == NULL || !value_number(digits, &fd, &rest) ||
        rest != text + n || fd > INT32_MAX)
        return false;
    ret->mode = fd == 1 ? STATS_STDOUT : fd == 2 ? STATS_STDERR : STATS_FD;
    ret->fd = (int)fd;
    return true;
}

static bool read_word(const char *text, size_t n, struct statsvalue *ret) {
    if (value_word_is(text, n, "1"))
        return true;
    if (value_word_is(text, n, "stderr"))
        ret->mode = STATS_STDERR;
    else if (value_word_is(text, n, "stdout"))
        ret->mode = STATS_STDOUT;
    else if (value_word_is(text, n, "classes"))
        ret->classes = true;
    else if (value_word_is(text, n, "json"))
        ret->json = true;
    else
        return read_descriptor(text, n, ret);
    return true;
}

static void read_words(const char *value, struct statsvalue *ret) {
    const char *text = value;
    ret->mode = STATS_STDERR;
    for (;;) {
        size_t n = value_word(text);
        if (!read_word(text, n, ret)) {
            value_complain(
                "MOUND_STATS", value,
                "0, 1, classes, json, stdout, stderr or fd:N, several "
                "separated by commas, or a path such as ./name");
            ret->mode = STATS_OFF;
            return;
        }
        if (text[n] == '\0')
            return;
        text += n + 1;
    }
}

struct statsvalue statsvalue_read(const char *value) {
    struct statsvalue ret = {STATS_OFF, 0, false, false};
    if (str_same(value, "0") || str_same(value, "/dev/null"))
        return ret;
    if (str_same(value, "/dev/stderr")) {
        ret.mode = STATS_STDERR;
    } else if (!value_is_path(value)) {
        read_words(value, &ret);
    } else {
        ret.mode = STATS_FILE;
        ret.classes = true;
        ret.json = outname_ends_in(value, ".json");
    }
    return ret;
}

uint64_t statsvalue_signals(const char *value) {
    enum { NAME = 16 };
    uint64_t set = 0;
    if (str_same(value, "0"))
        return 0;
    for (const char *text = value;; text++) {
        char name[NAME];
        size_t n = value_word(text);
        memcpy(name, text, n < NAME ? n : NAME - 1);
        name[n < NAME ? n : NAME - 1] = '\0';
        int signal = sys_signal_number(name);
        if (signal == 0 || !sys_signal_ends(signal)) {
            value_complain(
                "MOUND_STATS_ON", value,
                "0, or signals that end a process, such as TERM,INT,HUP");
            return 0;
        }
        set |= (uint64_t)1 << (signal - 1);
        text += n;
        if (*text == '\0')
            return set;
    }
}
