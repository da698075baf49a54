// protobuf.h: messages of protocol buffers, put together in memory: as much of
// it as a profile needs.
#ifndef MOUND_PROF_PROTOBUF_H
#define MOUND_PROF_PROTOBUF_H

#include <string.h>

#include "base/compiler.h"
#include "prof/pprof_fields.h"

enum {
    PROTOBUF_VARINT = 10,    // bytes of one, at most
    PROTOBUF_MESSAGE = 1024, // bytes of a message: the caller keeps to it
};

// struct message is one being put together. All zero is an empty one.
struct message {
    size_t n;
    uint8_t bytes[PROTOBUF_MESSAGE];
};

static inline size_t protobuf_varint(uint8_t to[PROTOBUF_VARINT],
                                     uint64_t value) {
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        to[n++] = (uint8_t)(value | 0x80);
    to[n++] = (uint8_t)value;
    return n;
}

static inline void put_varint(struct message *m, uint64_t value) {
    m->n += protobuf_varint(m->bytes + m->n, value);
}

// put_key begins a field.
static inline void put_key(struct message *m, unsigned field, enum wire wire) {
    put_varint(m, field << 3 | wire);
}

// put_int puts a field of a number; none for 0, which readers take it to be.
static inline void put_int(struct message *m, unsigned field, uint64_t value) {
    if (value == 0)
        return;
    put_key(m, field, WIRE_VARINT);
    put_varint(m, value);
}

// put_message puts a field that is a message, or a row of numbers, and empties
// part.
static inline void put_message(struct message *m, unsigned field,
                               struct message *part) {
    put_key(m, field, WIRE_BYTES);
    put_varint(m, part->n);
    memcpy(m->bytes + m->n, part->bytes, part->n);
    m->n += part->n;
    part->n = 0;
}

#endif // MOUND_PROF_PROTOBUF_H
