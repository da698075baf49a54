// array.c: see array.h.
#include "array.h"

#include "memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BLOCK_ALIGNED = 4096, // bytes from which data begins at a cache line
    MAPPED_HEADER = 16,   // glibc's, in front of a block that is a mapping
};

// What a block of an array of 2^B is: the array's own, or one of further overflow
// buckets.
static size_t block_nbuckets(unsigned B, bool own) {
    return own ? mound_map_nbuckets_(B) : (size_t)1 << mound_map_chunkshift_(B);
}

size_t array_front(const struct mound_map_type *t, unsigned B, bool own) {
    size_t bytes = MOUND_MAP_SLOTS;
    if (B > 0)
        bytes = mound_map_tops_size_(B, own) +
                sizeof(uint32_t) * block_nbuckets(B, own);
    size_t align = mound_map_dataalign_(t);
    if (align < sizeof(uint64_t))
        align = sizeof(uint64_t);
    return mound_map_round_(bytes, align);
}

struct array_block array_block_layout(const struct mound_map_type *t,
                                      unsigned B, bool own) {
    struct array_block b = {.front = array_front(t, B, own)};
    b.bytes = b.front + block_nbuckets(B, own) * mound_map_datasize_(t);
    b.aligned =
        b.bytes >= BLOCK_ALIGNED || mound_map_dataalign_(t) > MEMORY_ALIGN;
    if (b.aligned)
        b.bytes +=
            sizeof(void *) + MOUND_MAP_LINE - MEMORY_ALIGN + sizeof(uint64_t);
    return b;
}

static char *block_new(const struct mound_map_type *t, unsigned B, bool own,
                       bool cleared) {
    struct array_block b = array_block_layout(t, B, own);
    char *p = (char *)memory_new(t, b.bytes, MEMORY_ALIGN);
    if (p == NULL)
        return NULL;
    char *base = p + b.front;
    if (b.aligned) {
        uintptr_t a = (uintptr_t)base + sizeof(void *);
        base += mound_map_round_(a, MOUND_MAP_LINE) - (uintptr_t)base;
        memcpy(base - b.front - sizeof(void *), &p, sizeof p);
    }
    // Not by calloc, which would clear the data, too, of memory that is used again. Of
    // fresh memory the first writes touch all these pages anyway.
    if (cleared)
        memset(base - b.front, 0, b.front);
    return base;
}

char *array_block_start(const struct array_block *b, char *base) {
    char *p = base - b->front;
    if (b->aligned)
        memcpy(&p, p - sizeof(void *), sizeof p);
    return p;
}

static void block_free(const struct mound_map_type *t, char *base, unsigned B,
                       bool own) {
    // The only bucket of a small map, without all that has to be known of others.
    if (B == 0 && t->memory == NULL &&
        mound_map_dataalign_(t) <= sizeof(uint64_t)) {
        free(base - MOUND_MAP_SLOTS);
        return;
    }
    struct array_block b = array_block_layout(t, B, own);
    memory_free(t, array_block_start(&b, base), b.bytes);
}

// page_size returns the size of a page of the system: 4, 16 or 64 KiB.
static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool array_block_mapped(char *start) {
    size_t page = page_size();
    return (uintptr_t)start % page == MAPPED_HEADER &&
           (malloc_usable_size(start) + MAPPED_HEADER) % page == 0;
}

static void pages_advise(uintptr_t first, uintptr_t end, int advice) {
    if (first >= end)
        return;
    int saved = errno;
    madvise((void *)first, end - first, advice);
    errno = saved;
}

// Not a part of a page: of a length that ends in one the kernel takes all of that page.
void array_pages_release(char *from, char *to) {
    uintptr_t page = page_size();
    pages_advise(mound_map_round_((uintptr_t)from, page), (uintptr_t)to & -page,
                 MADV_DONTNEED);
}

void array_pages_populate(char *from, char *to) {
#ifndef MADV_POPULATE_WRITE
    enum { MADV_POPULATE_WRITE = 23 };
#endif
    // From the page that from is in, so that pieces one after the other leave none out.
    uintptr_t page = page_size();
    pages_advise((uintptr_t)from & -page, (uintptr_t)to & -page,
                 MADV_POPULATE_WRITE);
}

MOUND_MAP_STATIC_ASSERT_(
    MOUND_MAP_SLOTS *(1 + 2 * MOUND_MAP_INLINE_MAX) < BLOCK_ALIGNED,
    "block_free takes a bucket of B = 0 to begin with its tophash bytes");

char *array_new(const struct mound_map_type *t, unsigned B, bool cleared) {
    return block_new(t, B, true, cleared);
}

char *array_lend(const struct mound_map_type *t, void *memory) {
    size_t front = array_front(t, 0, true);
    memset(memory, 0, front);
    return (char *)memory + front;
}

