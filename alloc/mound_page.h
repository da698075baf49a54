// mound_page.h: the layout of the page: a file that shows the memory of a process to
// other processes, also after the process was killed.
//
// With MOUND_WATCH=1 a process that runs on mound maps one file
//
//   /dev/shm/mound-UID/PID-START.page
//
// of sizeof (struct mound_page) bytes. UID is its effective user ID, PID its number in
// its own pid namespace, START the time of its start as in field 22 of /proc/PID/stat.
// If a process of another pid namespace has that name, the file is
// PID-START.N.page, N = 1, 2 ... The folder has mode 0700 and the file 0600. A normal
// exit removes the file (MOUND_WATCH=keep leaves it); a process that is killed leaves
// it. A program that replaces itself by exec gets a new file of the same name.
//
// A child of fork gets a page of its own when the first of its slow paths (a malloc or
// free that finds no slot, or no room, in its thread's cache) ends 20 ms or more after
// the fork; a child that execs or exits before has none. There, parent_page is 1.
//
// Age of the figures. `now` is always exact. A slow path writes `stats` when it ends, if
// 100 ms have passed since the last time (each thread checks that at every 64th of its
// slow paths and at its end), or if pages in use and idle changed by more than 1 MiB and
// by more than 1/64; but not before 100 times the duration of the last write has passed
// (some 5 ms). With more than 1 024 threads, the figures of classes and live, cached,
// mallocs and frees are written on request and at the end only. So in a program that
// sleeps, or whose caches serve every call, stats is as old as its last slow path. It
// then misses only moves between caches and live objects, at most 4 MiB a thread, and
// first touches of memory. For a process that was killed
//
//   stats.rss + (now.inuse + now.idle) - (stats.inuse + stats.idle)
//
// is the best estimate of its RSS.
//
// How to read. Map the file or read it whole. magic is written last: a file without it
// is not complete. Do not truncate the file: its process would die of SIGBUS. A reader
// may read at any time; seq of a section is odd while the section is written:
//
//   do { begin = seq; copy the section; } while (begin is odd or seq != begin);
//
// with an acquire load before and an acquire fence after the copy. A process that died
// while it wrote leaves seq odd: then each word of the section is valid by itself, but
// they may not match. Do not trust any field: the user can write to the file.
//
// All numbers are in the byte order of the machine, sizes in bytes, times in nanoseconds.
#ifndef MOUND_PAGE_H
#define MOUND_PAGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOUND_PAGE_MAGIC UINT64_C(0x6567617064756f6d) // "moudpage"
#define MOUND_PAGE_VERSION                                                     \
    1 // changes when a field changes its place or meaning

#define MOUND_PAGE_CLASSES 68 // 0: large objects, over 32 KiB; 1 to 67: Go's
#define MOUND_PAGE_RANGES 62
#define MOUND_PAGE_NAME_BYTES 64
#define MOUND_PAGE_UNKNOWN UINT64_MAX // for figures that say so

// struct mound_page_identity is written before magic; state, status and end_unix_ns are
// written again when the process ends.
struct mound_page_identity {
    uint32_t pid;           // in the pid namespace of the process
    uint32_t uid;           // effective, at the start
    uint64_t pid_namespace; // inode of /proc/self/ns/pid; 0: not known
    uint64_t start_ticks;   // field 22 of /proc/self/stat; 0: not known
    uint64_t start_unix_ns; // when mound started in this process
    uint32_t
        parent_page; // 1: a child of fork, which began with the counters of its
                     // parent
    uint32_t library; // mound_version()
    // The file name by which it was started, without folders; ends in 0.
    char program[MOUND_PAGE_NAME_BYTES];
    uint32_t serves; // enum mound_page_serves
    uint32_t state;  // enum mound_page_state
    int32_t status;  // of MOUND_PAGE_EXITED: exit status, -1: not known; of
                     // MOUND_PAGE_SIGNALLED: the signal, -1: not known
    uint32_t reserved;
    uint64_t end_unix_ns; // 0: not ended, or not noted
};

