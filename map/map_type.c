// map_type.c: see map_type.h, and the functions of mound_map_type.h that are not inlined.
#include "map_type.h"

#include "memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool power_of_two(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

bool map_type_valid(const struct mound_map_type *t) {
    return t != NULL && t->hash != NULL && t->equal != NULL &&
           t->key_size <= MOUND_MAP_SIZE_MAX &&
           t->elem_size <= MOUND_MAP_SIZE_MAX && power_of_two(t->key_align) &&
           power_of_two(t->elem_align) && t->key_align <= MOUND_MAP_ALIGN_MAX &&
           t->elem_align <= MOUND_MAP_ALIGN_MAX &&
           (t->key_size & (t->key_align - 1)) == 0 &&
           (t->elem_size & (t->elem_align - 1)) == 0 &&
           (t->memory == NULL ||
            (t->memory->allocate != NULL && t->memory->release != NULL));
}

void map_type_misuse(const struct mound_map_type *t, const char *message) {
    if (t->misuse != NULL) {
        t->misuse(message, t->user);
        return;
    }
    char line[128];
    int n = snprintf(line, sizeof line, "fatal error: %s\n", message);
    ssize_t written = write(STDERR_FILENO, line, (size_t)n);
    (void)written; // the process ends anyway
    abort();
}

void mound_map_drop_(const struct mound_map_type *t, void *key, void *elem) {
    if (t->key_drop != NULL)
        t->key_drop(key, t->user);
    if (t->elem_drop != NULL)
        t->elem_drop(elem, t->user);
    if (mound_map_key_apart_(t))
        memory_free(t, key, t->key_size);
    if (mound_map_elem_apart_(t))
        memory_free(t, elem, t->elem_size);
}

bool mound_map_fill_apart_(const struct mound_map_type *t, char *kslot,
                           char *eslot, const void *key) {
    void *k = NULL, *e = NULL;
    if (mound_map_key_apart_(t) &&
        (k = memory_new(t, t->key_size, t->key_align)) == NULL)
        return false;
    if (mound_map_elem_apart_(t) &&
        (e = memory_new(t, t->elem_size, t->elem_align)) == NULL) {
        memory_free(t, k, t->key_size);
        return false;
    }
    void *where = k != NULL ? k : kslot;
    if (t->key_copy != NULL) {
        if (!t->key_copy(where, key, t->user)) {
            memory_free(t, k, t->key_size);
            memory_free(t, e, t->elem_size);
            return false;
        }
    } else if (t->key_size > 0) {
        memcpy(where, key, t->key_size);
    }
    if (k != NULL)
        memcpy(kslot, &k, sizeof k);
    if (e != NULL)
        memcpy(eslot, &e, sizeof e);
    if (t->elem_size > 0)
        memset(e != NULL ? e : eslot, 0, t->elem_size);
    return true;
}

void *mound_map_no_map_(void) {
    errno = EINVAL;
    return NULL;
}

bool map_type_copy_elem(const struct mound_map_type *t, void *slot,
                        const void *elem) {
    if (t->elem_copy != NULL)
        return t->elem_copy(slot, elem, t->user);
    if (t->elem_size > 0)
        memcpy(slot, elem, t->elem_size);
    return true;
}

void map_type_drop(const struct mound_map_type *t, void *key, void *elem,
                   const void *half) {
    if (t->key_drop != NULL)
        t->key_drop(key, t->user);
    if (t->elem_drop != NULL && elem != half)
        t->elem_drop(elem, t->user);
}
