// cfi.c: cfi.c and the files that read tables for it, at every instruction of code
// that is hard to unwind, against libunwind, and with tables that are damaged.
#include "os/cfi_read.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "os/cfi_entry.h"
#include "os/cfi_expression.h"
#include "os/unwind.h"

#if defined(__x86_64__)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#if __has_attribute(noipa)
#define OPAQUE __attribute__((noipa))
#else
#define OPAQUE NOINLINE
#endif

// Every instruction.

enum { TRAP_FLAG = 1 << 8, REFERENCE_MAX = 200 };

static int (*reference)(void **pcs, int max); // libunwind's
static unsigned nsteps, nwrong, ndeepest;
static char first_wrong[256];

static void on_step(int signo) {
    void *right[REFERENCE_MAX];
    uintptr_t got[UNWIND_MAX];
    (void)signo;
    int nright = reference(right, REFERENCE_MAX);
    unsigned n = unwind_stack(got, UNWIND_MAX);
    int at = 0;
    // Both begin in this function, each behind its own call.
    while (at < nright && n > 1 && (uintptr_t)right[at] != got[1])
        at++;
    unsigned i = 1;
    for (; i < n && at < nright && (uintptr_t)right[at] == got[i]; at++)
        i++;
    nsteps++;
    ndeepest = n > ndeepest ? n : ndeepest;
    if (i == n && at == nright)
        return;
    if (nwrong++ == 0)
        snprintf(first_wrong, sizeof first_wrong,
                 "step %u, interrupted at %#lx: %u of %u addresses, %d of %d",
                 nsteps, n > 2 ? got[2] : 0, i, n, at, nright);
}

static void set_trap_flag(bool on) {
    __asm__ volatile("pushfq\n\t"
                     "andq %0, (%%rsp)\n\t"
                     "orq %1, (%%rsp)\n\t"
                     "popfq"
                     :
                     : "r"(~(uint64_t)TRAP_FLAG),
                       "r"(on ? (uint64_t)TRAP_FLAG : 0)
                     : "memory", "cc");
}

static OPAQUE void stepped(void (*f)(void)) {
    set_trap_flag(true);
    f();
    set_trap_flag(false);
}

static void compare_steps(void (*f)(void), unsigned nsteps_min) {
    void *libunwind = dlopen("libunwind.so.8", RTLD_NOW);
    if (libunwind == NULL)
        cr_skip_test("no libunwind here");
    *(void **)&reference = dlsym(libunwind, "unw_backtrace");
    void *pcs[2];
    reference(pcs, 2); // allocates
    signal(SIGTRAP, on_step);

    stepped(f);

    cr_assert(gt(uint, nsteps, nsteps_min));
    cr_assert(zero(uint, nwrong), "%u of %u: %s", nwrong, nsteps, first_wrong);
    cr_assert(gt(uint, ndeepest, 5));
}

