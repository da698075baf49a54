// protobuf_read.h: messages of protobuf that may hold any bytes.
#ifndef MOUND_COMMAND_PROTOBUF_READ_H
#define MOUND_COMMAND_PROTOBUF_READ_H

#include <stdbool.h>
#include <stdint.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct field {
    unsigned number;
    uint64_t value;      // of a number
    struct reader bytes; // of anything else; at is NULL for a number
};

// next_field reads a field. It returns false at the end and where the message is
// damaged; then r->bad is set.
bool next_field(struct reader *r, struct field *ret);

// next_number reads one number of a repeated field, which may be packed or not.
bool next_number(struct field *f, uint64_t *ret);

#endif // MOUND_COMMAND_PROTOBUF_READ_H
