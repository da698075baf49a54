// print.c: see print.h.
#include "base/print.h"
#include "base/str.h"

#include <string.h>

#include "os/sys.h"

enum { DIGITS_MAX = 24 };

struct print print_to(int fd) {
    struct print out;
    out.fd = fd;
    out.error = 0;
    out.n = 0;
    return out;
}

void print_flush(struct print *out) {
    if (out->fd == PRINT_NOWHERE)
        return;
    if (out->n > 0 && out->error == 0)
        out->error = sys_write(out->fd, out->buf, out->n);
    out->n = 0;
}

void print_char(struct print *out, char c) {
    if (out->n == PRINT_BUFFER)
        print_flush(out);
    if (out->n < PRINT_BUFFER)
        out->buf[out->n++] = c;
}

void print_bytes(struct print *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        print_char(out, s[i]);
}

void print_str(struct print *out, const char *s) {
    print_bytes(out, s, str_len(s));
}

static void print_spaces(struct print *out, size_t used, unsigned width) {
    for (; used < width; used++)
        print_char(out, ' ');
}

void print_str_left(struct print *out, const char *s, unsigned width) {
    print_str(out, s);
    print_spaces(out, str_len(s), width);
}

void print_str_right(struct print *out, const char *s, unsigned width) {
    print_spaces(out, str_len(s), width);
    print_str(out, s);
}

// format writes n in base to the end of digits and returns the first digit.
static char *format(char digits[DIGITS_MAX], uint64_t n, unsigned base) {
    char *p = digits + DIGITS_MAX - 1;
    *p = '\0';
    do {
        *--p = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    return p;
}

void print_u64_right(struct print *out, uint64_t n, unsigned width) {
    char digits[DIGITS_MAX];
    print_str_right(out, format(digits, n, 10), width);
}

void print_u64(struct print *out, uint64_t n) {
    print_u64_right(out, n, 0);
}

void print_count(struct print *out, uint64_t n, const char *noun) {
    print_u64(out, n);
    print_char(out, ' ');
    print_str(out, noun);
    if (n != 1)
        print_char(out, 's');
}

void print_hex(struct print *out, uint64_t n) {
    char digits[DIGITS_MAX];
    print_str(out, "0x");
    print_str(out, format(digits, n, 16));
}

// print_tenths prints tenths / 10 with one decimal and then unit.
static void print_tenths(struct print *out, uint64_t tenths, const char *unit,
                         unsigned width) {
    char whole[DIGITS_MAX];
    char *p = format(whole, tenths / 10, 10);
    size_t used = str_len(p) + 2 + str_len(unit);
    print_spaces(out, used, width);
    print_str(out, p);
    print_char(out, '.');
    print_char(out, (char)('0' + tenths % 10));
    print_str(out, unit);
}

void print_size(struct print *out, uint64_t nbytes, unsigned width) {
    static const char *const units[] = {" KiB", " MiB", " GiB", " TiB"};
    enum { NUNITS = 4 };
    if (nbytes < 1024) {
        char digits[DIGITS_MAX];
        char *p = format(digits, nbytes, 10);
        print_spaces(out, str_len(p) + 4, width);
        print_str(out, p);
        print_str(out, " B  "); // as wide as the other units
        return;
    }
    unsigned unit = 0;
    while (unit + 1 < NUNITS && nbytes >> (10 * (unit + 2)) > 0)
        unit++;
    uint64_t one = (uint64_t)1 << (10 * (unit + 1));
    uint64_t tenths = nbytes / one * 10 + nbytes % one * 10 / one;
    print_tenths(out, tenths, units[unit], width);
}

void print_percent(struct print *out, uint64_t part, uint64_t whole,
                   unsigned width) {
    uint64_t tenths = whole == 0 ? 0 : (uint64_t)((double)part * 1000 / whole);
    print_tenths(out, tenths, "%", width);
}

// utf8_length returns how many bytes at s, of n, are one valid character of
// UTF-8; 0 if none is.
static size_t utf8_length(const unsigned char *s, size_t n) {
    size_t length = s[0] < 0x80   ? 1
                    : s[0] < 0xc2 ? 0
                    : s[0] < 0xe0 ? 2
                    : s[0] < 0xf0 ? 3
                    : s[0] < 0xf5 ? 4
                                  : 0;
    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    // Overlong forms, surrogates, and what is above U+10FFFF.
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

void print_json_str(struct print *out, const char *s, size_t n) {
    print_char(out, '"');
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t length = utf8_length((const unsigned char *)s + i, n - i);
        if (length == 0) { // as in Go: U+FFFD for each byte that is not UTF-8
            print_str(out, "\\ufffd");
            length = 1;
        } else if (c == '"' || c == '\\') {
            print_char(out, '\\');
            print_char(out, (char)c);
        } else if (c < 0x20) {
            print_str(out, "\\u00");
            print_char(out, "0123456789abcdef"[c >> 4]);
            print_char(out, "0123456789abcdef"[c & 15]);
        } else {
            print_bytes(out, s + i, length);
        }
        i += length;
    }
    print_char(out, '"');
}
