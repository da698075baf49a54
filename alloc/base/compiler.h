// compiler.h: names for what the compiler must be told. Macros only.
#ifndef MOUND_BASE_COMPILER_H
#define MOUND_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// COLD functions lie together, those of every start too, so that a start touches few
// pages of code.
#define COLD __attribute__((cold, noinline))

// AT_START is for variables that every start touches. They lie together in .data,
// of which the loader writes the end: so they take no page of their own.
#define AT_START __attribute__((section(".data.start")))
// SLOW is for what is out of the fast paths' way and still often called: cold
// functions are compiled for size, and copy memory byte by byte.
#define SLOW __attribute__((noinline))
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CACHELINE_ALIGNED __attribute__((aligned(64)))

// EXPORT marks what libmound.so shows to the world; all else is hidden.
#define EXPORT __attribute__((visibility("default")))

// HIDDEN, on a declaration, spares a load of the address from a table: the
// compiler's flag covers definitions only.
#define HIDDEN __attribute__((visibility("hidden")))

// UNSANITIZED marks functions that read memory outside of any object, as a stack.
#define UNSANITIZED                                                            \
    __attribute__((no_sanitize_address, no_sanitize_thread, noinline))

// TLS_MODEL: anything but initial-exec may call __tls_get_addr, which calls
// malloc.
#define TLS_MODEL __attribute__((tls_model("initial-exec")))

#endif // MOUND_BASE_COMPILER_H
