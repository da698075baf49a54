// test_misuse.c: every misuse of the heap is reported by one exact line and a
// stack, at the time each mode promises, and never hangs.
//
//   default     when the object goes back to its span, at the latest when the
//               thread or the process ends; what a cheap test sees, at the call
//   hardened    at the call, always
//   report      the line, and the program goes on
//   ignore      no line, and the program goes on
#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

enum { HANG_S = 10, PAGE_BYTES = 8192, SMALL = 512 };

// What a report may say about the span.
enum where { NO_SPAN, IN_CLASS, IN_LARGE, ANYWHERE };

// When the default mode sees the misuse.
enum when { AT_CALL, AT_END };

// struct expected says how one program is reported.
struct expected {
    const char *program;
    const char *arg;
    const char *call; // the entry point
    const char *what; // one or two texts, separated by '|'
    enum where where;
    enum when when;
    size_t elemsize; // of the class, when IN_CLASS
    size_t offset;   // of the pointer from its slot's start
};

static struct spawn_result run(const struct expected *e,
                               const char *const *env) {
    const char *argv[] = {spawn_probe(e->program), e->arg, NULL};
    struct spawn cmd = {
        .argv = argv, .env = env, .preload = spawn_lib(), .timeout_s = HANG_S};
    struct spawn_result r = spawn_run(&cmd);
    cr_assert(!r.timed_out, "%s hangs: %s", e->program, spawn_describe(&r));
    return r;
}

static bool is_one_of(const char *text, size_t len, const char *list) {
    for (const char *at = list; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == len && strncmp(at, text, len) == 0) {
            return true;
        }
    }
    return false;
}

// check_span compares what the line says about the span with the pointer.
static void check_span(const struct expected *e, const char *text,
                       uintptr_t pointer, const char *line) {
    unsigned long base = 0;
    unsigned long class = 0;
    unsigned long size = 0;
    unsigned long slot = 0;
    unsigned long offset = 0;
    int end = -1;
    enum where where = ANYWHERE;
    if (strcmp(text, "(no span)\n") == 0) {
        cr_assert(e->where == NO_SPAN || e->where == ANYWHERE, "%s", line);
        return;
    }
    if (sscanf(text,
               "(span 0x%lx, class %lu of %lu bytes, slot %lu, offset %lu)\n%n",
               &base, &class, &size, &slot, &offset, &end) == 5) {
        where = IN_CLASS;
        cr_assert(class >= 1 && class <= 67, "class %lu: %s", class, line);
    } else if (sscanf(text,
                      "(span 0x%lx, large of %lu bytes, slot %lu, offset "
                      "%lu)\n%n",
                      &base, &size, &slot, &offset, &end) == 4) {
        where = IN_LARGE;
        cr_assert(size % PAGE_BYTES == 0 && slot == 0, "%s", line);
    }
    cr_assert(end >= 0 && text[end] == '\0', "not the form of a report: %s",
              line);
    cr_assert(e->where == where || e->where == ANYWHERE, "%s", line);
    cr_assert(base % PAGE_BYTES == 0 && base + slot * size + offset == pointer,
              "span, slot and offset are not those of %#lx: %s",
              (unsigned long)pointer, line);
    if (e->where == IN_CLASS) {
        cr_assert(size == e->elemsize && offset == e->offset, "%s", line);
    }
}

// check_stack checks what follows the line: a stack, a frame a line; then commands and
// maybe a hint.
static void check_stack(const char *program, const char *text) {
    unsigned n = 0;
    for (; *text != '\0'; text = strchr(text, '\n') + 1, n++) {
        unsigned number;
        unsigned long pc;
        if (n > 0 && (strncmp(text, "    addr2line -", 15) == 0 ||
                      strncmp(text, "    a short stack: ", 19) == 0)) {
            n--;
            continue;
        }
        cr_assert(strchr(text, '\n') &&
                      sscanf(text, "    #%u 0x%lx", &number, &pc) == 2 &&
                      number == n,
                  "%s: not a frame of a stack: %s", program, text);
    }
    cr_assert(n > 0, "%s: no stack", program);
}

