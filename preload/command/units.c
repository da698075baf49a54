// units.c: see units.h.
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t SECOND_NS = 1000 * 1000 * 1000;

struct units_text units_bytes(uint64_t nbytes) {
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    struct units_text ret;
    if (nbytes < 1024) {
        snprintf(ret.s, sizeof ret.s, "%" PRIu64 " B", nbytes);
        return ret;
    }
    double n = (double)nbytes / 1024;
    unsigned i = 0;
    // 1023.96 would be printed as 1024.0.
    for (; n >= 1023.95 && i + 1 < sizeof names / sizeof names[0]; i++)
        n /= 1024;
    snprintf(ret.s, sizeof ret.s, "%.1f %s", n, names[i]);
    return ret;
}

struct units_text units_change(int64_t nbytes) {
    struct units_text ret, size;
    size = units_bytes(nbytes < 0 ? -(uint64_t)nbytes : (uint64_t)nbytes);
    snprintf(ret.s, sizeof ret.s, "%s%.20s",
             nbytes > 0   ? "+"
             : nbytes < 0 ? "-"
                          : "",
             size.s);
    return ret;
}

struct units_text units_count(double n) {
    static const char *const names[] = {"k", "M", "G", "T", "P", "E"};
    struct units_text ret;
    if (n < 999.5) {
        snprintf(ret.s, sizeof ret.s, "%.0f", n);
        return ret;
    }
    unsigned i = 0;
    for (n /= 1000; n >= 999.95 && i + 1 < sizeof names / sizeof names[0]; i++)
        n /= 1000;
    snprintf(ret.s, sizeof ret.s, "%.1f %s", n, names[i]);
    return ret;
}

struct units_text units_duration(uint64_t ns) {
    struct units_text ret;
    uint64_t s = ns / SECOND_NS;
    enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
    if (s < 1)
        snprintf(ret.s, sizeof ret.s, "%" PRIu64 " ms", ns / 1000000);
    else if (s < MINUTE)
        snprintf(ret.s, sizeof ret.s, "%.1f s",
                 (double)(ns / (SECOND_NS / 10)) / 10);
    else if (s < HOUR)
        snprintf(ret.s, sizeof ret.s, "%" PRIu64 " min %" PRIu64 " s",
                 s / MINUTE, s % MINUTE);
    else if (s < DAY)
        snprintf(ret.s, sizeof ret.s, "%" PRIu64 " h %" PRIu64 " min", s / HOUR,
                 s % HOUR / MINUTE);
    else
        snprintf(ret.s, sizeof ret.s, "%" PRIu64 " d %" PRIu64 " h", s / DAY,
                 s % DAY / HOUR);
    return ret;
}

struct unit {
    const char *name;
    double factor;
};

// read_unit reads a decimal number, spaces and a unit.
static bool read_unit(const char *text, const struct unit *units,
                      uint64_t *ret) {
    char *rest;
    // strtod would also accept "inf", "0x10" and leading spaces.
    size_t ndigits = strspn(text, "0123456789.");
    if (ndigits == 0 || text[ndigits] == 'e' || text[ndigits] == 'x')
        return false;
    double n = strtod(text, &rest);
    if (rest != text + ndigits)
        return false;
    rest += strspn(rest, " ");
    for (; units->name != NULL; units++) {
        double value = n * units->factor;
        if (strcmp(rest, units->name) == 0 && value < (double)INT64_MAX) {
            *ret = (uint64_t)value;
            return true;
        }
    }
    return false;
}

bool units_read_bytes(const char *text, uint64_t *ret) {
    static const struct unit units[] = {
        {"", 1},        {"B", 1},         {"K", 1 << 10}, {"KiB", 1 << 10},
        {"M", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30},
        {"T", 0x1p40},  {"TiB", 0x1p40},  {NULL, 0}};
    return read_unit(text, units, ret);
}

bool units_read_duration(const char *text, uint64_t *ret_ns) {
    static const struct unit units[] = {
        {"", 1e9},     {"s", 1e9},    {"ms", 1e6},    {"us", 1e3}, {"m", 60e9},
        {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {NULL, 0}};
    return read_unit(text, units, ret_ns);
}
