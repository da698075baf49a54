// driver.h: what the map benchmarks in C and C++ share: arguments, keys,
// clocks, the line of JSON. workloads.h has the workloads themselves, once for
// each kind of keys and elements; go/ does the same in Go, number for number.
//
//   PEER OPERATION[,OPERATION]... KIND SIZE [MILLISECONDS [MODE,...]]
//
// with the modes wall, which takes the time that passes in place of what the process
// has of the CPUs, and warm, which fills and drops a map before one is filled in time,
//
// prints what it measured, and nothing else:
//
//   {"hit": {"ns": 4.7, "ops": 8388608, "check": 123}, "bytes": {...}}
//
// check depends on what the map holds and answers, not on time: all peers given
// the same arguments have to print the same. A peer leaves out what it cannot
// do.
#ifndef MAP_DRIVER_H
#define MAP_DRIVER_H

#include "../bench.h"

#include <stdbool.h>
#include <sys/mman.h>

enum {
    SEQUENCE = 1 << 20,     // integers a workload walks through, at least
    SEQUENCE_STR = 1 << 18, // strings: they take four times the memory
    PROBES_MAX = 1 << 21,   // keys looked up in the largest maps
    SMALL_MAX = 100,        // smaller maps are looked up in
    SMALL_MAPS = 64,        // so many at a time
    BATCH = 4096,           // entries put between two looks at the clock
    SMALL_TIMES = 5,        // maps of 8 are made for so many times as long
    BYTES_ENTRIES = 32768,  // for the memory of small maps: of all, at least
    STR_MIN = 8,
    STR_MAX = 24,
    MILLISECONDS = 100,
};

// A timed loop is a function of its own, so that the compiler sees of it no
// more in one program than in another.
#define BENCH_TIMED static __attribute__((noinline))

enum operation {
    INSERT,
    INSERT_HINT,
    HIT,
    MISS,
    UPDATE,
    DELETE,
    CHURN,
    ITERATE,
    SMALL,
    SMALL_LOCAL,
    BYTES,
    LATENCY,
    NOPERATIONS,
};

static const char *const operation_names[NOPERATIONS] = {
    "insert", "insert-hint", "hit",   "miss",        "update", "delete",
    "churn",  "iterate",     "small", "small-local", "bytes",  "latency",
};

struct plan {
    unsigned wanted; // a bit for each operation
    uint64_t size;   // entries of a map
    int64_t min_ns;  // what one measure lasts at least
    bool warm;       // inserting begins with memory that was in use
};

struct kind {
    const char *name;
    void (*run)(const struct plan *);
};

static inline bool wanted(const struct plan *p, enum operation op) {
    return p->wanted & 1u << op;
}

// The clock of the workloads. A process has one thread here, but for Go's, whose
// collector counts.
static clockid_t workload_clock = CLOCK_PROCESS_CPUTIME_ID;

static inline int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline int64_t now_ns(void) {
    return clock_ns(workload_clock);
}

static inline int64_t wall_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

// Keys. The n-th is the n-th output of splitmix64, or for 32 bits of a
// permutation of them, so that no two are equal.

