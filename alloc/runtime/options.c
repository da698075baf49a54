// options.c: see options.h. It makes no libc call that may allocate or lock, because
// the first malloc may run before the C library is ready. Nor does it call the C
// library's string functions: a sanitizer's runtime replaces them, and the first call
// of one starts that runtime, which allocates.
#include "runtime/options.h"

#include <string.h>

#include "base/print.h"
#include "base/str.h"
#include "os/cgroup.h"
#include "os/sys.h"
#include "runtime/unknown.h"
#include "runtime/value.h"

enum { DECAY_MAX_S = 1000 * 1000 };
static const uint64_t SECOND_NS = 1000 * 1000 * 1000;

// Absolute paths. Outside of values, because they are large and mostly empty.
static char stats_path[OUTNAME_PATH_MAX];
static char profile_path[OUTNAME_PATH_MAX];
static char only_names[OUTNAME_MAX];
static AT_START const char *only; // names of programs, or NULL
static AT_START struct options values;
const struct options *const options = &values;

// A setuid program reads only the variables that harden it: the environment belongs to
// a user with fewer rights.
enum trust { ANYONE, NOT_SECURE };

struct choice {
    char text[12]; // no pointer, which each start would have to relocate
    int value;     // empty text: the end
};

static void complain_nowhere(const char *name, const char *without) {
    struct print out = print_to(2);
    print_str(&out, "mound: ");
    print_str(&out, name);
    print_str(&out, ": has no effect without ");
    print_str(&out, without);
    print_str(&out, "\n");
    print_flush(&out);
}

// choose returns the value of a choice; without a match it complains and returns
// otherwise.
static int choose(const char *name, const char *text,
                  const struct choice *choices, const char *allowed,
                  int otherwise) {
    for (; choices->text[0] != '\0'; choices++)
        if (str_same(text, choices->text))
            return choices->value;
    value_complain(name, text, allowed);
    return otherwise;
}

static const struct choice on_off[] = {{"0", 0}, {"1", 1}, {"", 0}};

static int read_signal(const char *name, const char *value) {
    int signal = sys_signal_number(value);
    if (signal == 0 && !str_same(value, "0"))
        value_complain(
            name, value,
            "0, the name of a signal that can be caught, or its number");
    return signal;
}

static bool read_path(const char *name, const char *value, char *ret_path) {
    const char *why = outname_set(ret_path, value);
    if (why != NULL)
        value_complain_why(name, value, why);
    return why == NULL;
}

static void read_stats(const char *value) {
    struct statsvalue to = statsvalue_read(value);
    if (to.mode == STATS_FILE && !read_path("MOUND_STATS", value, stats_path))
        to.mode = STATS_OFF;
    values.stats = to.mode;
    values.stats_fd = to.fd;
    values.stats_classes = to.classes;
    values.stats_json = to.json;
    values.stats_path = to.mode == STATS_FILE ? stats_path : "";
}

static void read_stats_on(const char *value) {
    values.stats_on = statsvalue_signals(value);
}

static void read_stats_signal(const char *value) {
    values.stats_signal = read_signal("MOUND_STATS_SIGNAL", value);
}

static void read_profile(const char *value) {
    if (str_same(value, "0"))
        return;
    if (!value_is_path(value))
        value_complain("MOUND_PROFILE", value,
                       "0, or a path such as ./heap.pb.gz");
    else if (read_path("MOUND_PROFILE", value, profile_path))
        values.profile_path = profile_path;
}

static const char BYTES[] = "a number of bytes such as 4096, 512KiB or 64MiB";

// read_bytes reads a size such as 4096, 512KiB or 64MiB.
static void read_bytes(const char *name, const char *value, const char *allowed,
                       uint64_t *ret) {
    static const struct {
        char text[4];
        unsigned shift;
    } units[] = {{"", 0},   {"KiB", 10}, {"MiB", 20}, {"GiB", 30},
                 {"K", 10}, {"M", 20},   {"G", 30}};
    uint64_t n;
    const char *unit;
    if (value_number(value, &n, &unit))
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (str_same(unit, units[i].text) &&
                n <= (uint64_t)INT64_MAX >> units[i].shift) {
                *ret = n << units[i].shift;
                return;
            }
    value_complain(name, value, allowed);
}

