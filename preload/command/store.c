// store.c: see store.h.
#include "store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "verb.h"

static void *or_end(void *p) {
    if (p == NULL) {
        message_error("out of memory");
        exit(VERB_UNUSABLE);
    }
    return p;
}

void *store_new(size_t n) {
    return or_end(calloc(1, n > 0 ? n : 1));
}

char *store_copy(const char *s, size_t n) {
    char *copy = store_new(n + 1);
    memcpy(copy, s, n);
    return copy;
}

void *store_grow(void *array, size_t n, size_t *capacity, size_t elemsize) {
    enum { FIRST = 16 };
    if (n < *capacity)
        return array;
    *capacity = *capacity > 0 ? 2 * *capacity : FIRST;
    return or_end(reallocarray(array, *capacity, elemsize));
}

char *store_printf(const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    return or_end(n < 0 ? NULL : text);
}

// Bytes.

static void make_room(struct bytes *b, size_t n) {
    while (b->n + n > b->capacity)
        b->at = store_grow(b->at, b->capacity, &b->capacity, 1);
}

void bytes_add(struct bytes *b, const void *from, size_t n) {
    if (n == 0)
        return;
    make_room(b, n);
    memcpy(b->at + b->n, from, n);
    b->n += n;
}

void bytes_add_text(struct bytes *b, const char *s) {
    bytes_add(b, s, strlen(s));
}

void bytes_printf(struct bytes *b, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0)
        text = NULL;
    or_end(text);
    bytes_add(b, text, (size_t)n);
    free(text);
}

void bytes_free(struct bytes *b) {
    free(b->at);
    *b = (struct bytes){0};
}

// Numbered texts.

void intern_init(struct intern *in) {
    *in = (struct intern){0};
    intern_add(in, "");
}

static uint64_t hash_of(const char *s) { // FNV-1a
    uint64_t hash = 0xcbf29ce484222325;
    for (; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * 0x100000001b3;
    return hash ^ hash >> 29;
}

// slot_of returns the place of s in the table, used or free.
static uint32_t *slot_of(struct intern *in, const char *s) {
    size_t i = hash_of(s) & (in->table_size - 1);
    while (in->table[i] != 0 && strcmp(in->texts[in->table[i] - 1], s) != 0)
        i = (i + 1) & (in->table_size - 1);
    return &in->table[i];
}

static void enlarge_table(struct intern *in) {
    enum { FIRST = 64 };
    free(in->table);
    in->table_size = in->table_size > 0 ? 2 * in->table_size : FIRST;
    in->table = store_new(in->table_size * sizeof in->table[0]);
    for (size_t i = 0; i < in->n; i++)
        *slot_of(in, in->texts[i]) = (uint32_t)i + 1;
}

uint32_t intern_add(struct intern *in, const char *s) {
    if (2 * (in->n + 1) > in->table_size)
        enlarge_table(in);
    uint32_t *slot = slot_of(in, s);
    if (*slot == 0) {
        in->texts =
            store_grow(in->texts, in->n, &in->capacity, sizeof in->texts[0]);
        in->texts[in->n++] = store_copy(s, strlen(s));
        *slot = (uint32_t)in->n;
    }
    return *slot - 1;
}

void intern_free(struct intern *in) {
    for (size_t i = 0; i < in->n; i++)
        free(in->texts[i]);
    free(in->texts);
    free(in->table);
    *in = (struct intern){0};
}