static inline uint64_t splitmix64(uint64_t n) {
    uint64_t x = (n + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint32_t permute32(uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

struct text {
    const char *data; // with a NUL behind it
    size_t size;
};

struct wide {
    uint64_t words[8];
};

typedef uint64_t u64_key, u64_elem;
typedef uint32_t u32_key, u32_elem;
typedef struct text str_key;
typedef uint64_t str_elem;
typedef uint64_t wide_key;
typedef struct wide wide_elem;

enum {
    u64_sequence = SEQUENCE,
    u32_sequence = SEQUENCE,
    str_sequence = SEQUENCE_STR,
    wide_sequence = SEQUENCE,
    u64_room = 0, // bytes that a key needs beside itself
    u32_room = 0,
    str_room = STR_MAX + 1,
    wide_room = 0,
};

static inline u64_key u64_nth(uint64_t n, char **room) {
    (void)room;
    return splitmix64(n);
}

static inline u32_key u32_nth(uint64_t n, char **room) {
    (void)room;
    return permute32((uint32_t)n);
}

static inline wide_key wide_nth(uint64_t n, char **room) {
    return u64_nth(n, room);
}

// Strings have 8 to 24 characters of 64. Equal ones in different places have
// different addresses: whoever looks one up has read it elsewhere.
static inline str_key str_nth(uint64_t n, char **room) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    enum { BITS = 6, OF_WORD = 10 };
    char *data = *room;
    size_t size = STR_MIN + splitmix64(n) % (STR_MAX - STR_MIN + 1);
    for (size_t i = 0, word = 0; i < size; i++, word >>= BITS) {
        if (i % OF_WORD == 0) {
            word = splitmix64(~(n * 3 + i / OF_WORD));
        }
        data[i] = letters[word & ((1 << BITS) - 1)];
    }
    data[size] = '\0';
    *room += size + 1;
    struct text t = {data, size};
    return t;
}

// The value that belongs to a key.
static inline uint64_t u64_value(u64_key key) {
    return key >> 7;
}

static inline uint64_t u32_value(u32_key key) {
    return key >> 3;
}

static inline uint64_t str_value(str_key key) {
    return key.size << 8 | (unsigned char)key.data[STR_MIN - 1];
}

static inline uint64_t wide_value(wide_key key) {
    return u64_value(key);
}

static inline u64_elem u64_pack(uint64_t value) {
    return value;
}

static inline u32_elem u32_pack(uint64_t value) {
    return (u32_elem)value;
}

static inline str_elem str_pack(uint64_t value) {
    return value;
}

static inline wide_elem wide_pack(uint64_t value) {
    struct wide w;
    for (int i = 0; i < 8; i++) {
        w.words[i] = value;
    }
    return w;
}

static inline uint64_t u64_read(const u64_elem *e) {
    return *e;
}

static inline uint64_t u32_read(const u32_elem *e) {
    return *e;
}

static inline uint64_t str_read(const str_elem *e) {
    return *e;
}

static inline uint64_t wide_read(const wide_elem *e) {
    return e->words[0];
}

// array_new returns n items of zeros with memory behind them. It does not come
// from malloc: that heap belongs to the maps alone.
static inline void *array_new(uint64_t n, size_t size) {
    void *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) {
        bench_fail("out of memory");
    }
    return p;
}

static inline void array_free(void *p, uint64_t n, size_t size) {
    munmap(p, n * size);
}

// shuffle puts n numbers into another order.
static inline void shuffle(uint32_t *numbers, uint64_t n, uint64_t *state) {
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = (bench_random(state) >> 32) * i >> 32;
        uint32_t swap = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = swap;
    }
}

// Results.

static inline void emit_head(enum operation op) {
    static bool more;
    printf("%s\"%s\": {", more ? ", " : "{", operation_names[op]);
    more = true;
}

static inline void emit(enum operation op, int64_t ns, uint64_t nops,
                        uint64_t check) {
    emit_head(op);
    printf("\"ns\": %.4f, \"ops\": %llu, \"check\": %llu}",
           (double)ns / (double)nops, (unsigned long long)nops,
           (unsigned long long)check);
}

// counted_bytes belongs to counted.c, which is preloaded when memory is
// measured.
#ifdef __cplusplus
extern "C"
#endif
    int64_t
    counted_bytes(void) __attribute__((weak));

// heap_bytes returns what malloc has handed out and not got back.
static inline int64_t heap_bytes(void) {
    if (!counted_bytes) {
        bench_fail("bytes are counted with counted.so in LD_PRELOAD");
    }
    return counted_bytes();
}

// ticks reads the fastest clock there is, in its place in the program.
static inline uint64_t ticks(void) {
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence"
                     : "=a"(low), "=d"(high)
                     :
                     : "memory");
    return (uint64_t)high << 32 | low;
#else
    return (uint64_t)wall_ns();
#endif
}

