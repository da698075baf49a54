// persistentalloc.c: see persistentalloc.h. Chunks are mapped large and touched
// as they fill, so a small process has little resident.
#include "base/persistentalloc.h"

#include "base/bits.h"
#include "os/mem.h"
#include "os/sys.h"

enum {
    // Chunks grow with what was mapped so far, so that few of them separate the
    // pieces of the heap.
    CHUNK_MIN_BYTES = 256 << 10,
    CHUNK_MAX_BYTES = 4 << 20,
    DIRECT_BYTES = 64 << 10, // as in Go: from here on a mapping of its own
};

void persistent_init(struct persistent *pa) {
    mutex_init(&pa->lock, LOCKRANK_PERSISTENT);
}

// add_piece counts a new mapping.
static void add_piece(struct persistent *pa, const void *begin, size_t nbytes) {
    pa->sys_bytes += nbytes;
    if (pa->npieces < PERSISTENT_PIECES)
        pa->pieces[pa->npieces++] =
            (struct persistent_piece){(uintptr_t)begin, nbytes};
}

void *persistentalloc(struct persistent *pa, size_t nbytes, size_t align,
                      _Atomic uint64_t *sys_bytes) {
    void *ret = NULL;
    mutex_lock(&pa->lock);
    if (nbytes >= DIRECT_BYTES) {
        nbytes = align_up(nbytes, sys_page_size());
        ret = mem_map(nbytes);
        if (ret != NULL)
            add_piece(pa, ret, nbytes);
    } else {
        uintptr_t addr = align_up(pa->next, align);
        if (pa->next == 0 || addr + nbytes > pa->end) {
            size_t chunk_bytes =
                clamp_size(align_down(pa->sys_bytes / 2, CHUNK_MIN_BYTES),
                           CHUNK_MIN_BYTES, CHUNK_MAX_BYTES);
            void *chunk = mem_map(chunk_bytes);
            if (chunk == NULL) {
                chunk_bytes = CHUNK_MIN_BYTES;
                chunk = mem_map(chunk_bytes);
            }
            if (chunk == NULL)
                goto out;
            add_piece(pa, chunk, chunk_bytes);
            pa->next = addr = (uintptr_t)chunk;
            pa->end = addr + chunk_bytes;
        }
        pa->next = addr + nbytes;
        ret = (void *)addr;
    }
    if (ret != NULL && sys_bytes != NULL)
        atomic_fetch_add_explicit(sys_bytes, nbytes, memory_order_relaxed);
out:
    mutex_unlock(&pa->lock);
    return ret;
}

void persistent_feed(struct persistent *pa, void *memory, size_t nbytes) {
    mutex_lock(&pa->lock);
    add_piece(pa, memory, nbytes);
    pa->next = (uintptr_t)memory;
    pa->end = pa->next + nbytes;
    mutex_unlock(&pa->lock);
}
