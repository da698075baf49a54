// gzip.c: see gzip.h. The formats are RFC 1952 (gzip) and RFC 1951 (deflate).
#include "prof/gzip.h"

#include <string.h>

#include "base/bits.h"
#include "os/sys.h"

enum {
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257,
    // A match of 3 bytes hardly saves any.
    MATCH_MIN = 4,
    LENGTH_MIN = 3, // of deflate
    LENGTH_MAX = 258,
    DISTANCE_MAX = 1 << 15,
    FIXED_CODES = 1, // a kind of block
    KIND_BITS = 2,
    DISTANCE_BITS = 5,
};

static const uint32_t CRC_POLYNOMIAL = 0xedb88320u;
static const uint32_t HASH_FACTOR = 0x9e3779b1u;

static void make_crc_table(struct gzip *z) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = (c & 1) != 0 ? c >> 1 ^ CRC_POLYNOMIAL : c >> 1;
        z->crc_table[i] = c;
    }
}

// code_length and code_value are the fixed code of RFC 1951, 3.2.6.
static unsigned code_length(unsigned symbol) {
    return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}

static unsigned code_value(unsigned symbol) {
    return symbol < 144   ? 0x30 + symbol
           : symbol < 256 ? 0x190 + symbol - 144
           : symbol < 280 ? symbol - 256
                          : 0xc0 + symbol - 280;
}

static unsigned reversed(unsigned value, unsigned nbits) {
    unsigned ret = 0;
    for (; nbits > 0; nbits--, value >>= 1)
        ret = ret << 1 | (value & 1);
    return ret;
}

// Codes go into the file highest bit first, all other numbers lowest first.
static void make_codes(struct gzip *z) {
    for (unsigned i = 0; i < GZIP_SYMBOLS; i++)
        z->codes[i] = (uint16_t)reversed(code_value(i), code_length(i));
}

static void put_bits(struct gzip *z, uint32_t value, unsigned nbits) {
    z->bits |= (uint64_t)value << z->nbits;
    for (z->nbits += nbits; z->nbits >= 8; z->nbits -= 8) {
        z->out[z->nout++] = (uint8_t)z->bits;
        z->bits >>= 8;
    }
}

static void put_symbol(struct gzip *z, unsigned symbol) {
    put_bits(z, z->codes[symbol], code_length(symbol));
}

// log2_of returns the number of the highest bit of n, which is not 0.
static unsigned log2_of(uint32_t n) {
    return 31 - (unsigned)__builtin_clz(n);
}

// Lengths and distances have codes for their highest bits, four codes a power
// of two for the one and two for the other, and the rest as it is behind the
// code.
static void put_length(struct gzip *z, unsigned length) {
    unsigned n = length - LENGTH_MIN;
    if (n < 8) {
        put_symbol(z, FIRST_LENGTH + n);
    } else if (length == LENGTH_MAX) {
        put_symbol(z, GZIP_SYMBOLS - 1);
    } else {
        unsigned extra = log2_of(n) - 2;
        put_symbol(z, FIRST_LENGTH + 4 * (extra + 1) + (n >> extra & 3));
        put_bits(z, n & ((1u << extra) - 1), extra);
    }
}

static void put_distance(struct gzip *z, unsigned distance) {
    unsigned n = distance - 1;
    if (n < 4) {
        put_bits(z, reversed(n, DISTANCE_BITS), DISTANCE_BITS);
    } else {
        unsigned extra = log2_of(n) - 1;
        unsigned code = 2 * (extra + 1) + (n >> extra & 1);
        put_bits(z, reversed(code, DISTANCE_BITS), DISTANCE_BITS);
        put_bits(z, n & ((1u << extra) - 1), extra);
    }
}

static uint32_t word_at(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

// find_match returns where the four bytes at i occurred last, within reach, or
// i; and notes them at i.
static size_t find_match(struct gzip *z, size_t i) {
    uint32_t word = word_at(z->in + i);
    uint16_t *head = &z->heads[word * HASH_FACTOR >> (32 - GZIP_HASH_BITS)];
    size_t at = *head;
    *head = (uint16_t)(i + 1);
    if (at == 0 || i - (at - 1) > DISTANCE_MAX ||
        word_at(z->in + at - 1) != word)
        return i;
    return at - 1;
}

static unsigned match_length(const struct gzip *z, size_t at, size_t i) {
    size_t max = min_size(z->nin - i, LENGTH_MAX);
    size_t n = MATCH_MIN;
    while (n < max && z->in[at + n] == z->in[i + n])
        n++;
    return (unsigned)n;
}

static void write_out(struct gzip *z, const uint8_t *p, size_t n) {
    if (z->error == 0)
        z->error = sys_write(z->fd, p, n);
}

// pack writes the block in z->in.
static void pack(struct gzip *z, bool last) {
    memset(z->heads, 0, sizeof z->heads);
    put_bits(z, last, 1);
    put_bits(z, FIXED_CODES, KIND_BITS);
    for (size_t i = 0; i < z->nin;) {
        size_t at = z->nin - i < MATCH_MIN ? i : find_match(z, i);
        if (at == i) {
            put_symbol(z, z->in[i++]);
            continue;
        }
        unsigned length = match_length(z, at, i);
        put_length(z, length);
        put_distance(z, (unsigned)(i - at));
        i += length;
    }
    put_symbol(z, END_OF_BLOCK);
}

static void add_to_crc(struct gzip *z, const uint8_t *p, size_t n) {
    uint32_t c = ~z->crc;
    for (size_t i = 0; i < n; i++)
        c = z->crc_table[(c ^ p[i]) & 0xff] ^ c >> 8;
    z->crc = ~c;
}

static void flush(struct gzip *z, bool last) {
    if (z->mode == GZIP_PLAIN) {
        write_out(z, z->in, z->nin);
    } else if (z->error == 0) {
        add_to_crc(z, z->in, z->nin);
        z->size += (uint32_t)z->nin;
        pack(z, last);
        write_out(z, z->out, z->nout);
        z->nout = 0;
    }
    z->nin = 0;
}

void gzip_start(struct gzip *z, int fd, enum gzip_mode mode) {
    // Deflate, no name, no time, system unknown.
    static const uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    z->fd = fd;
    z->mode = mode;
    z->error = 0;
    z->crc = z->size = 0;
    z->nin = z->nout = z->nbits = 0;
    z->bits = 0;
    if (mode == GZIP_PLAIN)
        return;
    make_crc_table(z);
    make_codes(z);
    memcpy(z->out, header, sizeof header);
    z->nout = sizeof header;
}

void gzip_write(struct gzip *z, const void *p, size_t n) {
    const uint8_t *from = p;
    while (n > 0) {
        if (z->nin == GZIP_BLOCK)
            flush(z, false);
        size_t part = min_size(n, GZIP_BLOCK - z->nin);
        memcpy(z->in + z->nin, from, part);
        z->nin += part;
        from += part;
        n -= part;
    }
}

static void put_u32(struct gzip *z, uint32_t value) {
    put_bits(z, value & 0xffff, 16);
    put_bits(z, value >> 16, 16);
}

int gzip_end(struct gzip *z) {
    flush(z, true);
    if (z->mode == GZIP_PACKED && z->error == 0) {
        put_bits(z, 0, (8 - z->nbits) % 8); // up to a whole byte
        put_u32(z, z->crc);
        put_u32(z, z->size);
        write_out(z, z->out, z->nout);
    }
    return z->error;
}
