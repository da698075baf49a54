// print.h: writes text to a descriptor without stdio, locks or allocation. Safe
// in a signal handler.
#ifndef MOUND_BASE_PRINT_H
#define MOUND_BASE_PRINT_H

#include "base/compiler.h"

enum {
    PRINT_BUFFER = 512,
    PRINT_NOWHERE = INT32_MIN, // no descriptor: only buf is filled
};

// struct print collects text and writes it when full and at print_flush. It is
// on the caller's stack.
struct print {
    int fd;    // or PRINT_NOWHERE: text beyond the buffer is dropped
    int error; // 0, or the first -errno of a write
    size_t n;  // bytes in buf
    char buf[PRINT_BUFFER];
};

struct print print_to(int fd);
void print_flush(struct print *out);
void print_bytes(struct print *out, const char *s, size_t n);
void print_str(struct print *out, const char *s);
void print_char(struct print *out, char c);
void print_u64(struct print *out, uint64_t n);

// print_u64_right prints n right-aligned in a column of width characters.
void print_u64_right(struct print *out, uint64_t n, unsigned width);

// print_str_left prints s, padded with spaces to width; print_str_right pads on
// the left.
void print_str_left(struct print *out, const char *s, unsigned width);
void print_str_right(struct print *out, const char *s, unsigned width);

// print_count prints n and what it counts, such as "1 byte" and "2 bytes".
void print_count(struct print *out, uint64_t n, const char *noun);

// print_hex prints 0x and the digits.
void print_hex(struct print *out, uint64_t n);

// print_size prints a size for people, such as "12.3 MiB", in a column.
void print_size(struct print *out, uint64_t nbytes, unsigned width);

// print_percent prints part of whole as "12.3%", in a column.
void print_percent(struct print *out, uint64_t part, uint64_t whole,
                   unsigned width);

// print_json_str prints s, n bytes, as a quoted JSON string.
void print_json_str(struct print *out, const char *s, size_t n);

#endif // MOUND_BASE_PRINT_H
