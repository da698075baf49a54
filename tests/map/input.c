// input.c: what the map answers to arguments that are wrong, and to writes that
// overlap.
#include "maps.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

MOUND_MAP_U64(ints, uint64_t)
MOUND_MAP_STR(names, int)

// Types.

static void expect_refused(const struct mound_map_type *t, const char *why) {
    struct mound_map m;
    errno = 0;
    cr_assert(mound_map_make(t, 0) == NULL, "make: %s", why);
    expect_eq(errno, EINVAL);
    errno = 0;
    cr_assert(!mound_map_init(t, &m, NULL), "init: %s", why);
    expect_eq(errno, EINVAL);
}

Test(input, a_type_without_sense_is_refused) {
    struct plain p = {0};
    struct mound_map_type good = plain_type(&p), t;
    expect_refused(NULL, "no type");
    t = good, t.hash = NULL, expect_refused(&t, "no hash");
    t = good, t.equal = NULL, expect_refused(&t, "no equal");
    t = good, t.key_align = 0, expect_refused(&t, "keys aligned to 0");
    t = good, t.elem_align = 0, expect_refused(&t, "elements aligned to 0");
    t = good, t.key_align = 3, expect_refused(&t, "keys aligned to 3");
    t = good, t.elem_align = 24, expect_refused(&t, "elements aligned to 24");
    t = good, t.key_align = t.key_size = 128;
    expect_refused(&t, "keys aligned to 128");
    t = good, t.elem_align = t.elem_size = 4096;
    expect_refused(&t, "elements aligned to 4096");
    t = good, t.key_size = MOUND_MAP_SIZE_MAX + 8;
    expect_refused(&t, "keys beyond the limit");
    t = good, t.elem_size = MOUND_MAP_SIZE_MAX + 8;
    expect_refused(&t, "elements beyond the limit");
    t = good, t.elem_size = SIZE_MAX - 7;
    expect_refused(&t, "elements as large as can be");
    t = good, t.key_size = 12, t.key_align = 8;
    expect_refused(&t, "a size that is no multiple of the alignment");
}

Test(input, types_at_the_limits_are_taken) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    t.key_align = t.key_size = 64;
    t.elem_align = MOUND_MAP_ALIGN_MAX;
    t.elem_size = 128;
    struct mound_map *m = mound_map_make(&t, 0);
    cr_assert(m != NULL);
    static uint64_t key[8];
    cr_assert(mound_map_put(&t, m, key, NULL) != NULL);
    plain_sound(&t, m, 1);
    mound_map_free(&t, m);
    t.elem_size = MOUND_MAP_SIZE_MAX;
    m = mound_map_make(&t, 0);
    cr_assert(m != NULL);
    mound_map_free(&t, m);
}

Test(input, init_without_a_header_is_refused) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    errno = 0;
    cr_assert(!mound_map_init(&t, NULL, NULL));
    expect_eq(errno, EINVAL);
}

// Sizes.

Test(input, a_hint_that_no_memory_could_hold_says_so) {
    static const size_t hints[] = {
        SIZE_MAX,        SIZE_MAX / 2,    SIZE_MAX / 16 + 1, SIZE_MAX / 16,
        (size_t)1 << 62, (size_t)1 << 60, (size_t)1 << 40,   (size_t)13 << 30};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        errno = 0;
        cr_assert(ints_make(hints[i]) == NULL, "hint %zx", hints[i]);
        expect_eq(errno, ENOMEM);
    }
}

Test(input, reserving_what_no_memory_could_hold_says_so_and_changes_nothing) {
    ints *m = ints_make(0);
    for (uint64_t k = 0; k < 30; k++)
        ints_set(m, k, k);
    for (size_t n = SIZE_MAX; n > (size_t)13 << 29; n /= 2) {
        errno = 0;
        cr_assert(!ints_reserve(m, n), "%zx", n);
        expect_eq(errno, ENOMEM);
        sound(ints, m, 30);
    }
    ints_free(m);
}

// No map.

Test(input, no_map_reads_as_empty) {
    struct mound_map_info info;
    cr_assert(ints_get(NULL, 1) == NULL);
    cr_assert(!ints_has(NULL, 1));
    expect_eq(ints_len(NULL), 0);
    mound_map_foreach(ints, it, NULL) cr_assert(false, "an entry");
    ints_iter it = ints_begin(NULL);
    cr_assert(!ints_next(&it));
    ints_end(&it);
    memset(&info, 0xff, sizeof info);
    mound_map_info(ints_type(), NULL, &info);
    expect_eq(info.count, 0);
    expect_eq(info.bytes, 0);
    cr_assert(mound_map_verify(ints_type(), NULL) == NULL);
    uint64_t key = 1;
    const void *kept = &key;
    cr_assert(mound_map_get_key(ints_type(), NULL, &key, &kept) == NULL);
    expect_eq(mound_map_len(NULL), 0);
}

