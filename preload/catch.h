// catch.h: calls a function that may throw a C++ exception, and catches it, from C.
#ifndef MOUND_CATCH_H
#define MOUND_CATCH_H

#include <stddef.h>

// catch_all returns function(size, align), or NULL if it threw. Without a C++ library in
// the process nothing throws, and it is a plain call. On machines other than x86-64 and
// arm64 the exception passes through.
void *catch_all(void *(*function)(size_t size, size_t align), size_t size,
                size_t align) __attribute__((visibility("hidden")));

// The C++ library's __gxx_personality_v0, __cxa_begin_catch and __cxa_end_catch, set by
// the caller of catch_all. NULL: there is no C++ library.
extern void *catch_personality __attribute__((visibility("hidden")));
extern void *catch_begin __attribute__((visibility("hidden")));
extern void *catch_end __attribute__((visibility("hidden")));

#endif // MOUND_CATCH_H
