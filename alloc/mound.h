// mound.h: the public interface of mound, a malloc built like Go's heap.
//
// Everything here may be called from any thread. No call changes errno when it
// succeeds. A program that is merely preloaded needs none of it.
#ifndef MOUND_H
#define MOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOUND_VERSION_MAJOR 0
#define MOUND_VERSION_MINOR 1
#define MOUND_VERSION_PATCH 0

// mound_version returns major * 10000 + minor * 100 + patch of the library that
// is loaded, which may be newer than the header a program was built with.
int mound_version(void);

// The malloc family under its own names. Each function behaves as the function of the
// C library (glibc 2.36; mound_aligned_alloc as in 2.38: EINVAL unless the alignment
// is a power of two) whose name follows mound_. Memory from any of these,
// and from malloc when libmound.so is preloaded, may be passed to any of them.
void *mound_malloc(size_t size);
void mound_free(void *p);
void *mound_calloc(size_t nmemb, size_t size);
void *mound_realloc(void *p, size_t size);
void *mound_reallocarray(void *p, size_t nmemb, size_t size);
void *mound_aligned_alloc(size_t alignment, size_t size);
int mound_posix_memalign(void **ret_p, size_t alignment, size_t size);
void *mound_memalign(size_t alignment, size_t size);
void *mound_valloc(size_t size);
void *mound_pvalloc(size_t size);
size_t mound_malloc_usable_size(void *p);

// mound_free_sized and mound_free_aligned_sized are C23's: size and alignment are those
// of the request that made the object, or of its last realloc.
// A size that cannot be the requested one is reported as misuse: one larger than the
// slot, or one of another class that is at most half of the slot (realloc leaves an
// object in place as long as it fills more than half of its slot).
void mound_free_sized(void *p, size_t size);
void mound_free_aligned_sized(void *p, size_t alignment, size_t size);

// mound_malloc_trim returns every page that can be returned to the system, after
// emptying the calling thread's cache and the shared stores, and keeps pad bytes of
// pages for the next allocations. It returns 1 if memory was released, else 0.
// Cost: one system call for each run of free pages and each hole in a span.
int mound_malloc_trim(size_t pad);

// glibc's calls that describe the heap, with mound's own figures; mound_mallopt
// accepts what glibc accepts and changes nothing. mound_malloc_info writes XML to
// f, and returns EINVAL unless options is 0. struct mallinfo and mallinfo2 are
// those of <malloc.h>.
struct mallinfo;
struct mallinfo2;
struct mallinfo mound_mallinfo(void);
struct mallinfo2 mound_mallinfo2(void);
int mound_mallopt(int param, int value);
int mound_malloc_info(int options, FILE *f);
void mound_malloc_stats(void);
void mound_cfree(void *p);

// Size classes: 0 stands for large objects (over 32 KiB), 1 to 67 are Go's.
#define MOUND_NSIZECLASSES 68

struct mound_bysize {
    uint64_t size;    // bytes in a slot of this class; 0 for class 0
    uint64_t mallocs; // objects of this class allocated since start
    uint64_t frees;   // objects of this class freed since start
    uint64_t slots;   // slots in the spans of this class, used or not
};

// struct mound_memstats is Go's runtime.MemStats for a C process, its fields in
// Go's order and meaning. Sizes are in bytes; an object counts with the size of
// its slot (or its pages, if large). Fields that describe garbage collection are
// always zero.
//
// The figures are exact if no thread is between the entry and the return of an
// allocation call, and all earlier calls happened before this one. Otherwise each is
// off by at most the calls in flight; those that only rise (total_alloc, mallocs,
// frees, by_size) never fall.
struct mound_memstats {
    uint64_t alloc;       // bytes of live objects; the same as heap_alloc
    uint64_t total_alloc; // bytes of all objects ever allocated; only rises
    uint64_t sys;         // bytes obtained from the system: the sum of all
                          // fields that end in _sys (reservations excluded)
    uint64_t lookups;     // always 0, as in Go
    uint64_t mallocs;     // objects ever allocated; only rises
    uint64_t frees; // objects ever freed; only rises. With MOUND_HARDENED an
                    // object in the quarantine counts when it leaves that

    uint64_t heap_alloc;    // bytes of live objects
    uint64_t heap_sys;      // heap_inuse + heap_idle
    uint64_t heap_idle;     // bytes of pages in no span, backed or released
    uint64_t heap_inuse;    // bytes of pages in spans
    uint64_t heap_released; // the part of heap_idle without memory
    uint64_t heap_objects;  // mallocs - frees

