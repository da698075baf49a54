// gzip.h: bytes on their way to a descriptor, packed as a gzip file or as they
// are. It allocates nothing and calls only write.
//
// A file is cut into independent blocks. Repeats within a block are found by a
// hash of four bytes and written with deflate's fixed codes: not the best
// compression, but most of a profile repeats the stack before.
#ifndef MOUND_PROF_GZIP_H
#define MOUND_PROF_GZIP_H

#include "base/compiler.h"

enum {
    GZIP_BLOCK = 1 << 16,
    GZIP_HASH_BITS = 13,
    GZIP_SYMBOLS = 286, // bytes, the end of a block, lengths
    // The longest block, with what precedes and follows it.
    GZIP_OUT = GZIP_BLOCK + GZIP_BLOCK / 8 + 64,
};

enum gzip_mode {
    GZIP_PACKED,
    GZIP_PLAIN, // no gzip at all
};

// struct gzip is one file being written. 200 KiB: static, not on a stack.
struct gzip {
    int fd;
    enum gzip_mode mode;
    int error;     // 0, or the first -errno of a write
    uint32_t crc;  // of all bytes so far
    uint32_t size; // their number, modulo 2^32 as the format has it
    size_t nin;
    size_t nout;
    uint64_t bits; // not yet in out, the first one lowest
    unsigned nbits;
    uint32_t crc_table[256];
    uint16_t codes[GZIP_SYMBOLS];        // first bit lowest
    uint16_t heads[1 << GZIP_HASH_BITS]; // where a hash was last, + 1
    uint8_t in[GZIP_BLOCK];
    uint8_t out[GZIP_OUT];
};

void gzip_start(struct gzip *z, int fd, enum gzip_mode mode);

// gzip_write takes n bytes. After an error it does nothing.
void gzip_write(struct gzip *z, const void *p, size_t n);

// gzip_end writes what is left and returns 0 or the first -errno.
int gzip_end(struct gzip *z);

#endif // MOUND_PROF_GZIP_H
