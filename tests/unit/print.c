// print.c: text without stdio.
#include "base/print.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// text ends what was printed and returns it.
static const char *text(struct print *out) {
    out->buf[out->n] = '\0';
    return out->buf;
}

#define PRINTS(want, call)                                                     \
    do {                                                                       \
        struct print out = print_to(PRINT_NOWHERE);                            \
        struct print *o = &out;                                                \
        call;                                                                  \
        cr_assert(eq(str, (char *)text(o), (char *)(want)));                   \
    } while (0)

Test(print, numbers_stand_in_decimal_and_in_hex) {
    PRINTS("0", print_u64(o, 0));
    PRINTS("10", print_u64(o, 10));
    PRINTS("18446744073709551615", print_u64(o, UINT64_MAX));
    PRINTS("0x0", print_hex(o, 0));
    PRINTS("0x7ffe0a", print_hex(o, 0x7ffe0a));
    PRINTS("0xffffffffffffffff", print_hex(o, UINT64_MAX));
}

Test(print, columns_are_filled_and_never_cut) {
    PRINTS("   42", print_u64_right(o, 42, 5));
    PRINTS("123456", print_u64_right(o, 123456, 3));
    PRINTS("ab  ", print_str_left(o, "ab", 4));
    PRINTS("  ab", print_str_right(o, "ab", 4));
    PRINTS("abcdef", print_str_right(o, "abcdef", 4));
}

Test(print, a_count_of_one_is_singular) {
    PRINTS("0 bytes", print_count(o, 0, "byte"));
    PRINTS("1 byte", print_count(o, 1, "byte"));
    PRINTS("2 bytes", print_count(o, 2, "byte"));
}

Test(print, sizes_take_the_largest_unit_that_leaves_a_whole_number) {
    PRINTS("0 B  ", print_size(o, 0, 0));
    PRINTS("1023 B  ", print_size(o, 1023, 0));
    PRINTS("1.0 KiB", print_size(o, 1024, 0));
    PRINTS("1023.9 KiB", print_size(o, (1 << 20) - 1, 0));
    PRINTS("1.0 MiB", print_size(o, 1 << 20, 0));
    PRINTS("1.5 GiB", print_size(o, (uint64_t)3 << 29, 0));
    PRINTS("2.0 TiB", print_size(o, (uint64_t)2 << 40, 0));
    PRINTS("   1.0 KiB", print_size(o, 1024, 10));
}

Test(print, a_share_of_nothing_is_nothing) {
    PRINTS("0.0%", print_percent(o, 0, 0, 0));
    PRINTS("12.5%", print_percent(o, 1, 8, 0));
    PRINTS("100.0%", print_percent(o, 7, 7, 0));
    PRINTS("  50.0%", print_percent(o, 1, 2, 7));
}

Test(print, json_strings_are_valid_whatever_the_bytes) {
    PRINTS("\"plain\"", print_json_str(o, "plain", 5));
    PRINTS("\"a\\\"b\\\\c\"", print_json_str(o, "a\"b\\c", 5));
    PRINTS("\"\\u0000\\u001f\x7f\"", print_json_str(o, "\0\x1f\x7f", 3));
}

Test(print, json_strings_keep_utf_8_and_show_a_mark_for_each_other_byte) {
    PRINTS("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
           print_json_str(o, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9));
    // alone, cut off, overlong, a surrogate, above the last character
    PRINTS("\"\\ufffd\"", print_json_str(o, "\xff", 1));
    PRINTS("\"\\ufffd\\ufffd\"", print_json_str(o, "\xe2\x82", 2));
    PRINTS("\"\\ufffda\"", print_json_str(o,
                                          "\xc3"
                                          "a",
                                          2));
    PRINTS("\"\\ufffd\\ufffd\"", print_json_str(o, "\xc0\x80", 2));
    PRINTS("\"\\ufffd\\ufffd\\ufffd\"", print_json_str(o, "\xed\xa0\x80", 3));
    PRINTS("\"\\ufffd\\ufffd\\ufffd\\ufffd\"",
           print_json_str(o, "\xf4\x90\x80\x80", 4));
}

Test(print, without_a_descriptor_what_does_not_fit_is_dropped) {
    struct print out = print_to(PRINT_NOWHERE);

    for (int i = 0; i < 2 * PRINT_BUFFER; i++)
        print_char(&out, (char)('a' + i % 26));

    cr_assert(eq(sz, out.n, PRINT_BUFFER));
    cr_assert(eq(chr, out.buf[0], 'a'));
}

Test(print, long_text_arrives_whole_and_in_order) {
    enum { LONG = 5 * PRINT_BUFFER + 7 };
    static char want[LONG], got[LONG + 1];
    int fds[2];
    cr_assert(zero(int, pipe(fds)));
    struct print out = print_to(fds[1]);

    for (int i = 0; i < LONG; i++)
        want[i] = (char)('a' + i % 23);
    print_bytes(&out, want, LONG);
    print_flush(&out);

    cr_assert(eq(sz, (size_t)read(fds[0], got, sizeof got), LONG));
    cr_assert(zero(int, memcmp(want, got, LONG)));
    cr_assert(zero(int, out.error));
}

Test(print, the_first_error_is_kept_and_errno_is_not_touched) {
    struct print out = print_to(9999);
    errno = 77;

    for (int i = 0; i < 3 * PRINT_BUFFER; i++)
        print_char(&out, 'x');
    print_flush(&out);

    cr_assert(eq(int, out.error, -EBADF));
    cr_assert(eq(int, errno, 77));
}
