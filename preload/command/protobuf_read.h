// protobuf_read.h: reads messages of protobuf, which may contain any bytes.
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
    uint64_t value;      // of a number field
    struct reader bytes; // of any other field; at is NULL for a number
};

// next_field reads a field. It returns false at the end, or if the message is damaged;
// then r->bad is set.
bool next_field(struct reader *r, struct field *ret);

// next_number reads one number of a repeated field, which may be packed or not.
bool next_number(struct field *f, uint64_t *ret);

#endif // MOUND_COMMAND_PROTOBUF_READ_H