// struct stopwatch keeps the times of single operations.
struct stopwatch {
    uint32_t *times; // in ticks; what takes longer than that holds is cut off
    uint64_t n;
    uint64_t begin_ticks;
    int64_t begin_ns;
};

static inline struct stopwatch stopwatch_new(uint64_t n) {
    struct stopwatch s;
    s.times = (uint32_t *)array_new(n, sizeof *s.times);
    s.n = n;
    s.begin_ns = wall_ns();
    s.begin_ticks = ticks();
    return s;
}

static inline void stopwatch_note(struct stopwatch *s, uint64_t i,
                                  uint64_t begin, uint64_t end) {
    uint64_t time = end - begin;
    s->times[i] = time < UINT32_MAX ? (uint32_t)time : UINT32_MAX;
}

// The time that a share of 1 - 1/rest of all does not exceed, by the counts of
// a radix sort's two passes.
static inline uint32_t stopwatch_quantile(const struct stopwatch *s,
                                          uint64_t rest) {
    enum { HALF = 16 };
    uint64_t above = s->n / rest; // how many may be larger
    uint32_t *counts = (uint32_t *)array_new(1 << HALF, sizeof *counts);
    uint32_t high = (1 << HALF) - 1, low = high;
    for (uint64_t i = 0; i < s->n; i++) {
        counts[s->times[i] >> HALF]++;
    }
    while (counts[high] <= above) {
        above -= counts[high--];
    }
    memset(counts, 0, sizeof *counts << HALF);
    for (uint64_t i = 0; i < s->n; i++) {
        if (s->times[i] >> HALF == high) {
            counts[s->times[i] & ((1 << HALF) - 1)]++;
        }
    }
    while (counts[low] <= above) {
        above -= counts[low--];
    }
    array_free(counts, 1 << HALF, sizeof *counts);
    return high << HALF | low;
}

static inline void stopwatch_emit(struct stopwatch *s, uint64_t check) {
    double ns_per_tick =
        (double)(wall_ns() - s->begin_ns) / (double)(ticks() - s->begin_ticks);
    static const struct {
        const char *name;
        uint64_t rest;
    } quantiles[] = {{"p50", 2},
                     {"p99", 100},
                     {"p99.9", 1000},
                     {"p99.99", 10000},
                     {"max", UINT64_MAX}};
    emit_head(LATENCY);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        printf("\"%s\": %.1f, ", quantiles[i].name,
               stopwatch_quantile(s, quantiles[i].rest) * ns_per_tick);
    }
    printf("\"ops\": %llu, \"check\": %llu}", (unsigned long long)s->n,
           (unsigned long long)check);
    array_free(s->times, s->n, sizeof *s->times);
}

static inline unsigned parse_operations(char *names) {
    unsigned found = 0;
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
        unsigned op = 0;
        while (op < NOPERATIONS && strcmp(name, operation_names[op]) != 0) {
            op++;
        }
        if (op == NOPERATIONS) {
            bench_fail("no such operation; driver.h has their names");
        }
        found |= 1u << op;
    }
    return found;
}

static inline int drive(int argc, char **argv, const struct kind *kinds,
                        size_t nkinds) {
    struct plan p;
    bench_word(argc, argv, 3);
    p.wanted = parse_operations(argv[1]);
    p.size = bench_number(argc, argv, 3);
    p.min_ns = MILLISECONDS * 1000000ll;
    if (argc > 4) {
        p.min_ns = (int64_t)bench_number(argc, argv, 4) * 1000000ll;
    }
    const char *modes = argc > 5 ? argv[5] : "";
    p.warm = strstr(modes, "warm") != NULL;
    if (strstr(modes, "wall") != NULL) {
        workload_clock = CLOCK_MONOTONIC;
    }
    for (size_t i = 0; i < nkinds; i++) {
        if (strcmp(argv[2], kinds[i].name) == 0) {
            kinds[i].run(&p);
            printf("}\n");
            return fflush(stdout) == 0 ? 0 : BENCH_FAILED;
        }
    }
    bench_fail("no such kind of keys and elements");
    return BENCH_FAILED;
}

#endif // MAP_DRIVER_H
