// fixalloc.c: see fixalloc.h.
#include "base/fixalloc.h"

enum { CHUNK_BYTES = 16 << 10 };

void fixalloc_init(struct fixalloc *f, struct persistent *source,
                   size_t elemsize) {
    f->source = source;
    f->elemsize = elemsize;
}

void *fixalloc_alloc(struct fixalloc *f) {
    if (f->free != NULL) {
        void *record = f->free;
        f->free = *(void **)record;
        *(void **)record = NULL;
        f->ninuse++;
        return record;
    }
    if (f->nfresh == 0) {
        enum { LINE = 64 };
        struct fixchunk *chunk =
            persistentalloc(f->source, CHUNK_BYTES, LINE, &f->sys_bytes);
        if (chunk == NULL)
            return NULL;
        chunk->nrecords = (CHUNK_BYTES - sizeof *chunk) / f->elemsize;
        chunk->next = f->chunks;
        f->chunks = chunk;
        f->nfresh = chunk->nrecords;
    }
    size_t i = f->chunks->nrecords - f->nfresh;
    f->nfresh--;
    f->ninuse++;
    return fixalloc_record(f, f->chunks, i);
}

void fixalloc_free(struct fixalloc *f, void *record) {
    *(void **)record = f->free;
    f->free = record;
    f->ninuse--;
}