// check_line checks the line that a misuse is reported by, and cuts the stack off.
static void check_line(const struct expected *e, const char *call,
                       struct spawn_result *r) {
    const char *line = r->err;
    cr_assert(r->nerr > 0 && strchr(line, '\n'), "%s: no line: %s", e->program,
              spawn_describe(r));
    char *stack = strchr(r->err, '\n') + 1;
    check_stack(e->program, stack);
    *stack = '\0';
    unsigned long pointer = 0;
    const char *announced = strstr(r->out, "pointer ");
    cr_assert(announced && sscanf(announced, "pointer %lx", &pointer) == 1,
              "%s: %s", e->program, spawn_describe(r));

    char start[100];
    snprintf(start, sizeof start, "mound: %s(): ", call);
    cr_assert(strncmp(line, start, strlen(start)) == 0, "not by %s: %s", call,
              line);
    const char *what = line + strlen(start);
    const char *colon = strstr(what, ": 0x");
    cr_assert(colon && is_one_of(what, (size_t)(colon - what), e->what),
              "not '%s': %s", e->what, line);
    char *end;
    unsigned long said = strtoul(colon + 2, &end, 16);
    cr_assert(said == pointer && *end == ' ', "not about %#lx: %s", pointer,
              line);
    check_span(e, end + 1, pointer, line);
}

// check runs one program in every mode.
static void check(struct expected e) {
    static const char *const plain[] = {NULL};
    static const char *const hardened[] = {"MOUND_HARDENED=1", NULL};
    static const char *const report[] = {"MOUND_MISUSE=report", NULL};
    static const char *const both[] = {"MOUND_MISUSE=report",
                                       "MOUND_HARDENED=1", NULL};
    static const char *const ignore[] = {"MOUND_MISUSE=ignore", NULL};
    static const char *const ignore_hardened[] = {"MOUND_MISUSE=ignore",
                                                  "MOUND_HARDENED=1", NULL};

    struct spawn_result r = run(&e, plain);
    cr_assert(spawn_signalled(&r, SIGABRT), "default: %s %s", e.program,
              spawn_describe(&r));
    check_line(&e, e.call, &r);
    cr_assert(e.when == AT_END || !strstr(r.out, "after"),
              "default: %s was not stopped at the call", e.program);
    spawn_free(&r);

    r = run(&e, hardened);
    cr_assert(spawn_signalled(&r, SIGABRT), "hardened: %s %s", e.program,
              spawn_describe(&r));
    check_line(&e, e.call, &r);
    cr_assert(!strstr(r.out, "after"),
              "hardened: %s was not stopped at the call", e.program);
    spawn_free(&r);

    r = run(&e, report);
    cr_assert(spawn_exited(&r, 0) && strstr(r.out, "after"), "report: %s %s",
              e.program, spawn_describe(&r));
    check_line(&e, e.call, &r);
    spawn_free(&r);

    r = run(&e, both);
    cr_assert(spawn_exited(&r, 0) && strstr(r.out, "after"),
              "hardened, report: %s %s", e.program, spawn_describe(&r));
    check_line(&e, e.call, &r);
    spawn_free(&r);

    const char *const *silent[] = {ignore, ignore_hardened};
    for (int i = 0; i < 2; i++) {
        r = run(&e, silent[i]);
        cr_assert(spawn_exited(&r, 0) && r.nerr == 0, "ignore: %s %s",
                  e.program, spawn_describe(&r));
        spawn_free(&r);
    }
}

#define DOUBLE "double free or never allocated"
#define INTERIOR "interior pointer"
#define FREED "already freed"
#define FOREIGN "not allocated by mound"

