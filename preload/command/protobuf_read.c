// protobuf_read.c: see protobuf_read.h.
#include "protobuf_read.h"

#include <stddef.h>

#include "prof/pprof_fields.h"

static uint64_t read_varint(struct reader *r) {
    enum { BITS = 64, STEP = 7, MORE = 0x80 };
    uint64_t value = 0;
    for (unsigned shift = 0; r->at < r->end && shift < BITS; shift += STEP) {
        uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & (MORE - 1)) << shift;
        if (byte < MORE)
            return value;
    }
    r->bad = true;
    return 0;
}

bool next_field(struct reader *r, struct field *ret) {
    enum { BYTES_64 = 8, BYTES_32 = 4, WIRE_BITS = 3 };
    if (r->bad || r->at >= r->end)
        return false;
    uint64_t key = read_varint(r);
    uint64_t nbytes = 0;
    *ret = (struct field){.number = (unsigned)(key >> WIRE_BITS)};
    switch (key & ((1 << WIRE_BITS) - 1)) {
    case WIRE_VARINT:
        ret->value = read_varint(r);
        return !r->bad;
    case WIRE_BYTES:
        nbytes = read_varint(r);
        break;
    case WIRE_64:
        nbytes = BYTES_64;
        break;
    case WIRE_32:
        nbytes = BYTES_32;
        break;
    default:
        r->bad = true;
    }
    if (key >> WIRE_BITS == 0 || nbytes > (uint64_t)(r->end - r->at))
        r->bad = true;
    if (r->bad)
        return false;
    ret->bytes = (struct reader){.at = r->at, .end = r->at + nbytes};
    r->at += nbytes;
    return true;
}

bool next_number(struct field *f, uint64_t *ret) {
    if (f->bytes.at == NULL) {
        if (f->number == 0)
            return false;
        f->number = 0; // it was the only one
        *ret = f->value;
        return true;
    }
    if (f->bytes.at >= f->bytes.end)
        return false;
    *ret = read_varint(&f->bytes);
    return !f->bytes.bad;
}
