// store.h: memory of the command. Without memory it prints one line and exits with status
// 2, so that no output is made from half of the data.
#ifndef MOUND_COMMAND_STORE_H
#define MOUND_COMMAND_STORE_H

#include <stddef.h>
#include <stdint.h>

// store_new returns n zeroed bytes, to be freed by free.
void *store_new(size_t n);

// store_copy returns a copy of n bytes with a 0 after them, to be freed by free.
char *store_copy(const char *s, size_t n);

// store_grow returns array with room for at least one element more than the n in use.
// *capacity is the number of elements that it has room for; it doubles.
void *store_grow(void *array, size_t n, size_t *capacity, size_t elemsize);

// store_printf returns a text formatted as by printf, to be freed by free.
char *store_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

// struct bytes is an array of bytes that grows.
struct bytes {
    char *at;
    size_t n;
    size_t capacity;
};

void bytes_add(struct bytes *b, const void *from, size_t n);
void bytes_add_text(struct bytes *b, const char *s);
void bytes_printf(struct bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *b);

// struct intern assigns numbers from 0 on to different texts. Number 0 is the empty text.
struct intern {
    char **texts;
    size_t n;
    size_t capacity;
    uint32_t *table; // number + 1 by hash; 0: none
    size_t table_size;
};

void intern_init(struct intern *in);
uint32_t intern_add(struct intern *in, const char *s);
void intern_free(struct intern *in);

#endif // MOUND_COMMAND_STORE_H
