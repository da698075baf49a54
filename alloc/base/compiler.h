// compiler.h: attributes and hints for the compiler. Macros only.
#ifndef MOUND_BASE_COMPILER_H
#define MOUND_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// COLD functions are placed together, including those of every start, so that a
// start touches few pages of code.
#define COLD __attribute__((cold, noinline))

// AT_START is for variables that every start touches. They are placed together
// at the end of .data, on a page that the loader writes anyway, so they need no
// page of their own.
#define AT_START __attribute__((section(".data.start")))
// SLOW is for functions off the fast path that are still called often: COLD
// ones are compiled for size, and copy memory byte by byte.
#define SLOW __attribute__((noinline))
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CACHELINE_ALIGNED __attribute__((aligned(64)))

// EXPORT marks the symbols that libmound.so exports; all others are hidden.
#define EXPORT __attribute__((visibility("default")))

// HIDDEN, on a declaration, saves loading the address from a table: the
// compiler's visibility flag covers definitions only.
#define HIDDEN __attribute__((visibility("hidden")))

// UNSANITIZED marks functions that read memory outside of any object, such as a
// stack.
#define UNSANITIZED                                                            \
    __attribute__((no_sanitize_address, no_sanitize_thread, noinline))

// TLS_MODEL: anything but initial-exec may call __tls_get_addr, which calls
// malloc.
#define TLS_MODEL __attribute__((tls_model("initial-exec")))

#endif // MOUND_BASE_COMPILER_H