static void read_profile_rate(const char *value) {
    read_bytes("MOUND_PROFILE_RATE", value, BYTES, &values.profile_rate);
}

static void read_profile_every(const char *value) {
    read_bytes("MOUND_PROFILE_EVERY", value, BYTES, &values.profile_every);
}

static void read_profile_signal(const char *value) {
    values.profile_signal = read_signal("MOUND_PROFILE_SIGNAL", value);
}

// read_moment reads "peak" or a percentage such as 90%, and returns the text after it,
// or NULL.
static const char *read_moment(const char *text, bool *ret_peak,
                               uint64_t *ret_percent) {
    enum { PERCENT_MAX = 100 };
    const char *rest = str_after(text, "peak");
    if (rest != NULL) {
        *ret_peak = true;
        return rest;
    }
    bool good = value_number(text, ret_percent, &rest) && *rest == '%' &&
                *ret_percent > 0 && *ret_percent <= PERCENT_MAX;
    return good ? rest + 1 : NULL;
}

static void read_profile_at(const char *value) {
    bool peak = false;
    uint64_t percent = 0;
    if (str_same(value, "0"))
        return;
    const char *s = read_moment(value, &peak, &percent);
    while (s != NULL && *s == ',')
        s = read_moment(s + 1, &peak, &percent);
    if (s == NULL || *s != '\0') {
        value_complain("MOUND_PROFILE_AT", value,
                       "peak, or a percentage such as 90%");
        return;
    }
    values.profile_peak = peak;
    values.profile_percent = (unsigned)percent;
}

static void read_unwind(const char *value) {
    static const struct choice choices[] = {{"tables", UNWIND_TABLES},
                                            {"libunwind", UNWIND_LIBUNWIND},
                                            {"fp", UNWIND_FP},
                                            {"", 0}};
    values.unwind =
        (enum unwind_mode)choose("MOUND_UNWIND", value, choices,
                                 "tables, libunwind or fp", UNWIND_TABLES);
    values.unwind_asked = true;
}

static void read_guard(const char *value) {
    const char *rest;
    if (!value_number(value, &values.guard, &rest) || *rest != '\0') {
        values.guard = 0;
        value_complain("MOUND_GUARD", value, "0 or a number");
    }
}

static void read_hardened(const char *value) {
    static const struct choice levels[] = {
        {"0", 0}, {"1", 1}, {"2", 2}, {"", 0}};
    values.hardened =
        (unsigned)choose("MOUND_HARDENED", value, levels, "0, 1 or 2", 0);
}

static void read_off(const char *value) {
    values.off = choose("MOUND_OFF", value, on_off, "0 or 1", 0);
}

static void read_misuse(const char *value) {
    static const struct choice choices[] = {{"abort", REPORT_ABORT},
                                            {"report", REPORT_GO_ON},
                                            {"ignore", REPORT_IGNORE},
                                            {"", 0}};
    values.misuse =
        (enum report_action)choose("MOUND_MISUSE", value, choices,
                                   "abort, report or ignore", REPORT_ABORT);
}

static void read_deepbind(const char *value) {
    static const struct choice choices[] = {{"clear", 0}, {"keep", 1}, {"", 0}};
    values.keep_deepbind =
        choose("MOUND_DEEPBIND", value, choices, "clear or keep", 0);
}

static void read_thp(const char *value) {
    static const struct choice choices[] = {{"auto", THP_AUTO},
                                            {"never", THP_NEVER},
                                            {"always", THP_ALWAYS},
                                            {"", 0}};
    values.thp = (enum thp_mode)choose("MOUND_THP", value, choices,
                                       "auto, never or always", THP_AUTO);
}

// read_decay reads seconds, with up to three decimals.
static void read_decay(const char *value) {
    uint64_t s, thousandths = 0;
    const char *rest;
    if (str_same(value, "never")) {
        values.half_life_ns = SCAVENGE_NEVER;
        return;
    }
    bool ok = value_number(value, &s, &rest) && s <= DECAY_MAX_S;
    if (ok && *rest == '.') {
        const char *digits = rest + 1;
        ok = value_number(digits, &thousandths, &rest) && rest - digits <= 3;
        for (long n = rest - digits; n < 3; n++)
            thousandths *= 10;
    }
    if (ok && *rest == '\0')
        values.half_life_ns = s * SECOND_NS + thousandths * (SECOND_NS / 1000);
    else
        value_complain("MOUND_DECAY", value, "a number of seconds, or never");
}

