// canary.h: a mark behind each object of MOUND_HARDENED=2, which says how long the
// object is and whether somebody wrote past its end.
//
//   p                p + size              p + room - 8      p + room
//   | object ........ | filled with a byte  | canary          |
//
// The canary's upper 16 bits are the number of filled bytes; the others depend on
// the address and on a secret of the process.
#ifndef MOUND_PROF_CANARY_H
#define MOUND_PROF_CANARY_H

#include "base/compiler.h"

enum { CANARY_BYTES = sizeof(uint64_t) };

// canary_init draws the secret, once, before any other call.
void canary_init(uint64_t secret);

// canary_set marks an object of size bytes in room bytes, which are at least
// CANARY_BYTES and less than 64 KiB more than size.
void canary_set(void *p, size_t size, size_t room);

enum canary { CANARY_GOOD, CANARY_BROKEN, CANARY_ZERO };

// canary_look says whether the mark is as it was, and sets *ret_size then. ZERO:
// all of it is zero, as quarantined objects have it.
enum canary canary_look(const void *p, size_t room, size_t *ret_size);

#endif // MOUND_PROF_CANARY_H