Test(input, deleting_from_no_map_and_freeing_it_do_nothing) {
    cr_assert(!ints_delete(NULL, 1));
    ints_clear(NULL);
    expect_eq(ints_evacuate(NULL, 1), 0);
    cr_assert(ints_shrink(NULL));
    ints_free(NULL);
    mound_map_deinit(ints_type(), NULL);
}

Test(input, putting_into_no_map_fails) {
    bool is_new = true;
    errno = 0;
    cr_assert(ints_put(NULL, 1, &is_new) == NULL);
    expect_eq(errno, EINVAL);
    errno = 0;
    cr_assert(!ints_set(NULL, 1, 1));
    expect_eq(errno, EINVAL);
    errno = 0;
    cr_assert(!ints_reserve(NULL, 10));
    expect_eq(errno, EINVAL);
}

Test(input, a_clone_of_no_map_is_an_empty_map) {
    ints *m = ints_clone(NULL);
    cr_assert(m != NULL);
    cr_assert(ints_set(m, 1, 1));
    sound(ints, m, 1);
    ints_free(m);
}

Test(input, nothing_happens_to_an_empty_map) {
    ints *m = ints_make(0);
    cr_assert(!ints_delete(m, 1));
    ints_clear(m);
    cr_assert(ints_shrink(m));
    cr_assert(ints_reserve(m, 0));
    expect_eq(ints_evacuate(m, 5), 0);
    ints *copy = ints_clone(m);
    sound(ints, copy, 0);
    sound(ints, m, 0);
    expect_eq(info_of(ints, m).bytes, sizeof(struct mound_map));
    ints_free(copy);
    ints_free(m);
}

Test(input, an_iterator_of_zeros_has_no_entries) {
    struct mound_map_iter it = {0};
    cr_assert(!mound_map_next(&it));
    mound_map_end(&it);
}

// Overlapping writes. From inside equal, the map is being written to.

static struct plain state;
static struct mound_map_type type;
static struct mound_map *map;
static bool inside;
static void (*what)(void); // is done once

static void act(const char *where) {
    if (inside || strcmp(where, "equal") != 0)
        return;
    inside = true;
    what();
    inside = false;
}

static void setup(void) {
    state = (struct plain){0};
    type = plain_type(&state);
    map = mound_map_make(&type, 0);
    plain_put(&type, map, 1, 10);
}

// overlap does one thing while key 1 is being put, and expects the message.
static void overlap(void (*inner)(void), const char *message) {
    state.nmisuses = 0;
    what = inner;
    state.hook = act;
    cr_assert(plain_put(&type, map, 1, 10));
    state.hook = NULL;
    expect_eq(state.nmisuses, 1);
    cr_assert_str_eq((char *)state.misuse, message);
    // The outer write went on undisturbed.
    plain_sound(&type, map, 1);
    expect_eq(*plain_get(&type, map, 1), 10);
    expect_eq(info_from(&type, map).flags & 4, 0);
}

static const char writes[] = "concurrent map writes";
static const char read_and_write[] = "concurrent map read and map write";
static const char iteration[] = "concurrent map iteration and map write";

static void inner_put(void) {
    uint64_t key = 2;
    errno = 0;
    cr_assert(mound_map_put(&type, map, &key, NULL) == NULL);
    expect_eq(errno, EBUSY);
}

static void inner_delete(void) {
    cr_assert(!plain_delete(&type, map, 1));
}

static void inner_clear(void) {
    mound_map_clear(&type, map);
}

static void inner_get(void) {
    cr_assert(plain_get(&type, map, 1) == NULL);
}

static void inner_begin(void) {
    struct mound_map_iter it;
    mound_map_begin(&type, map, &it);
    cr_assert(!mound_map_next(&it));
    mound_map_end(&it);
}

static struct mound_map_iter running;

static void inner_next(void) {
    cr_assert(!mound_map_next(&running));
    mound_map_end(&running);
}

static void inner_clone(void) {
    errno = 0;
    cr_assert(mound_map_clone(&type, map) == NULL);
    expect_eq(errno, EBUSY);
}

static void inner_reserve(void) {
    cr_assert(!mound_map_reserve(&type, map, 100));
}

static void inner_shrink(void) {
    cr_assert(!mound_map_shrink(&type, map));
}

static void inner_evacuate(void) {
    mound_map_evacuate(&type, map, 1);
}

static void inner_free(void) {
    mound_map_free(&type, map);
}

Test(input, a_write_during_a_write_gives_up_with_gos_message, .init = setup) {
    overlap(inner_put, writes);
    overlap(inner_delete, writes);
    overlap(inner_clear, writes);
    overlap(inner_reserve, writes);
    overlap(inner_shrink, writes);
    overlap(inner_evacuate, writes);
    overlap(inner_free, writes);
    mound_map_free(&type, map);
}