static int by_value(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static void sort_and_print(void) {
    int numbers[] = {5, 1, 4, 2, 3};
    char text[100];
    qsort(numbers, 5, sizeof *numbers, by_value);
    snprintf(text, sizeof text, "%d %s %.3f", numbers[0], "text", 1.5);
}

Test(cfi, each_instruction_of_libc_is_unwound_as_by_libunwind,
     .disabled = SANITIZED) {
    compare_steps(sort_and_print, 1000);
}

// A function that aligns its stack finds its caller by a register that is saved.
static OPAQUE __attribute__((force_align_arg_pointer)) int
aligned(unsigned nbytes) {
    char *some = __builtin_alloca(nbytes);
    volatile char wide[64] __attribute__((aligned(64)));
    memset(some, 1, nbytes);
    wide[0] = some[nbytes / 2];
    return wide[0] + by_value(&(int){1}, &(int){2});
}

static OPAQUE void align_often(void) {
    for (unsigned i = 1; i < 20; i++)
        aligned(i * 33);
}

Test(cfi, so_is_code_that_aligns_its_stack, .disabled = SANITIZED) {
    compare_steps(align_often, 200);
}

// Through PLTs and the resolver of the dynamic linker, whose frames have tables
// with expressions and registers of their own. The library must not have resolvers
// of its own: the loader calls these before it knows the library.
static void call_lazily(void) {
    static const char *volatile number = "12";
    void *handle = dlopen("libanl.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (handle != NULL)
        dlclose(handle);
    setenv("MOUND_TESTS", number, 1);
    cr_assert(eq(int, atoi(number), 12));
    cr_assert(gt(int, getppid(), 0));
}

Test(cfi, so_is_the_dynamic_linker, .disabled = SANITIZED) {
    compare_steps(call_lazily, 1000);
}

// Damaged tables.

static uint64_t state;

static uint64_t random_word(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// An object that is a copy of libc up to the end of its tables, between pages that
// may not be touched.
static struct loaded copy_of_libc(void) {
    enum { PAGE = 4096 };
    struct loaded libc;
    cr_assert(loaded_find((uintptr_t)qsort, &libc));
    char name[512];
    snprintf(name, sizeof name, "%s", libc.name);
    size_t nbytes = libc.end - libc.start;
    char *p = mmap(NULL, nbytes + 2 * PAGE, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FILE *f = fopen(name, "rb");
    cr_assert(f != NULL && p != MAP_FAILED);
    mprotect(p + PAGE, nbytes, PROT_READ | PROT_WRITE);
    // Its tables are at the same place in the file as in memory.
    cr_assert(gt(sz, fread(p + PAGE, 1, nbytes, f), 0));
    fclose(f);
    uintptr_t start = (uintptr_t)p + PAGE;
    return (struct loaded){start, start + nbytes,
                           start + (libc.eh_frame_hdr - libc.start), "copy",
                           false};
}

static unsigned find_everywhere(const struct loaded *object) {
    struct stack_view view =
        stack_view_from((uintptr_t)__builtin_frame_address(0));
    struct cfi_registers r = {.known = ~(uint32_t)0};
    for (unsigned i = 0; i < CFI_REGISTERS; i++)
        r.value[i] = (uintptr_t)&view;
    unsigned n = 0;
    for (unsigned i = 0; i < 300; i++) {
        struct cfi_row row;
        uintptr_t table;
        uintptr_t value;
        uint32_t sum;
        uintptr_t pc =
            object->start + random_word() % (object->end - object->start);
        cfi_checksum(object, random_word() % (object->end - object->start),
                     &sum);
        cfi_evaluate(object, (int32_t)(pc - object->start), &r, &view, NULL,
                     &value);
        if (!cfi_find(object, pc, &row, &table))
            continue;
        n++;
        if (row.cfa_expression)
            cfi_evaluate(object, row.cfa_arg, &r, &view, NULL, &value);
    }
    return n;
}

Test(cfi, damaged_tables_never_lead_out_of_the_object) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    state = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10)
                           : (uint64_t)now.tv_nsec | 1;
    fprintf(stderr, "# SEED=%lu\n", (unsigned long)state);
    struct loaded object = copy_of_libc();
    unsigned char *tables = (unsigned char *)object.eh_frame_hdr;
    size_t ntables = object.end - object.eh_frame_hdr;
    ntables = ntables < 200000 ? ntables : 200000;
    cr_assert(gt(uint, find_everywhere(&object), 50));

    unsigned char *sound = malloc(ntables);
    memcpy(sound, tables, ntables);
    for (unsigned round = 0; round < 300; round++) {
        memcpy(tables, sound, ntables);
        for (unsigned i = 0; i < 2000; i++)
            tables[random_word() % ntables] = (unsigned char)random_word();
        if (round % 10 == 0) // its head
            tables[4 + random_word() % 8] = (unsigned char)random_word();
        find_everywhere(&object);
    }
    free(sound);
}

#else

Test(cfi, is_for_another_machine) {
    cr_skip_test("tables are read on x86-64 only");
}

#endif
