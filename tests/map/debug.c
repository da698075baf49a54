// debug.c: what only a library built with MOUND_DEBUG notices.
#include "maps.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

MOUND_MAP_U64(ints, uint64_t)

// expect_fatal does something in a child, which has to end with that line.
static void expect_fatal(void (*mistake)(void), const char *line) {
    int fds[2];
    cr_assert(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        mistake();
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
    cr_assert_str_eq(said, line);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x",
              status);
}

static ints *m;
static ints_iter iter;

static void freed(void) {
    m = ints_make(0);
    for (uint64_t k = 0; k < 30; k++)
        ints_set(m, k, k);
    iter = ints_begin(m);
    ints_next(&iter);
    ints_free(m);
}

static void get(void) {
    freed();
    ints_get(m, 1);
}

static void put(void) {
    freed();
    ints_put(m, 1, NULL);
}

static void delete (void) {
    freed();
    ints_delete(m, 1);
}

static void clear(void) {
    freed();
    ints_clear(m);
}

static void clone(void) {
    freed();
    ints_clone(m);
}

static void reserve(void) {
    freed();
    ints_reserve(m, 1000);
}

static void shrink(void) {
    freed();
    ints_shrink(m);
}

static void evacuate(void) {
    freed();
    ints_evacuate(m, 1);
}

static void begin(void) {
    freed();
    ints_begin(m);
}

static void each(void) {
    freed();
    mound_map_foreach(ints, it, m) break;
}

static void next(void) {
    freed();
    ints_next(&iter);
}

static void end(void) {
    freed();
    ints_end(&iter);
}

static void free_again(void) {
    freed();
    ints_free(m);
}

static const char after_free[] = "fatal error: use of a map after free\n";

Test(debug, reading_a_map_after_free_is_told) {
    expect_fatal(get, after_free);
    expect_fatal(begin, after_free);
    expect_fatal(each, after_free);
}

Test(debug, writing_to_a_map_after_free_is_told) {
    expect_fatal(put, after_free);
    expect_fatal(delete, after_free);
    expect_fatal(clear, after_free);
    expect_fatal(reserve, after_free);
    expect_fatal(shrink, after_free);
    expect_fatal(evacuate, after_free);
}

Test(debug, cloning_a_map_after_free_is_told) {
    expect_fatal(clone, after_free);
}

Test(debug, going_on_with_an_iterator_of_a_freed_map_is_told) {
    expect_fatal(next, after_free);
    expect_fatal(end, after_free);
}

Test(debug, a_map_freed_twice_is_told) {
    expect_fatal(free_again, after_free);
}

static void end_twice(void) {
    m = ints_make(0);
    ints_set(m, 1, 1);
    iter = ints_begin(m);
    ints_end(&iter);
    ints_end(&iter);
}

Test(debug, an_iterator_ended_twice_is_told) {
    expect_fatal(end_twice, "fatal error: map iterator ended twice\n");
}

Test(debug, end_after_the_last_entry_is_no_mistake) {
    m = ints_make(0);
    ints_set(m, 1, 1);
    iter = ints_begin(m);
    while (ints_next(&iter))
        ;
    ints_end(&iter);
    mound_map_foreach(ints, it, m) expect_eq(*it.key, 1);
    ints_free(m);
}

Test(debug, a_misuse_function_is_told_instead) {
    struct plain p = {0};
    struct mound_map_type t = plain_type(&p);
    struct mound_map *u = mound_map_make(&t, 0);
    plain_put(&t, u, 1, 1);
    mound_map_free(&t, u);
    cr_assert(plain_get(&t, u, 1) == NULL);
    expect_eq(p.nmisuses, 1);
    cr_assert_str_eq((char *)p.misuse, "use of a map after free");
    errno = 0;
    cr_assert(mound_map_put(&t, u, &(uint64_t){1}, NULL) == NULL);
    expect_eq(errno, EBUSY);
    expect_eq(p.nmisuses, 2);
}
