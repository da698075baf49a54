// states.c: maps in every state that they can be found in, for a debugger to
// look at; with MAP_SWISS, Swiss ones. It writes what they hold to the file that it
// is given, in the words that gdb should use, and then calls ready, where gdb_map.py
// has gdb stop.
#include "../which.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static FILE *out;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

// A hash that puts keys where the test wants them: low bits choose the bucket, or
// the group.
static uint64_t as_it_is(uint64_t x, uint64_t seed) {
    (void)seed;
    return x;
}

struct big {
    uint64_t words[25]; // 200 bytes: stored apart
};

struct wide {
    uint64_t a, b, c;
};

struct aligned {
    uint32_t x;
} __attribute__((aligned(16)));

struct nothing {}; // of size 0

static uint64_t big_hash(struct big b, uint64_t seed) {
    return mound_hash_u64(b.words[0], seed);
}

static bool big_eq(struct big a, struct big b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static uint64_t wide_hash(struct wide w, uint64_t seed) {
    return mound_hash_u64(w.a, seed);
}

static bool wide_eq(struct wide v, struct wide w) {
    return v.a == w.a && v.b == w.b && v.c == w.c;
}

static uint64_t nothing_hash(struct nothing x, uint64_t seed) {
    (void)x;
    return seed;
}

static bool nothing_eq(struct nothing a, struct nothing b) {
    (void)a;
    (void)b;
    return true;
}

static uint64_t byte_hash(int8_t x, uint64_t seed) {
    return mound_hash_u64((uint8_t)x, seed);
}

static bool byte_eq(int8_t a, int8_t b) {
    return a == b;
}

MOUND_MAP_STR(ages, int)
MOUND_MAP_STR_BORROWED(borrowed, int)
MOUND_MAP_VIEW(views, int)
MOUND_MAP_U64(numbers, uint64_t) // groups of 4
MOUND_MAP_U32(chars, uint8_t)    // a group of 8
MOUND_MAP_F64(floats, int)
MOUND_MAP_DECLARE(piled, uint64_t, uint32_t, as_it_is, mound_eq_u64)
MOUND_MAP_DECLARE(bigs, struct big, struct big, big_hash, big_eq)
MOUND_MAP_DECLARE(bigkeys, struct big, uint16_t, big_hash, big_eq)
MOUND_MAP_DECLARE(wides, struct wide, uint64_t, wide_hash, wide_eq) // 2
MOUND_MAP_DECLARE(bytes, int8_t, double, byte_hash, byte_eq) // no smaller group
MOUND_MAP_U32(aligneds, struct aligned)
MOUND_MAP_DECLARE(onlys, struct nothing, short, nothing_hash, nothing_eq)
MOUND_SET_U64(seen)
MOUND_SET_STR(names)

// What gdb should say of a map before its entries.
static void header(const char *variable, const char *name, bool is_set,
                   const struct mound_map_type *t, const struct mound_map *m) {
    struct mound_map_info info;
    mound_map_info(t, m, &info);
    fprintf(out, "= %s\t%s of %zu ", variable, name, info.count);
    if (is_set)
        fprintf(out, info.count == 1 ? "key" : "keys");
    else
        fprintf(out, info.count == 1 ? "entry" : "entries");
#ifdef MAP_SWISS
    fprintf(out, " (depth=%u", info.depth);
#else
    fprintf(out, " (B=%u", info.B);
    if (info.oldbuckets != 0)
        fprintf(out, ", growing, nevacuate %zu of %zu", info.nevacuate,
                info.oldbuckets);
    if (info.flags & 8)
        fprintf(out, ", same size");
#endif
    fprintf(out, ")\n");
    const char *wrong = mound_map_verify(t, m);
    if (wrong != NULL) {
        fprintf(stderr, "%s: %s\n", variable, wrong);
        exit(1);
    }
}

#define WRITE(NAME, m, ...)                                                    \
    do {                                                                       \
        header("*" #m, #NAME, false, NAME##_type(), NAME##_untyped(m));        \
        mound_map_foreach(NAME, it, m) {                                       \
            fprintf(out, __VA_ARGS__);                                         \
            fprintf(out, "\n");                                                \
        }                                                                      \
    } while (0)

#define WRITE_SET(NAME, m, ...)                                                \
    do {                                                                       \
        header("*" #m, #NAME, true, NAME##_type(), NAME##_untyped(m));         \
        mound_map_foreach(NAME, it, m) {                                       \
            fprintf(out, __VA_ARGS__);                                         \
            fprintf(out, "\n");                                                \
        }                                                                      \
    } while (0)

// The maps, by the names that the script prints them under.
static ages *empty, *people, *lonely, *outgrown;
static borrowed *literals;
static views *slices;
static numbers *one_bucket, *many, *growing, *holes, *cleared, *emptied, *large;
static chars *letters;
static floats *odd_floats;
static piled *crowded, *moving, *same_size;
static bigs *apart;
static bigkeys *keys_apart;
static wides *in_pairs;
static bytes *padded;
static aligneds *far_apart;
static onlys *only;
static seen *some_seen;
static names *some_names;
static ages its_header, *lent;
static struct ages_first its_bucket;
static struct mound_map *bare;

static ages_iter begun, midway, ended, left;
static seen_iter at_key;

static numbers *fill(uint64_t n) {
    numbers *m = numbers_make(0);
    for (uint64_t i = 0; i < n; i++)
        if (!numbers_set(m, i * i, i))
            fail("fill");
    return m;
}

#ifndef MAP_SWISS
static struct mound_map_info info_of(const piled *m) {
    struct mound_map_info info;
    mound_map_info(piled_type(), piled_untyped(m), &info);
    return info;
}
#endif

static void pile(piled *m, uint64_t bucket, uint64_t from, uint64_t n) {
    for (uint64_t i = from; i < from + n; i++)
        if (!piled_set(m, bucket + (i << 7), (uint32_t)i))
            fail("pile");
}

// A chain of 13 buckets: the spare overflow bucket and twelve blocks of one.
static piled *crowd(void) {
    piled *m = piled_make(100);
    pile(m, 5, 0, 100);
    return m;
}

// Many overflow buckets in two chains, of which one has been emptied since; or a table
// that cannot split, with most of its entries deleted.
static piled *start_same_size(void) {
    piled *m = piled_make(26);
#ifdef MAP_SWISS
    pile(m, 0, 0, 3000);
    for (uint64_t i = 0; i < 2990; i++)
        piled_delete(m, 0 + (i << 7));
#else
    pile(m, 0, 0, 17);
    pile(m, 1, 0, 9);
    for (uint64_t i = 1; i < 17; i++)
        piled_delete(m, 0 + (i << 7));
    for (uint64_t i = 0; info_of(m).oldbuckets == 0; i++)
        pile(m, 2, i, 1);
#endif
    return m;
}

// A map in the middle of growing, some of its buckets on either side.
static numbers *start_growing(void) {
    numbers *m = fill(13 * 16 + 1);
    for (uint64_t i = 0; i < 3; i++)
        numbers_set(m, 1000000 + i, i);
    numbers_delete(m, 1000000);
    return m;
}

static void make(void) {
    empty = ages_make(0);
    people = ages_make(0);
    ages_set(people, "rob", 66);
    ages_set(people, "ken", 79);
    ages_set(people, "robert \"rob\"", -1);
    lonely = ages_make(100);
    ages_set(lonely, "", 0);
    literals = borrowed_make(0);
    borrowed_set(literals, "here", 1);
    slices = views_make(0);
    views_set(slices, (struct mound_view){"slices", 5}, 1);
    views_set(slices, (struct mound_view){"sl", 2}, 2);
    views_set(slices, (struct mound_view){NULL, 0}, 3);
    one_bucket = fill(8);
    many = fill(1000);
    large = fill(9000);
    growing = start_growing();
    holes = fill(1000);
    for (uint64_t i = 0; i < 1000; i++)
        if (i % 7 != 3)
            numbers_delete(holes, i * i);
    cleared = fill(100);
    numbers_clear(cleared);
    numbers_set(cleared, 1, 2);
    emptied = fill(100);
    for (uint64_t i = 0; i < 100; i++)
        numbers_delete(emptied, i * i);
    letters = chars_make(0);
    for (uint32_t i = 0; i < 30; i++)
        chars_set(letters, i, (uint8_t)(200 + i));
    odd_floats = floats_make(0);
    floats_set(odd_floats, 0.5, 1);
    floats_set(odd_floats, -0.0, 2);
    floats_set(odd_floats, NAN, 3);
    floats_set(odd_floats, NAN, 4);
    crowded = crowd();
    moving = piled_make(100);
    pile(moving, 5, 0, 104);
    pile(moving, 9, 0, 1);
    same_size = start_same_size();
    apart = bigs_make(0);
    keys_apart = bigkeys_make(0);
    in_pairs = wides_make(0);
    for (uint64_t i = 1; i <= 40; i++) {
        struct big b = {{i}};
        struct wide w = {i, 2 * i, 3 * i};
        if (!bigs_set(apart, b, (struct big){{10 * i}}) ||
            !bigkeys_set(keys_apart, b, (uint16_t)(i * 1000)) ||
            !wides_set(in_pairs, w, i * 1000))
            fail("set");
    }
    padded = bytes_make(0);
    far_apart = aligneds_make(0);
    for (int i = -40; i < 0; i++) {
        struct aligned a = {(uint32_t)(i + 40)};
        if (!bytes_set(padded, (int8_t)i, i + 0.5) ||
            !aligneds_set(far_apart, (uint32_t)(i + 100), a))
            fail("set");
    }
    some_seen = seen_make(0);
    for (uint64_t i = 0; i < 20; i++)
        seen_add(some_seen, i * 3, NULL);
    some_names = names_make(0);
    names_add(some_names, "gopher", NULL);
    lent = &its_header;
    ages_init(lent, &its_bucket);
    ages_set(lent, "me", 1);
    only = onlys_make(0);
    onlys_set(only, (struct nothing){}, 7);
    bare = piled_untyped(crowded);

    // What it walks is outgrown before it comes to its second entry.
    outgrown = ages_make(0);
    ages_set(outgrown, "ken", 79);
    left = ages_begin(outgrown);
    ages_next(&left);
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        if (!ages_set(outgrown, name, i))
            fail("set");
    }

    begun = ages_begin(people);
    midway = ages_begin(lent);
    ages_next(&midway);
    ended = ages_begin(people);
    while (ages_next(&ended))
        ;
    at_key = seen_begin(some_seen);
    seen_next(&at_key);
}

static void write_all(void) {
    WRITE(ages, empty, "[\"%s\"] = %d", *it.key, *it.elem);
    header("*people", "ages", false, ages_type(), ages_untyped(people));
    fprintf(out, "[\"rob\"] = 66\n[\"ken\"] = 79\n"
                 "[\"robert \\\"rob\\\"\"] = -1\n");
    WRITE(ages, lonely, "[\"%s\"] = %d", *it.key, *it.elem);
    WRITE(ages, outgrown, "[\"%s\"] = %d", *it.key, *it.elem);
    WRITE(borrowed, literals, "[\"%s\"] = %d", *it.key, *it.elem);
    WRITE(views, slices, "[\"%.*s\"] = %d", (int)it.key->size,
          it.key->size != 0 ? it.key->data : "", *it.elem);
    WRITE(numbers, one_bucket, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(numbers, many, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(numbers, large, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(numbers, growing, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(numbers, holes, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(numbers, cleared, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(numbers, emptied, "[%" PRIu64 "] = %" PRIu64, *it.key, *it.elem);
    WRITE(chars, letters, "[%u] = %u '\\%o'", *it.key, *it.elem, *it.elem);
    header("*odd_floats", "floats", false, floats_type(),
           floats_untyped(odd_floats));
    fprintf(out, "[0.5] = 1\n[-0] = 2\n"
                 "[nan(0x8000000000000)] = 3\n[nan(0x8000000000000)] = 4\n");
    WRITE(piled, crowded, "[%" PRIu64 "] = %u", *it.key, *it.elem);
    WRITE(piled, moving, "[%" PRIu64 "] = %u", *it.key, *it.elem);
    WRITE(piled, same_size, "[%" PRIu64 "] = %u", *it.key, *it.elem);
    WRITE(bigs, apart,
          "[{words = {%" PRIu64 ", 0 <repeats 24 times>}}] = "
          "{words = {%" PRIu64 ", 0 <repeats 24 times>}}",
          it.key->words[0], it.elem->words[0]);
    WRITE(bigkeys, keys_apart,
          "[{words = {%" PRIu64 ", 0 <repeats 24 times>}}] = %u",
          it.key->words[0], *it.elem);
    WRITE(wides, in_pairs,
          "[{a = %" PRIu64 ", b = %" PRIu64 ", c = %" PRIu64 "}] = %" PRIu64,
          it.key->a, it.key->b, it.key->c, *it.elem);
    WRITE(bytes, padded, "[%d '\\%o'] = %.1f", *it.key, (uint8_t)*it.key,
          *it.elem);
    WRITE(aligneds, far_apart, "[%u] = {x = %u}", *it.key, it.elem->x);
    header("*only", "onlys", false, onlys_type(), onlys_untyped(only));
    fprintf(out, "[{<No data fields>}] = 7\n");
    WRITE_SET(seen, some_seen, "%" PRIu64, *it.key);
    WRITE_SET(names, some_names, "\"%s\"", *it.key);
    WRITE(ages, lent, "[\"%s\"] = %d", *it.key, *it.elem);
}

__attribute__((noinline)) static void in_loop(const void *it, const void *here,
                                              const void *none) {
    __asm__ volatile("" : : "r"(it), "r"(here), "r"(none) : "memory");
}

__attribute__((noinline)) static void ready(void) {
    // They are used, says this, or the compiler would leave them out.
    __asm__ volatile(""
                     :
                     : "r"(&begun), "r"(&midway), "r"(&ended), "r"(&at_key),
                       "r"(&left), "r"(&bare)
                     : "memory");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: states FILE\n");
        return 2;
    }
    out = fopen(argv[1], "w");
    if (out == NULL)
        fail(argv[1]);
    make();
    write_all();
    fprintf(out, "= midway\t[\"%s\"] = %d\n", *midway.key, *midway.elem);
    fprintf(out, "= at_key\t%" PRIu64 "\n", *at_key.key);
    fclose(out);
    seen here, none;
    seen_init(&here, NULL);
    seen_init(&none, NULL);
    seen_add(&here, 77, NULL);
    mound_map_foreach(ages, it, lent) in_loop(&it, &here, &none);
    ready();
    return 0;
}
