// cfi_bytes.h: reads the numbers of unwind tables.
#ifndef MOUND_OS_CFI_BYTES_H
#define MOUND_OS_CFI_BYTES_H

#include <string.h>

#include "os/loaded.h"

// Encodings of pointers: a format, and what the value is relative to.
enum {
    CFI_PE_FORMAT = 0x0f,
    CFI_PE_ABSOLUTE = 0x00,
    CFI_PE_ULEB = 0x01,
    CFI_PE_U2 = 0x02,
    CFI_PE_U4 = 0x03,
    CFI_PE_U8 = 0x04,
    CFI_PE_SLEB = 0x09,
    CFI_PE_S2 = 0x0a,
    CFI_PE_S4 = 0x0b,
    CFI_PE_S8 = 0x0c,
    CFI_PE_ADDED = 0x70,
    CFI_PE_PC_RELATIVE = 0x10,
    CFI_PE_INDIRECT = 0x80,
    CFI_PE_OMITTED = 0xff,
    CFI_PE_TABLE = 0x3b, // signed 4 bytes relative to .eh_frame_hdr
};

// struct cfi_bytes is a position in a table. A read past the end returns 0 and
// sets bad; nothing outside the object is read.
struct cfi_bytes {
    const uint8_t *p;
    const uint8_t *end;
    bool bad;
};

static inline struct cfi_bytes cfi_bytes_at(const struct loaded *object,
                                            uintptr_t addr) {
    struct cfi_bytes r = {NULL, NULL, true};
    if (addr >= object->start && addr < object->end)
        r = (struct cfi_bytes){(const uint8_t *)addr,
                               (const uint8_t *)object->end, false};
    return r;
}

static inline uint64_t cfi_bytes_read(struct cfi_bytes *r, unsigned n) {
    uint64_t value = 0;
    if ((size_t)(r->end - r->p) < n) {
        r->bad = true;
        r->p = r->end;
        return 0;
    }
    memcpy(&value, r->p, n); // little-endian, like every architecture supported
    r->p += n;
    return value;
}

static inline int64_t cfi_bytes_signed(struct cfi_bytes *r, unsigned n) {
    unsigned shift = 64 - 8 * n;
    return (int64_t)(cfi_bytes_read(r, n) << shift) >> shift;
}

static inline uint64_t cfi_bytes_leb(struct cfi_bytes *r, bool is_signed) {
    uint64_t value = 0;
    unsigned shift = 0;
    uint64_t byte;
    do {
        byte = cfi_bytes_read(r, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (is_signed && shift < 64 && byte & 0x40)
        value |= ~(uint64_t)0 << shift;
    return value;
}

static inline uint64_t cfi_bytes_uleb(struct cfi_bytes *r) {
    return cfi_bytes_leb(r, false);
}

static inline int64_t cfi_bytes_sleb(struct cfi_bytes *r) {
    return (int64_t)cfi_bytes_leb(r, true);
}

static inline void cfi_bytes_skip(struct cfi_bytes *r, uint64_t n) {
    if (n > (size_t)(r->end - r->p)) {
        r->bad = true;
        n = (size_t)(r->end - r->p);
    }
    r->p += n;
}

static inline uintptr_t cfi_bytes_pointer(struct cfi_bytes *r,
                                          uint8_t encoding) {
    uintptr_t here = (uintptr_t)r->p;
    uintptr_t value = 0;
    switch (encoding & CFI_PE_FORMAT) {
    case CFI_PE_ABSOLUTE:
    case CFI_PE_U8:
    case CFI_PE_S8:
        value = cfi_bytes_read(r, 8);
        break;
    case CFI_PE_ULEB:
        value = cfi_bytes_uleb(r);
        break;
    case CFI_PE_SLEB:
        value = (uintptr_t)cfi_bytes_sleb(r);
        break;
    case CFI_PE_U2:
        value = cfi_bytes_read(r, 2);
        break;
    case CFI_PE_S2:
        value = (uintptr_t)cfi_bytes_signed(r, 2);
        break;
    case CFI_PE_U4:
        value = cfi_bytes_read(r, 4);
        break;
    case CFI_PE_S4:
        value = (uintptr_t)cfi_bytes_signed(r, 4);
        break;
    default:
        r->bad = true;
        break;
    }
    if ((encoding & CFI_PE_ADDED) == CFI_PE_PC_RELATIVE)
        value += here;
    else if ((encoding & CFI_PE_ADDED) != 0)
        r->bad = true;
    return value;
}

#endif // MOUND_OS_CFI_BYTES_H
