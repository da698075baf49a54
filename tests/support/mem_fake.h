// mem_fake.h: controls mem_fake.c, which replaces alloc/os/mem_linux.c at link. Memory
// is real, but address space comes from one stretch that the fake owns, in a fixed
// order; calls are counted, the n-th one can be made to fail, and the state of every
// page is known.
//
// A call that breaks the contract of os/mem.h (committing what is not
// reserved, releasing what is not committed, ...) ends the test with a message.
#ifndef TESTS_SUPPORT_MEM_FAKE_H
#define TESTS_SUPPORT_MEM_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/mem.h"

enum mem_call {
    MEM_RESERVE,
    MEM_UNRESERVE,
    MEM_COMMIT,
    MEM_MAP,
    MEM_RELEASE,
    MEM_POPULATE,
    MEM_HUGEPAGES,
    MEM_MOVE,
    MEM_FORK_STAMP,
    MEM_PROTECT,
    MEM_NO_HUGEPAGES,
    MEM_NCALLS,
};

extern const char *const mem_call_names[MEM_NCALLS];

enum mem_state {
    MEM_NONE,    // nobody's
    MEM_FOREIGN, // occupied by mem_fake_occupy
    MEM_RESERVED,
    MEM_COMMITTED, // never populated or released since
    MEM_POPULATED,
    MEM_RELEASED,
};

enum { MEM_FOR_EVER = 1 << 30 };

// mem_fake_fail_at makes the nth call (1 is the next one) of a kind fail, and
// the ntimes - 1 after it. nth of 0 takes the order back.
void mem_fake_fail_at(enum mem_call kind, unsigned nth, unsigned ntimes);

// mem_fake_calls and mem_fake_failures count since the start of the process.
uint64_t mem_fake_calls(enum mem_call kind);
uint64_t mem_fake_failures(enum mem_call kind);

// mem_fake_advised returns the bytes of all calls of mem_hugepages.
size_t mem_fake_advised(void);

// mem_fake_state is the state of the page at addr, MEM_NONE outside the fake's
// stretch. mem_fake_bytes counts the bytes of [addr, addr + nbytes) in a state.
enum mem_state mem_fake_state(uintptr_t addr);
size_t mem_fake_bytes(uintptr_t addr, size_t nbytes, enum mem_state state);

// mem_fake_total counts the bytes of the whole stretch in a state.
size_t mem_fake_total(enum mem_state state);

// mem_fake_stall makes each mem_populate from now on take that long.
void mem_fake_stall(unsigned ms);

// mem_fake_setting is what mem_hugepages_setting returns: at first ASKED.
void mem_fake_setting(enum mem_hugepages_setting setting);

// mem_fake_hugepage_bytes is what mem_hugepage_bytes returns: at first 2 MiB.
void mem_fake_hugepage_bytes(size_t nbytes);

// mem_fake_occupy reserves a range as a mapping of the program. It returns false if the
// range is not free.
bool mem_fake_occupy(uintptr_t addr, size_t nbytes);

// The stretch: [mem_fake_base(), mem_fake_end()).
uintptr_t mem_fake_base(void);
uintptr_t mem_fake_end(void);

// mem_fake_limit makes reservations fail once nbytes are reserved or committed
// in all; SIZE_MAX, as at first, is no limit.
void mem_fake_limit(size_t nbytes);

#endif // TESTS_SUPPORT_MEM_FAKE_H
