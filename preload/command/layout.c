// layout.c: see layout.h.
#include "layout.h"

#include <stdlib.h>
#include <string.h>

bool layout_take(const void *table, size_t nbytes, struct layout *ret) {
    struct mound_layout head;
    *ret = (struct layout){.n = 0};
    if (nbytes < sizeof head)
        return false;
    memcpy(&head, table, sizeof head);
    if (head.magic != MOUND_LAYOUT_MAGIC ||
        head.version != MOUND_LAYOUT_VERSION)
        return false;
    size_t n = (nbytes - sizeof head) / sizeof *ret->entries;
    ret->entries = malloc((n + 1) * sizeof *ret->entries);
    if (ret->entries == NULL)
        return false;
    memcpy(ret->entries, (const char *)table + sizeof head,
           n * sizeof *ret->entries);
    for (; ret->n < n && ret->entries[ret->n].name[0] != '\0'; ret->n++)
        ret->entries[ret->n].name[MOUND_LAYOUT_NAME_BYTES - 1] = '\0';
    ret->library = head.library;
    return true;
}

void layout_end(struct layout *l) {
    free(l->entries);
    *l = (struct layout){.n = 0};
}

bool layout_find(const struct layout *l, const char *name, uint64_t *ret_value,
                 uint64_t *ret_bytes) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->entries[i].name, name) == 0) {
            *ret_value = l->entries[i].value;
            if (ret_bytes != NULL)
                *ret_bytes = l->entries[i].bytes;
            return true;
        }
    return false;
}

bool layout_read(const struct layout *l, const struct memory *m,
                 uint64_t address, const char *member, uint64_t *ret) {
    uint64_t offset, nbytes, value = 0;
    // A shorter value fills the low bytes: mound's machines are little-endian.
    if (!layout_find(l, member, &offset, &nbytes) || nbytes > sizeof value ||
        !m->read(m, address + offset, &value, nbytes))
        return false;
    *ret = value;
    return true;
}