// Which malloc serves this process.
enum mound_page_serves {
    MOUND_PAGE_SERVES = 0,    // mound
    MOUND_PAGE_OFF = 1,       // the C library: MOUND_OFF
    MOUND_PAGE_SANITIZER = 2, // a sanitizer's runtime
    MOUND_PAGE_FRONT = 3,     // another malloc that comes before mound
    // Another malloc, which passes some calls on to mound
    MOUND_PAGE_BEHIND = 4,
};

enum mound_page_state {
    MOUND_PAGE_RUNNING = 0, // or ended without notice: killed, exec
    MOUND_PAGE_EXITED = 1,
    MOUND_PAGE_SIGNALLED = 2, // by a signal of MOUND_STATS_ON
};

// struct mound_page_now is written whenever pages are taken or freed: always exact, also
// after a kill.
struct mound_page_now {
    uint32_t seq;
    uint32_t reserved;
    uint64_t inuse;    // bytes of pages in spans
    uint64_t idle;     // bytes of pages in no span, with memory
    uint64_t released; // bytes of pages in no span, without memory
    uint64_t sys;      // the sum of the three
};

struct mound_page_class {
    uint64_t size; // bytes of a slot; 0: large objects, or a class without any
    uint64_t spans;
    uint64_t slots;    // of all spans. For large objects: live and cached ones
    uint64_t live;     // objects in use
    uint64_t cached;   // free slots in caches of threads
    uint64_t transfer; // free slots on their way between threads
    uint64_t mallocs;  // since the start
    uint64_t frees;
    // Of live: whole slots, or whole pages of large objects
    uint64_t live_bytes;
    uint64_t holes; // bytes of pages of its spans without memory
    // Estimated from a part of the mallocs: bytes of live slots beyond the requested
    // sizes, because sizes are rounded up to classes. MOUND_PAGE_UNKNOWN: no malloc
    // was looked at
    uint64_t rounding;
    uint64_t reserved;
};

// struct mound_page_stats is one reading of all counters, made at published_ns. The
// figures of one class are exact if no allocation call of the class was in flight at
// that time; different classes are read some microseconds apart. For each class
// live + cached + transfer <= slots and mallocs - frees == live; mallocs and frees never
// fall.
struct mound_page_stats {
    uint32_t seq;
    uint32_t reserved;
    uint64_t published_ns;      // CLOCK_MONOTONIC
    uint64_t published_unix_ns; // time of day
    uint64_t npublished;        // how often

    // Of the process, from /proc/self/status; all 0: not readable.
    uint64_t rss;
    uint64_t rss_peak;
    uint64_t rss_anon; // rss = rss_anon + rss_file + rss_shmem
    uint64_t rss_file;
    uint64_t rss_shmem;
    uint64_t swap;
    // In transparent huge pages (smaps_rollup); 0 where huge_ns is 0
    uint64_t huge;
    // When huge, heap_huge and heap_huge_unused were read; 0: never
    uint64_t huge_ns;

    // Of the heap, as in struct mound_memstats.

    // Pages in spans, plus guarded objects and blocks of signal handlers
    uint64_t inuse;
    uint64_t idle; // in no span, with memory
    uint64_t released;
    uint64_t holes; // the part of inuse without memory
    uint64_t live;  // whole slots of live objects
    // Estimated: the sum of rounding over the classes that know it;
    // MOUND_PAGE_UNKNOWN: none does
    uint64_t rounding;
    // Free slots in caches and between threads, and cached large objects
    uint64_t cached;
    // All other memory from the system: page map, spans, caches, profiles
    uint64_t records;
    uint64_t total_alloc; // bytes of all objects ever allocated
    uint64_t mallocs;
    uint64_t frees;
    uint64_t threads; // with a cache
    uint64_t spans;
    uint64_t inuse_peak; // the most that inuse was

    // Huge-page regions, and the part of them that no live object uses
    uint64_t heap_huge;
    uint64_t heap_huge_unused;
    uint64_t huge_stalls;
    uint64_t memlimit; // 0: none
    uint64_t memlimit_exceeded;
    uint64_t half_life_ns;    // MOUND_DECAY; UINT64_MAX: never
    uint64_t release_refused; // 1: the system refused to take memory back
    // Bytes given back to the system since the start, without holes
    uint64_t given_back;

