// malloc_info.c: the names of glibc's calls that describe the heap. While another
// allocator serves the program they call the next definition; otherwise each is one jump
// to its mound_ twin.
#include "interpose.h"

#include "mound.h"
#include "life/process.h"

// mallinfo is deprecated for callers; programs that use it must still work.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

EXPORT struct mallinfo2 mallinfo2(void) {
    if (process_passive())
        return interpose_next.mallinfo2();
    return mound_mallinfo2();
}

EXPORT struct mallinfo mallinfo(void) {
    if (process_passive())
        return interpose_next.mallinfo();
    return mound_mallinfo();
}

EXPORT struct mallinfo __libc_mallinfo(void) {
    return mallinfo();
}

EXPORT int mallopt(int param, int value) {
    if (process_passive())
        return interpose_next.mallopt(param, value);
    return mound_mallopt(param, value);
}

EXPORT int __libc_mallopt(int param, int value) {
    return mallopt(param, value);
}

EXPORT void malloc_stats(void) {
    if (process_passive())
        interpose_next.malloc_stats();
    else
        mound_malloc_stats();
}

EXPORT int malloc_info(int kind, FILE *f) {
    if (process_passive())
        return interpose_next.malloc_info(kind, f);
    return mound_malloc_info(kind, f);
}
