// map_races.c: threads that read one map at once, for ThreadSanitizer. Between two
// writes, at every size up to 250 and back and at every step of a growth, all of
// them look up and iterate; iterators begin, go on and end side by side, those too
// that began several growths ago, the last of which frees the array. Then at some
// thousands, where a Swiss map has several tables.
//
// usage: map_races [ROUNDS [THREADS]]     1 round and 32 threads unless told
#include "../map/which.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SIZE_MOST = 250,
    SIZE_LARGE = 5000,
    KEYS_MOST = 16384, // put in a round
    THREADS_MOST = 64,
    HELD = 3, // iterators that each thread holds across writes
};

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(names, uint64_t)

static ints *numbers;
static names *strings;
static bool stop;
static pthread_barrier_t before, after; // each step's reading

// What the maps hold: keys from first to end - 1. clears counts clears.
static uint64_t first_key, end_key, clears;

static void __attribute__((noreturn)) wrong(const char *what) {
    fprintf(stderr, "map_races: %s (keys %lu to %lu)\n", what, first_key,
            end_key);
    exit(1);
}

static uint64_t chance(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static char *name_of(char *s, uint64_t key) {
    snprintf(s, 32, "name %lu", key);
    return s;
}

static void look_up(uint64_t *state) {
    char s[32];
    uint64_t from = chance(state) % 8;
    uint64_t stride = 1 + (end_key - first_key) / SIZE_MOST;
    for (uint64_t k = from; k < end_key + 5;
         k += 1 + chance(state) % (3 * stride)) {
        bool there = k >= first_key && k < end_key;
        uint64_t *e = ints_get(numbers, k);
        if ((e != NULL) != there || (there && *e != k))
            wrong("an integer is not as it should be");
    }
    for (uint64_t k = from; k < end_key + 5;
         k += 1 + chance(state) % (15 * stride)) {
        bool there = k >= first_key && k < end_key;
        uint64_t *e = names_get(strings, name_of(s, k));
        if ((e != NULL) != there || (there && *e != k))
            wrong("a string is not as it should be");
    }
}

static void walk(uint64_t *state) {
    uint64_t n = 0, sum = 0, leave = chance(state) % 4 ? UINT64_MAX : 3;
    mound_map_foreach(ints, it, numbers) {
        n++;
        sum += *it.elem;
        if (n == leave)
            return; // early: the iterator ends
    }
    uint64_t want = 0;
    for (uint64_t k = first_key; k < end_key; k++)
        want += k;
    if (n != end_key - first_key || sum != want)
        wrong("a loop did not see every integer once");
    mound_map_foreach(names, it, strings) {
        if (*it.elem < first_key || *it.elem >= end_key)
            wrong("a loop saw a string that is not there");
    }
}

// An iterator that a thread holds while the map is written to.
struct held {
    bool live;
    ints_iter i;
    names_iter s;
    uint64_t had_first, had_end; // the keys at its begin
    uint64_t clears;
    uint64_t i_seen[KEYS_MOST / 64], s_seen[KEYS_MOST / 64];
};

static void see(uint64_t *seen, uint64_t key) {
    if (key < first_key || key >= end_key)
        wrong("an iterator delivers what is not there");
    if (seen[key / 64] >> key % 64 & 1)
        wrong("an iterator delivers an entry again");
    seen[key / 64] |= (uint64_t)1 << key % 64;
}

// Keys come once and go once here, so what was there then and is now, was always.
static void complete(const struct held *h, const uint64_t *seen) {
    for (uint64_t k = h->had_first; k < h->had_end; k++)
        if (k >= first_key && k < end_key && !(seen[k / 64] >> k % 64 & 1))
            wrong("an iterator left an entry out");
}

static void hold(struct held *h, uint64_t *state) {
    if (!h->live) {
        memset(h, 0, sizeof *h);
        h->live = true;
        h->i = ints_begin(numbers);
        h->s = names_begin(strings);
        h->had_first = first_key;
        h->had_end = end_key;
        h->clears = clears;
        return;
    }
    if (chance(state) % 40 == 0) {
        ints_end(&h->i);
        names_end(&h->s);
        h->live = false;
        return;
    }
    for (uint64_t n = chance(state) % 6; n > 0; n--) {
        if (!ints_next(&h->i)) {
            // The other one as far as it goes.
            while (names_next(&h->s))
                see(h->s_seen, *h->s.elem);
            if (h->clears == clears) {
                complete(h, h->i_seen);
                complete(h, h->s_seen);
            }
            h->live = false;
            return;
        }
        see(h->i_seen, *h->i.key);
        if (names_next(&h->s))
            see(h->s_seen, *h->s.elem);
    }
}

static void *reader(void *arg) {
    uint64_t state = (uint64_t)(uintptr_t)arg;
    static __thread struct held held[HELD];
    bool iterates = state % 2;
    for (;;) {
        pthread_barrier_wait(&before);
        if (stop)
            break;
        if (iterates)
            walk(&state);
        else
            look_up(&state);
        for (int i = 0; i < HELD; i++)
            if (chance(&state) % 4 > 0 || held[i].live)
                hold(&held[i], &state);
        pthread_barrier_wait(&after);
    }
    for (int i = 0; i < HELD; i++)
        if (held[i].live) {
            ints_end(&held[i].i);
            names_end(&held[i].s);
        }
    return NULL;
}

// all_read lets the threads read the maps as they are.
static void all_read(void) {
    pthread_barrier_wait(&before);
    pthread_barrier_wait(&after);
}

static void put(void) {
    char s[32];
    uint64_t k = end_key++;
    if (k == KEYS_MOST)
        wrong("too many keys");
    if (!ints_set(numbers, k, k) || !names_set(strings, name_of(s, k), k))
        wrong("out of memory");
}

static void delete (void) {
    char s[32];
    uint64_t k = first_key++;
    if (!ints_delete(numbers, k) || !names_delete(strings, name_of(s, k)))
        wrong("an entry cannot be deleted");
}

static void sound(void) {
    const char *broken = mound_map_verify(ints_type(), ints_untyped(numbers));
    if (broken == NULL)
        broken = mound_map_verify(names_type(), names_untyped(strings));
    if (broken != NULL)
        wrong(broken);
}

static void round_run(void) {
    first_key = end_key = 0;
    ints_clear(numbers);
    names_clear(strings);
    ints_shrink(numbers);
    names_shrink(strings);
    clears++;
    while (end_key < SIZE_MOST) {
        put();
        all_read();
    }
    // At one size, while overflow buckets collect.
    for (int i = 0; i < 60; i++) {
        put();
        delete ();
        all_read();
    }
    ints_reserve(numbers, 2 * SIZE_MOST);
    names_reserve(strings, 2 * SIZE_MOST);
    all_read();
    while (end_key - first_key > 10) {
        for (int i = 0; i < 4; i++)
            delete ();
        all_read();
    }
    ints_shrink(numbers);
    names_shrink(strings);
    all_read();
    // Faster, so that iterators see several growths.
    for (int i = 0; i < 60; i++) {
        for (int j = 0; j < i / 2; j++)
            put();
        if (i % 3 == 0)
            ints_evacuate(numbers, 2);
        all_read();
    }
    while (end_key - first_key < SIZE_LARGE) {
        for (int i = 0; i < SIZE_LARGE / 25; i++)
            put();
        all_read();
    }
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < SIZE_LARGE / 10; j++) {
            put();
            delete ();
        }
        all_read();
    }
    sound();
    while (end_key - first_key > SIZE_LARGE / 10)
        delete ();
    all_read();
    ints_shrink(numbers);
    names_shrink(strings);
    all_read();
    sound();
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    int n = argc > 2 ? atoi(argv[2]) : 32;
    pthread_t threads[THREADS_MOST];
    if (n < 1 || n > THREADS_MOST)
        return 2;
    alarm(300);
    numbers = ints_make(0);
    strings = names_make(0);
    pthread_barrier_init(&before, NULL, (unsigned)n + 1);
    pthread_barrier_init(&after, NULL, (unsigned)n + 1);
    for (int i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, reader,
                           (void *)(uintptr_t)(i + 1)) != 0)
            return 2;
    for (int i = 0; i < rounds; i++)
        round_run();
    // The last iterators end all at once.
    stop = true;
    pthread_barrier_wait(&before);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    while (ints_evacuate(numbers, 100) > 0 || names_evacuate(strings, 100) > 0)
        ;
    struct mound_map_info info;
    mound_map_info(ints_type(), ints_untyped(numbers), &info);
    if (info.arrays != 0)
        wrong("an outgrown array is left");
    mound_map_info(names_type(), names_untyped(strings), &info);
    if (info.arrays != 0)
        wrong("an outgrown array is left");
    sound();
    ints_free(numbers);
    names_free(strings);
    return 0;
}