void array_clear(char *array, unsigned B) {
    size_t n = (size_t)1 << B;
    memset(array - MOUND_MAP_SLOTS * n, 0, MOUND_MAP_SLOTS * n);
    if (B == 0)
        return;
    memset(mound_map_filter_(array, B, n - 1), 0, n);
    memset(mound_map_link_(array, n - 1, B, true), 0, sizeof(uint32_t) * n);
}

char *overflow_chunk(const struct mound_map_overflow *overflow, size_t i) {
    return overflow->nchunks_ == 1 ? overflow->u_.one_ : overflow->u_.many_[i];
}

static size_t overflow_capacity(const struct mound_map_overflow *overflow,
                                unsigned B) {
    return mound_map_nbuckets_(B) +
           ((size_t)overflow->nchunks_ << mound_map_chunkshift_(B));
}

// The table of blocks has room for a power of two of them.
static bool overflow_table_grow(const struct mound_map_type *t,
                                struct mound_map_overflow *overflow) {
    size_t n = overflow->nchunks_;
    if (n == 0 || (n & (n - 1)) != 0)
        return true;
    char **many = (char **)memory_new(t, 2 * n * sizeof *many, MEMORY_ALIGN);
    if (many == NULL)
        return false;
    if (n == 1) {
        many[0] = overflow->u_.one_;
    } else {
        memcpy(many, overflow->u_.many_, n * sizeof *many);
        memory_free(t, overflow->u_.many_, n * sizeof *many);
    }
    overflow->u_.many_ = many;
    return true;
}

bool overflow_reserve(const struct mound_map_type *t,
                      struct mound_map_overflow *overflow, unsigned B,
                      size_t n) {
    if (overflow->next_ == 0)
        overflow->next_ = 1u << B;
    while (overflow->next_ + n > overflow_capacity(overflow, B)) {
        size_t chunk = (size_t)1 << mound_map_chunkshift_(B);
        if (overflow_capacity(overflow, B) + chunk > UINT32_MAX)
            return false;
        char *base = block_new(t, B, false, false);
        if (base == NULL)
            return false;
        if (!overflow_table_grow(t, overflow)) {
            block_free(t, base, B, false);
            return false;
        }
        if (overflow->nchunks_ == 0)
            overflow->u_.one_ = base;
        else
            overflow->u_.many_[overflow->nchunks_] = base;
        overflow->nchunks_++;
    }
    return true;
}

void overflow_take(struct mound_map_overflow *overflow, char *array, unsigned B,
                   char **base, size_t *index) {
    size_t n = mound_map_nbuckets_(B);
    unsigned shift = mound_map_chunkshift_(B);
    uint32_t number = overflow->next_++;
    *mound_map_link_(*base, *index, B, *base == array) = number;
    if (number < n) {
        *base = array;
        *index = number;
    } else {
        n = number - n;
        *base = overflow_chunk(overflow, n >> shift);
        *index = n & (((size_t)1 << shift) - 1);
    }
    memset(mound_map_top_(*base, *index), 0, MOUND_MAP_SLOTS);
    *mound_map_link_(*base, *index, B, *base == array) = 0;
}

// The table's size: a power of two of blocks, since there were two.
static size_t overflow_table_size(const struct mound_map_overflow *overflow) {
    size_t n = 2;
    while (n < overflow->nchunks_)
        n *= 2;
    return n * sizeof(char *);
}

void overflow_table_free(const struct mound_map_type *t,
                         struct mound_map_overflow *overflow) {
    memory_free(t, overflow->u_.many_, overflow_table_size(overflow));
}

static void overflow_free(const struct mound_map_type *t,
                          struct mound_map_overflow *overflow, unsigned B) {
    for (size_t i = 0; i < overflow->nchunks_; i++)
        block_free(t, overflow_chunk(overflow, i), B, false);
    if (overflow->nchunks_ > 1)
        overflow_table_free(t, overflow);
    *overflow = (struct mound_map_overflow){0};
}

void array_free(const struct mound_map_type *t, char *array, unsigned B,
                bool lent, struct mound_map_overflow *overflow) {
    if (array == NULL)
        return;
    if (overflow != NULL)
        overflow_free(t, overflow, B);
    if (!lent)
        block_free(t, array, B, true);
}

size_t array_bytes(const struct mound_map_type *t, char *array, unsigned B,
                   bool lent, const struct mound_map_overflow *overflow) {
    if (array == NULL)
        return 0;
    size_t n = lent ? 0 : array_block_layout(t, B, true).bytes;
    if (overflow == NULL || overflow->nchunks_ == 0)
        return n;
    return n + overflow->nchunks_ * array_block_layout(t, B, false).bytes +
           (overflow->nchunks_ > 1 ? overflow_table_size(overflow) : 0);
}