    // The heap profile.
    uint64_t profile_rate; // mean bytes between samples; 0: none is taken
    uint64_t profile_start_unix_ns; // 0: never started
    uint64_t profile_stacks;
    uint64_t profile_written; // profiles that were written

    struct mound_page_class classes[MOUND_PAGE_CLASSES];

    // Resident bytes of the figures above, counted page by page (/proc/self/pagemap).
    // They belong to this reading if resident_ns is published_ns.
    uint64_t resident_ns;    // 0: never
    uint64_t resident_small; // of inuse: spans of classes 1 to 67
    uint64_t resident_large; // of inuse: the rest
    uint64_t resident_idle;
    uint64_t resident_records;
};

// Address ranges that mound mapped, by address, to be looked up in /proc/PID/smaps. They
// are written together with now, when they change; adjacent ranges of one kind are
// merged. Guarded objects, blocks of signal handlers and the stack of the helper are in
// none.
enum mound_page_range_kind {
    MOUND_PAGE_HEAP = 1,
    MOUND_PAGE_RECORDS = 2,
};

struct mound_page_range {
    uint64_t begin; // 0: end of the list
    uint64_t end;
    uint64_t kind;
};

struct mound_page_ranges {
    uint32_t seq;
    uint32_t overflow; // there are more than fit
    struct mound_page_range ranges[MOUND_PAGE_RANGES];
};

// Control, with MOUND_CONTROL=1. One request at a time. A reader
//
//   1. changes owner from 0 to its own thread ID by compare and exchange (it may replace
//      the ID of a thread that no longer exists),
//   2. writes op and arg, then adds 1 to requested (release) and to bell, and wakes bell
//      (futex, shared, all),
//   3. waits until done equals requested (futex on done, shared), reads result,
//   4. sets owner to 0.
enum mound_page_op {
    MOUND_PAGE_PUBLISH = 1, // stats, with huge pages, and ranges
    // As malloc_trim(0), without the caches of threads; result: bytes given back
    MOUND_PAGE_RELEASE = 2,
    // arg: mean bytes between samples. Each START needs a STOP: sampling ends with the
    // last STOP and uses the rate of the first START. result: 0, or 1: the program itself
    // is sampling, and continues
    MOUND_PAGE_PROFILE_START = 3,
    MOUND_PAGE_PROFILE_STOP = 4, // result: 0, or 1: sampling continues
    // At its next call of malloc or free, a thread of the program writes the file
    // PID-START.N.pb.gz beside the page, N = profile_done + 1; result: 0 when that is
    // due, see profile_done
    MOUND_PAGE_PROFILE_WRITE = 5,
    // As WRITE, but the profile that was kept at the peak
    MOUND_PAGE_PROFILE_PEAK = 6,
};

// Whether requests are answered.
enum mound_page_listening {
    MOUND_PAGE_DEAF = 0,    // no: without MOUND_CONTROL
    MOUND_PAGE_LISTENS = 1, // yes: by a helper thread, which waits on bell
    // Later: the helper is stopped for a moment, e.g. while all threads change their
    // user, or during a fork
    MOUND_PAGE_PAUSED = 2,
    // No: a filter of system calls is active in the process
    MOUND_PAGE_FILTERED = 3,
};

struct mound_page_control {
    uint32_t bell;      // futex of the helper
    uint32_t listening; // enum mound_page_listening
    uint32_t owner;
    uint32_t op;
    uint64_t arg;
    uint32_t requested; // number of the last request
    uint32_t done;      // number of the last request that was done; futex
    int64_t result;     // of done; or -errno
    // The number N of the last profile file that was written, or could not be; the
    // 32 low bits are a futex
    uint64_t profile_done;
    int64_t profile_result; // 0 or -errno of that file
};

struct mound_page {
    uint64_t magic; // MOUND_PAGE_MAGIC
    uint32_t version;
    uint32_t nbytes; // sizeof (struct mound_page) of the writer

    struct mound_page_identity identity;
    struct mound_page_now now;
    struct mound_page_stats stats;
    struct mound_page_ranges ranges;
    struct mound_page_control control;
};

#ifdef __cplusplus
}
#endif

#endif // MOUND_PAGE_H