static void read_memlimit(const char *value) {
    if (str_same(value, "cgroup"))
        values.memlimit = cgroup_memory_limit();
    else
        read_bytes("MOUND_MEMLIMIT", value,
                   "cgroup, or a number of bytes such as 512MiB or 4GiB",
                   &values.memlimit);
}

static void read_helper(const char *value) {
    static const struct choice choices[] = {
        {"auto", 0}, {"always", 1}, {"", 0}};
    values.help_always =
        choose("MOUND_HELPER", value, choices, "auto or always", 0);
}

static void read_trace(const char *value) {
    static const struct choice choices[] = {{"0", 0}, {"scav", 1}, {"", 0}};
    values.trace_scav = choose("MOUND_TRACE", value, choices, "0 or scav", 0);
}

static void read_names(const char *value) {
    values.names = choose("MOUND_NAMES", value, on_off, "0 or 1", 0);
}

static void read_control(const char *value) {
    values.control = choose("MOUND_CONTROL", value, on_off, "0 or 1", 0);
}

static void read_watch(const char *value) {
    static const struct choice choices[] = {
        {"0", WATCH_OFF}, {"1", WATCH_ON}, {"keep", WATCH_KEEP}, {"", 0}};
    values.watch = (enum watch_mode)choose("MOUND_WATCH", value, choices,
                                           "0, 1 or keep", WATCH_OFF);
}

// The list is compared with the name of the program later: leave_out.
static void read_only(const char *value) {
    size_t n = str_len(value);
    if (n < sizeof only_names)
        only = memcpy(only_names, value, n + 1);
    else
        value_complain_why("MOUND_ONLY", value, "the list is too long");
}

// Each variable: its name without the prefix, in which programs it is read, and its
// parser. They are called by a switch: each start would relocate a table of functions.
#define VARIABLES(X)                                                           \
    X(STATS, NOT_SECURE, read_stats)                                           \
    X(STATS_SIGNAL, NOT_SECURE, read_stats_signal)                             \
    X(STATS_ON, NOT_SECURE, read_stats_on)                                     \
    X(ONLY, NOT_SECURE, read_only)                                             \
    X(PROFILE, NOT_SECURE, read_profile)                                       \
    X(PROFILE_RATE, NOT_SECURE, read_profile_rate)                             \
    X(PROFILE_EVERY, NOT_SECURE, read_profile_every)                           \
    X(PROFILE_SIGNAL, NOT_SECURE, read_profile_signal)                         \
    X(PROFILE_AT, NOT_SECURE, read_profile_at)                                 \
    X(UNWIND, NOT_SECURE, read_unwind)                                         \
    X(GUARD, NOT_SECURE, read_guard)                                           \
    X(HARDENED, ANYONE, read_hardened)                                         \
    X(MISUSE, NOT_SECURE, read_misuse)                                         \
    X(OFF, NOT_SECURE, read_off)                                               \
    X(DEEPBIND, NOT_SECURE, read_deepbind)                                     \
    X(THP, NOT_SECURE, read_thp)                                               \
    X(DECAY, NOT_SECURE, read_decay)                                           \
    X(MEMLIMIT, NOT_SECURE, read_memlimit)                                     \
    X(HELPER, NOT_SECURE, read_helper)                                         \
    X(TRACE, NOT_SECURE, read_trace)                                           \
    X(NAMES, NOT_SECURE, read_names)                                           \
    X(CONTROL, NOT_SECURE, read_control)                                       \
    X(WATCH, NOT_SECURE, read_watch)

#define AS_NUMBER(name, trust, read) VARIABLE_##name,
enum variable { VARIABLES(AS_NUMBER) NVARIABLES };

static const struct {
    char name[24];
    enum trust trust;
} variables[] = {
#define AS_ENTRY(name, trust, read) {"MOUND_" #name, trust},
    VARIABLES(AS_ENTRY)};