Test(misuse, double_free) {
    check((struct expected){"double_free", .call = "free", .what = DOUBLE,
                            .where = IN_CLASS, .when = AT_CALL,
                            .elemsize = SMALL});
}

Test(misuse, double_free_with_other_frees_between) {
    check((struct expected){"double_free_later", .call = "free", .what = DOUBLE,
                            .where = IN_CLASS, .when = AT_END,
                            .elemsize = SMALL});
}

Test(misuse, double_free_of_a_large_object) {
    check((struct expected){"double_free_large", .call = "free", .what = FREED,
                            .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, double_free_of_a_large_object_whose_pages_serve_again) {
    check((struct expected){"double_free_large_reused", .call = "free",
                            .what = FREED, .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, double_free_across_threads) {
    check((struct expected){"double_free_across", .call = "free",
                            .what = DOUBLE, .where = IN_CLASS, .when = AT_END,
                            .elemsize = SMALL});
}

Test(misuse, interior_pointer_of_a_small_object) {
    check((struct expected){"interior_small", .call = "free", .what = INTERIOR,
                            .where = IN_CLASS, .when = AT_END,
                            .elemsize = SMALL, .offset = 16});
}

Test(misuse, interior_pointer_of_a_large_object) {
    check((struct expected){"interior_large", .call = "free", .what = INTERIOR,
                            .where = IN_LARGE, .when = AT_CALL});
}

Test(misuse, misaligned_pointer) {
    check((struct expected){"misaligned", .call = "free", .what = INTERIOR,
                            .where = IN_CLASS, .when = AT_END,
                            .elemsize = SMALL, .offset = 1});
}

Test(misuse, place_that_was_never_allocated) {
    check((struct expected){"never_allocated", .call = "free", .what = DOUBLE,
                            .where = IN_CLASS, .when = AT_END,
                            .elemsize = SMALL});
}

Test(misuse, object_of_a_freed_span) {
    check((struct expected){"freed_span", .call = "free",
                            .what = FREED "|" DOUBLE, .where = ANYWHERE,
                            .when = AT_END});
}

Test(misuse, pointer_into_a_freed_large_object) {
    check((struct expected){"freed_large_inside", .call = "free", .what = FREED,
                            .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, variable_on_the_stack) {
    check((struct expected){"stack", .call = "free", .what = FOREIGN,
                            .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, static_variable) {
    check((struct expected){"static", .call = "free", .what = FOREIGN,
                            .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, memory_mapped_by_the_program) {
    check((struct expected){"foreign", .call = "free", .what = FOREIGN,
                            .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, numbers_that_are_no_addresses) {
    static const char *const numbers[] = {
        "1",
        "7",
        "0x10",
        "0xff8",
        "0x1000",
        "0xc000000000",
        "0x7ffffffffff0",
        "0x800000000000",
        "0x1000000000000",
        "0x100000000000000",
        "0x7fffffffffffffff",
        "0x8000000000000010",
        "0xdeadbeefdeadbeef",
        "0xfffffffffffffff0",
        "0xffffffffffffffff",
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        check((struct expected){"wild", numbers[i], .call = "free",
                                .what = FOREIGN, .where = NO_SPAN,
                                .when = AT_CALL});
    }
}

Test(misuse, realloc_of_a_freed_object) {
    check((struct expected){"realloc_freed", .call = "realloc", .what = DOUBLE,
                            .where = IN_CLASS, .when = AT_CALL,
                            .elemsize = SMALL});
}

Test(misuse, realloc_of_a_freed_large_object) {
    check((struct expected){"realloc_freed_large", .call = "realloc",
                            .what = FREED, .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, realloc_of_no_object) {
    check((struct expected){"realloc_wild", .call = "realloc", .what = FOREIGN,
                            .where = NO_SPAN, .when = AT_CALL});
}

Test(misuse, usable_size_of_no_object) {
    check((struct expected){"usable_wild", .call = "malloc_usable_size",
                            .what = FOREIGN, .where = NO_SPAN,
                            .when = AT_CALL});
}

Test(misuse, wrong_size_in_free_sized) {
    check((struct expected){"sized_wrong", .call = "free_sized",
                            .what = "size mismatch (given 1536)",
                            .where = IN_CLASS, .when = AT_CALL,
                            .elemsize = SMALL});
}

Test(misuse, small_size_of_a_large_object_in_free_sized) {
    check((struct expected){"sized_wrong_large", .call = "free_sized",
                            .what = "size mismatch (given 512)",
                            .where = IN_LARGE, .when = AT_CALL});
}

Test(misuse, wrong_size_in_free_aligned_sized) {
    check((struct expected){"aligned_sized_wrong", .call = "free_aligned_sized",
                            .what = "size mismatch (given 2048)",
                            .where = IN_CLASS, .when = AT_CALL,
                            .elemsize = SMALL});
}

static unsigned count_lines(const char *text, const char *start) {
    unsigned n = 0;
    for (const char *at = text; at && *at; at = strchr(at, '\n')) {
        at += *at == '\n';
        n += strncmp(at, start, strlen(start)) == 0;
    }
    return n;
}

Test(misuse, hardened_mode_sees_all_of_every_class) {
    const struct expected e = {.program = "every_class"};
    static const char *const env[] = {"MOUND_MISUSE=report", "MOUND_HARDENED=1",
                                      NULL};

    struct spawn_result r = run(&e, env);

    cr_assert(spawn_exited(&r, 0), "%s", spawn_describe(&r));
    unsigned wanted = 0;
    cr_assert(sscanf(r.out, "misuses %u", &wanted) == 1 && wanted > 100, "%s",
              r.out);
    unsigned seen = count_lines(r.err, "mound: free(): ");
    cr_assert(seen == wanted, "%u misuses, %u reports", wanted, seen);
    spawn_free(&r);
}

Test(misuse, default_mode_survives_all_of_every_class) {
    const struct expected e = {.program = "every_class"};
    static const char *const report[] = {"MOUND_MISUSE=report", NULL};
    static const char *const ignore[] = {"MOUND_MISUSE=ignore", NULL};

    struct spawn_result loud = run(&e, report);
    struct spawn_result silent = run(&e, ignore);

    cr_assert(spawn_exited(&loud, 0), "%s", spawn_describe(&loud));
    cr_assert(count_lines(loud.err, "mound: free(): ") > 100, "%s",
              spawn_describe(&loud));
    cr_assert(spawn_exited(&silent, 0) && silent.nerr == 0, "%s",
              spawn_describe(&silent));
    spawn_free(&loud);
    spawn_free(&silent);
}

Test(misuse, again_in_the_handler_of_sigabrt_ends_the_program) {
    const struct expected e = {.program = "handler"};

    struct spawn_result r = run(&e, NULL);

    cr_assert(spawn_signalled(&r, SIGABRT) || spawn_exited(&r, 3), "%s",
              spawn_describe(&r));
    unsigned nreports = count_lines(r.err, "mound: free(): ");
    cr_assert(nreports >= 1 && nreports <= 2, "%s", spawn_describe(&r));
    cr_assert(!strstr(r.out, "after"), "%s", r.out);
    spawn_free(&r);
}

Test(misuse, is_reported_while_all_locks_are_busy) {
    static const char *const hardened[] = {"MOUND_HARDENED=1", NULL};
    const struct expected e = {"busy", .call = "free", .what = INTERIOR,
                               .where = IN_LARGE};

    struct spawn_result r = run(&e, NULL);
    struct spawn_result h = run(&e, hardened);

    cr_assert(spawn_signalled(&r, SIGABRT), "%s", spawn_describe(&r));
    check_line(&e, "free", &r);
    cr_assert(spawn_signalled(&h, SIGABRT), "%s", spawn_describe(&h));
    check_line(&e, "free", &h);
    spawn_free(&r);
    spawn_free(&h);
}