    uint64_t stack_inuse; // 0: mound has no stacks
    uint64_t stack_sys;   // 0

    uint64_t mspan_inuse;  // bytes of span records in use
    uint64_t mspan_sys;    // bytes obtained for span records
    uint64_t mcache_inuse; // bytes of the thread caches in use
    uint64_t mcache_sys;   // bytes obtained for thread caches
    uint64_t buckhash_sys; // bytes of profile tables
    uint64_t gc_sys;       // bytes of heap metadata: page map and page bitmaps
    uint64_t other_sys;    // bytes of all other metadata

    uint64_t next_gc;        // 0
    uint64_t last_gc;        // 0
    uint64_t pause_total_ns; // 0
    uint64_t pause_ns[256];  // 0
    uint64_t pause_end[256]; // 0
    uint32_t num_gc;         // 0
    uint32_t num_forced_gc;  // 0
    double gc_cpu_fraction;  // 0
    bool enable_gc;          // false: there is no collector
    bool debug_gc;           // false

    struct mound_bysize by_size[MOUND_NSIZECLASSES]; // all classes; [0] large

    // What follows has no counterpart in Go.
    uint64_t cache_bytes;       // free slots held by thread caches
    uint64_t transfer_bytes;    // free slots held in batches between threads
    uint64_t large_alloc;       // bytes of live large objects
    uint64_t large_total_alloc; // bytes of all large objects ever; only rises
    uint64_t nthreads;          // thread caches in use
    uint64_t nspans;            // spans in use
    uint64_t heap_holes; // the part of heap_inuse without memory: given-back
                         // pages that hold free slots only. heap_inuse counts
                         // spans whole; not part of heap_released
    uint64_t mem_limit;  // MOUND_MEMLIMIT in bytes; 0: none
    uint64_t mem_limit_exceeded; // times the heap rose above it
    uint64_t
        huge_stalls; // times that filling a huge page took so long that the
                     // next ones were not filled
    uint64_t release_refused; // 1: the system refused to take memory back;
                              // only malloc_trim tries again
};

// mound_read_memstats fills the first size bytes of *ret_stats; pass sizeof
// *ret_stats. A program built with an older header gets the fields it knows; a
// field that this library does not know is set to zero. It does not allocate.
// Cost: threads x classes, some microseconds for a few threads; hits of malloc and
// free in other threads are not blocked.
void mound_read_memstats(struct mound_memstats *ret_stats, size_t size);

// mound_write_memstats writes to descriptor fd what MOUND_STATS=classes prints. It does
// not allocate. It returns 0, or -1 if a write failed or if a signal handler that
// interrupted malloc calls it. Cost: some milliseconds a GiB of heap.
int mound_write_memstats(int fd);

// The heap profile: which stacks allocated how much, by samples, as Go's. The
// environment can start one too (MOUND_PROFILE, see libmound(7)).

// mound_memprofile_start begins to sample, with a mean of rate bytes between samples
// (the usual rate, Go's, is 512 KiB; 1 samples every object), or changes the rate; 0
// stops. It samples the allocations of all threads from then on.
// mound_memprofile_stop stops: existing samples stay in the profile, and frees of
// them are still counted. Both return 0, or -1 with errno: ENOMEM, EINVAL, ENOTSUP
// (another malloc serves this program), EBUSY (called by a signal handler that
// interrupted malloc), EPERM (a seccomp filter is active in the process). Any thread
// may call them.
int mound_memprofile_start(size_t rate);
int mound_memprofile_stop(void);

enum mound_memprofile_format {
    MOUND_MEMPROFILE_PPROF,   // profile.proto, gzipped: for go tool pprof
    MOUND_MEMPROFILE_HEAP_V2, // text: for google-pprof as well
};

// mound_memprofile_write writes all samples since the first start to descriptor
// fd: objects and bytes allocated and in use, scaled up (PPROF) or as sampled
// (HEAP_V2), with their stacks. It returns 0, or -1 with errno: ENODATA (never
// started), EBUSY (another thread writes one), ENOMEM, EINVAL, or an error of
// write(2). It allocates nothing from the heap, takes no lock of the heap and may be
// called in signal handlers. Cost: some milliseconds for thousands of stacks.
int mound_memprofile_write(int fd, enum mound_memprofile_format format);

// mound_verify walks the whole heap and compares every span, bitmap and page
// summary with the counters. It returns the number of contradictions, 0 in a
// consistent heap. It holds all locks of the heap meanwhile: for tests, not for
// production.
int mound_verify(void);

#ifdef __cplusplus
}
#endif

#endif // MOUND_H