static void read_value(enum variable variable, const char *value) {
    switch (variable) {
#define AS_CASE(name, trust, read)                                             \
    case VARIABLE_##name:                                                      \
        read(value);                                                           \
        break;
        VARIABLES(AS_CASE)
    case NVARIABLES:
        break;
    }
}

static const char *variable_name(unsigned i) {
    return variables[i].name;
}

static void read_variable(const char *entry, bool secure) {
    if (str_after(entry, "MOUND_") == NULL)
        return;
    for (unsigned i = 0; i < NVARIABLES; i++) {
        const char *rest = str_after(entry, variables[i].name);
        if (rest == NULL || rest[0] != '=')
            continue;
        // Scripts leave a variable out by an empty value.
        if (rest[1] != '\0' && !(secure && variables[i].trust == NOT_SECURE))
            read_value((enum variable)i, rest + 1);
        return;
    }
    if (!secure)
        unknown_note(entry);
}

// is_named says whether the list of MOUND_ONLY contains a name.
static bool is_named(const char *name) {
    for (const char *text = only;; text++) {
        size_t n = value_word(text);
        if (n > 0 && value_word_is(text, n, name))
            return true;
        text += n;
        if (*text == '\0')
            return false;
    }
}

// leave_out turns dumps and profiles off unless MOUND_ONLY names the program: by the
// name of its file, or by the name that it was called by.
static void leave_out(void) {
    char called[OUTNAME_MAX];
    long n = 0;
    if (only == NULL || is_named(outname_program()))
        return;
    int fd = sys_open_read("/proc/self/cmdline");
    if (fd >= 0) {
        n = sys_read(fd, called, sizeof called - 1);
        sys_close(fd);
    }
    called[n > 0 ? n : 0] = '\0';
    const char *slash = str_find_last(called, '/');
    if (is_named(slash != NULL ? slash + 1 : called))
        return;
    values.stats = STATS_OFF;
    values.stats_signal = 0;
    values.stats_on = 0;
    profile_path[0] = '\0';
    values.profile_signal = 0;
    values.profile_every = 0;
    values.profile_peak = false;
    values.profile_percent = 0;
}

// read_proc reads the environment as it was at the start of the process. An entry
// longer than the buffer cannot be one of ours.
static void read_proc(bool secure) {
    enum { CHUNK_BYTES = 1024 };
    char chunk[CHUNK_BYTES];
    char entry[OUTNAME_PATH_MAX + 64];
    size_t n = 0;
    int fd = sys_open_read("/proc/self/environ");
    if (fd < 0)
        return;
    long got;
    while ((got = sys_read(fd, chunk, sizeof chunk)) > 0)
        for (long i = 0; i < got; i++) {
            if (n < sizeof entry)
                entry[n] = chunk[i];
            n++;
            if (chunk[i] != '\0')
                continue;
            if (n <= sizeof entry)
                read_variable(entry, secure);
            n = 0;
        }
    sys_close(fd);
}

COLD void options_read(char **envp) {
    bool secure = sys_secure();
    values.profile_rate = 512 << 10;
    values.stats_path = values.profile_path = "";
    values.unwind = UNWIND_TABLES;
    values.half_life_ns = SCAVENGE_HALF_LIFE_NS;
    if (envp == NULL) {
        read_proc(secure);
    } else {
        for (; *envp != NULL; envp++)
            read_variable(*envp, secure);
    }
    unknown_complain(variable_name, NVARIABLES);
    if (values.profile_path[0] == '\0' && values.profile_signal != 0)
        complain_nowhere("MOUND_PROFILE_SIGNAL", "MOUND_PROFILE");
    if (values.profile_path[0] == '\0' && values.profile_every != 0)
        complain_nowhere("MOUND_PROFILE_EVERY", "MOUND_PROFILE");
    if (values.control && values.watch == WATCH_OFF)
        values.watch = WATCH_ON; // requests come by the page
    bool at = values.profile_peak || values.profile_percent != 0;
    if (values.profile_path[0] == '\0' && at)
        complain_nowhere("MOUND_PROFILE_AT", "MOUND_PROFILE");
    if (values.memlimit == 0 && values.profile_percent != 0)
        complain_nowhere("MOUND_PROFILE_AT: a percentage", "MOUND_MEMLIMIT");
    leave_out();
}