Test(input, a_read_during_a_write_finds_nothing_with_gos_message,
     .init = setup) {
    overlap(inner_get, read_and_write);
    mound_map_free(&type, map);
}

Test(input, iteration_during_a_write_ends_with_gos_message, .init = setup) {
    overlap(inner_begin, iteration);
    overlap(inner_clone, iteration);
    mound_map_begin(&type, map, &running);
    overlap(inner_next, iteration);
    mound_map_free(&type, map);
}

Test(input, overlapping_writes_are_found_in_deletion_and_growth_too,
     .init = setup) {
    // equal is called by delete, too.
    what = inner_put;
    state.hook = act;
    cr_assert(plain_delete(&type, map, 1));
    state.hook = NULL;
    expect_eq(state.nmisuses, 1);
    plain_sound(&type, map, 0);

    // In growth, hash is called with the write under way.
    size_t nhashes = state.nhashes;
    for (uint64_t k = 0; k < 53; k++)
        plain_put(&type, map, k, k);
    cr_assert(state.nhashes > nhashes + 53);
    plain_sound(&type, map, 53);
    mound_map_free(&type, map);
}

// As a second thread would: the flag is gone when the write ends.
static void take_flag(void) {
    map->flags_ &= (uint8_t)~MOUND_MAP_WRITING;
}

Test(input, a_write_that_finds_its_flag_gone_says_so, .init = setup) {
    uint64_t key = 1;
    what = take_flag;
    state.hook = act;
    errno = 0;
    cr_assert(mound_map_put(&type, map, &key, NULL) == NULL);
    expect_eq(errno, EBUSY);
    expect_eq(state.nmisuses, 1);
    cr_assert_str_eq((char *)state.misuse, writes);

    plain_delete(&type, map, 1);
    expect_eq(state.nmisuses, 2);
    cr_assert_str_eq((char *)state.misuse, writes);
    state.hook = NULL;
    mound_map_free(&type, map);
}

Test(input, a_hash_may_look_at_the_map_and_write_to_another, .init = setup) {
    // Before the write begins, as in Go, where hashing comes first.
    expect_eq(state.nmisuses, 0);
    struct plain other = {0};
    struct mound_map_type t = plain_type(&other);
    struct mound_map *m = mound_map_make(&t, 0);
    plain_put(&t, m, 1, 1);
    plain_sound(&t, m, 1);
    mound_map_free(&t, m);
    mound_map_free(&type, map);
}

static bool never(void *dst, const void *src, void *user) {
    (void)dst;
    (void)src;
    (void)user;
    return false;
}

Test(input, the_writing_flag_is_clear_after_everything, .init = setup) {
    uint64_t key = 3;
    expect_eq(info_from(&type, map).flags & 4, 0);
    plain_delete(&type, map, 3);
    expect_eq(info_from(&type, map).flags & 4, 0);
    mound_map_reserve(&type, map, 100);
    mound_map_shrink(&type, map);
    mound_map_evacuate(&type, map, 1);
    expect_eq(info_from(&type, map).flags & 4, 0);
    // Also when the key could not be copied.
    type.key_copy = never;
    errno = 0;
    cr_assert(mound_map_put(&type, map, &key, NULL) == NULL);
    expect_eq(errno, ENOMEM);
    expect_eq(info_from(&type, map).flags & 4, 0);
    type.key_copy = NULL;
    cr_assert(plain_put(&type, map, 3, 3));
    mound_map_clear(&type, map);
    expect_eq(info_from(&type, map).flags & 4, 0);
    expect_eq(state.nmisuses, 0);
    mound_map_free(&type, map);
}

// Without a misuse function the program ends.

static void plain_overlap(void (*inner)(void)) {
    struct plain p = {0};
    type = plain_type(&p);
    type.misuse = NULL;
    map = mound_map_make(&type, 0);
    plain_put(&type, map, 1, 10);
    mound_map_begin(&type, map, &running);
    what = inner;
    p.hook = act;
    plain_put(&type, map, 1, 11);
}

static void expect_fatal(void (*inner)(void), const char *message) {
    int fds[2];
    cr_assert(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        inside = false;
        plain_overlap(inner);
        _exit(0);
    }
    close(fds[1]);
    char said[256];
    size_t n = 0;
    ssize_t got;
    while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)got;
    said[n] = 0;
    close(fds[0]);
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    char want[128];
    snprintf(want, sizeof want, "fatal error: %s\n", message);
    cr_assert_str_eq(said, want);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x",
              status);
}

static void bare_put(void) {
    uint64_t key = 2;
    mound_map_put(&type, map, &key, NULL);
}

static void bare_get(void) {
    plain_get(&type, map, 1);
}

static void bare_next(void) {
    mound_map_next(&running);
}

Test(input, without_a_misuse_function_overlapping_writes_end_the_program) {
    expect_fatal(bare_put, writes);
    expect_fatal(bare_get, read_and_write);
    expect_fatal(bare_next, iteration);
}
