// misuse2: misuses the heap once, in the way that its arguments say, for the
// runners of MOUND_HARDENED=2 and MOUND_GUARD to watch.
//
//   misuse2 MISUSE HOW [NUMBER]...
//
// HOW says how the object is made: malloc, calloc, grown and shrunk (by
// realloc), aligned16, aligned64, aligned4096, valloc; with "/left" or "/right" it is
// allocated until it lies at that end of a page of the system. The program writes
// "pointer 0x..." before the misuse, "after" after it, and ends normally unless it is
// stopped. Reports name the functions that allocate, write, free and so on, so each is a
// frame of its own.
// Some arguments are no misuse: those check themselves, like probes.
#include "expect.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/resource.h>

#define FRAME __attribute__((noinline, noclone, no_icf))
// What follows a call keeps it from being a jump, which leaves no frame.
#define KEEP_FRAME __asm__ volatile("" ::: "memory")

enum { PAGE_BYTES = 4096, TRIES = 200, CHURN = 3000, CHURN_BYTES = 48 };

static void (*free_sized_fn)(void *, size_t);
static void (*free_aligned_sized_fn)(void *, size_t, size_t);

// numbers[0] is the size; what the others mean depends on the misuse.
static size_t numbers[4];

static void tell(const char *text) {
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

static void tell_pointer(const char *what, void *p) {
    char line[64];
    snprintf(line, sizeof line, "%s %#lx\n", what, (unsigned long)(uintptr_t)p);
    tell(line);
}

// hidden returns p without the compiler knowing its value.
static void *hidden(void *p) {
    __asm__ volatile("" : "+r"(p));
    return p;
}

// Frames that reports name.

FRAME static void *allocate(const char *how, size_t size) {
    void *p = NULL;
    size_t align = 0;
    if (strncmp(how, "malloc", 6) == 0)
        p = malloc(size);
    else if (strncmp(how, "calloc", 6) == 0)
        p = calloc(1, size);
    else if (strncmp(how, "grown", 5) == 0)
        p = realloc(malloc(size / 3), size);
    else if (strncmp(how, "shrunk", 6) == 0)
        p = realloc(malloc(size + size / 3 + 1), size);
    else if (strncmp(how, "valloc", 6) == 0)
        p = valloc(size);
    else if (sscanf(how, "aligned%zu", &align) != 1 ||
             posix_memalign(&p, align, size) != 0)
        fail_at(__LINE__, "no way to allocate: %s", how);
    expect(p, "%s: no memory", how);
    KEEP_FRAME;
    return p;
}

FRAME static void release(void *p) {
    free(p);
    KEEP_FRAME;
}

FRAME static void release_again(void *p) {
    free(p);
    KEEP_FRAME;
}

FRAME static void write_byte(char *p, size_t offset, size_t value) {
    *(volatile char *)(p + offset) = (char)value;
    KEEP_FRAME;
}

FRAME static char read_byte(char *p, size_t offset) {
    char c = *(volatile char *)(p + offset);
    KEEP_FRAME;
    return c;
}

// get returns an object as HOW says, filled.
static char *get(const char *how, size_t size) {
    static void *kept[TRIES];
    const char *side = strchr(how, '/');
    char *p = NULL;
    int nkept = 0;
    for (int i = 0; i < TRIES && p == NULL; i++) {
        char *one = allocate(how, size);
        bool left = (uintptr_t)one % PAGE_BYTES == 0;
        bool right = ((uintptr_t)one + size + 15) / 16 * 16 % PAGE_BYTES == 0;
        if (side == NULL ||
            (strcmp(side, "/left") == 0 ? left && !right : right && !left))
            p = one;
        else
            kept[nkept++] = one;
        // Half of them are live at a time, so that all slots are used.
        if (nkept == TRIES / 4)
            while (nkept > 0)
                free(kept[--nkept]);
    }
    expect(p, "none at the %s", side + 1);
    while (nkept > 0)
        free(kept[--nkept]);
    memset(p, 1, size);
    tell_pointer("pointer", p);
    return hidden(p);
}

// churn frees so many objects that all quarantined ones leave.
FRAME static void churn(void) {
    static void *some[CHURN];
    for (int i = 0; i < CHURN; i++)
        some[i] = malloc(CHURN_BYTES);
    for (int i = 0; i < CHURN; i++)
        free(some[i]);
}

// Misuses: numbers are SIZE, OFFSET, VALUE, COUNT.

static void overwrite(char *p) {
    size_t count = numbers[3] > 0 ? numbers[3] : 1;
    for (size_t i = 0; i < count; i++)
        write_byte(p, numbers[1] + i, numbers[2]);
}

static void write_free(const char *how) {
    char *p = get(how, numbers[0]);
    overwrite(p);
    release(p);
}

static void write_realloc(const char *how) {
    char *p = get(how, numbers[0]);
    overwrite(p);
    p = realloc(p, numbers[0] * 2);
    KEEP_FRAME;
    expect(p && p[0] == 1 && p[numbers[0] - 1] == 1, "realloc lost data");
    memset(p, 2, numbers[0] * 2);
    free(p);
}

static void write_usable(const char *how) {
    char *p = get(how, numbers[0]);
    overwrite(p);
    size_t n = malloc_usable_size(p);
    KEEP_FRAME;
    expect(n == 0 || n == numbers[0], "malloc_usable_size says %zu", n);
}

static void write_free_sized(const char *how) {
    char *p = get(how, numbers[0]);
    overwrite(p);
    free_sized_fn(p, numbers[0]);
    KEEP_FRAME;
}

// Written, and the object lives on.
static void write_keep(const char *how) {
    char *p = get(how, numbers[0]);
    overwrite(p);
    tell("after\n");
    exit(0);
}

static void read_only(const char *how) {
    char *p = get(how, numbers[0]);
    read_byte(p, numbers[1]);
}

static void touch_none(const char *how) {
    char *p = allocate(how, 0);
    tell_pointer("pointer", p);
    read_byte(hidden(p), 0);
}

static void free_write(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    overwrite(p);
}

static void free_write_churn(const char *how) {
    free_write(how);
    churn();
    tell("churned\n");
}

static void free_read(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    // Some bytes are what they were by chance, but no eight in a row.
    size_t nsame = 0;
    for (size_t i = 0; i < numbers[0]; i++) {
        nsame = read_byte(p, i) == 1 ? nsame + 1 : 0;
        expect(nsame < 8, "the bytes up to %zu are what they were", i);
    }
}

static void double_free(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    release_again(p);
}

static void double_free_churn(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    churn();
    release_again(p);
}

static void *release_in_thread(void *p) {
    release(p);
    return NULL;
}

static void double_free_thread(const char *how) {
    char *p = get(how, numbers[0]);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, release_in_thread, p) == 0, "thread");
    pthread_join(thread, NULL);
    release_again(p);
}

static void realloc_freed(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    p = realloc(p, numbers[0] * 2);
    KEEP_FRAME;
}

static void usable_freed(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    size_t n = malloc_usable_size(p);
    KEEP_FRAME;
    expect(n == 0, "a freed object has %zu bytes", n);
}

static void interior(const char *how) {
    char *p = get(how, numbers[0]);
    tell_pointer("misused", p + numbers[1]);
    release(p + numbers[1]);
}

static void interior_freed(const char *how) {
    char *p = get(how, numbers[0]);
    release(p);
    tell_pointer("misused", p + numbers[1]);
    release_again(p + numbers[1]);
}

static void sized(const char *how) {
    char *p = get(how, numbers[0]);
    free_sized_fn(p, numbers[1]);
    KEEP_FRAME;
}

static void aligned_sized(const char *how) {
    char *p = get(how, numbers[0]);
    free_aligned_sized_fn(p, 64, numbers[1]);
    KEEP_FRAME;
}

// After realloc, the old place is written to.
static void realloc_write_old(const char *how) {
    char *p = get(how, numbers[0]);
    void *behind =
        hidden(malloc(numbers[0])); // or a large one would grow there
    char *q = realloc(p, numbers[0] * 3);
    expect(q && q != p, "realloc did not move");
    write_byte(p, numbers[1], numbers[2]);
    tell("after\n");
    free(q);
    free(behind);
}

// Faults.

static volatile uintptr_t expected_fault;

static void on_fault(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    tell(at == expected_fault ? "handled\n" : "another address\n");
    _exit(3);
}

// The third number says whether malloc was called before.
static void own_handler(const char *how) {
    if (numbers[2] > 0)
        free(malloc(numbers[0]));
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    char *p = get(how, numbers[0]);
    expected_fault = (uintptr_t)p + numbers[1];
    write_byte(p, numbers[1], 1);
}

// A handler that does nothing, so that the fault comes again. It is there before
// the first malloc.
static volatile sig_atomic_t nfaults;

static void on_fault_doing_nothing(int signo) {
    enum { FAULTS = 5 };
    (void)signo;
    if (++nfaults == FAULTS) {
        tell("often\n");
        _exit(3);
    }
}

static void idle_handler(const char *how) {
    signal(SIGSEGV, on_fault_doing_nothing);
    char *p = get(how, numbers[0]);
    write_byte(p, numbers[1], 1);
}

// A handler that jumps out: each of two objects, then one after its free.
static sigjmp_buf out_of_fault;

static void on_fault_jumping_out(int signo) {
    siglongjmp(out_of_fault, signo);
}

static void try_to_write(char *p) {
    if (sigsetjmp(out_of_fault, 1) == 0)
        write_byte(p, numbers[1], 1);
    else
        tell("jumped\n");
}

static void jumping_handler(const char *how) {
    signal(SIGSEGV, on_fault_jumping_out);
    char *p = get(how, numbers[0]);
    char *q = get(how, numbers[0]);
    try_to_write(p);
    try_to_write(q);
    try_to_write(q);
    release(q);
    try_to_write(q);
    free(p);
}

// A handler that passes on to the one that was there.
static struct sigaction handler_before;

static void on_fault_passing_on(int signo, siginfo_t *info, void *context) {
    tell("passed on\n");
    if (handler_before.sa_flags & SA_SIGINFO)
        handler_before.sa_sigaction(signo, info, context);
    else
        signal(signo, SIG_DFL);
}

static void chained_handler(const char *how) {
    if (numbers[2] > 0)
        free(malloc(numbers[0]));
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_fault_passing_on;
    sigaction(SIGSEGV, &action, &handler_before);
    char *p = get(how, numbers[0]);
    write_byte(p, numbers[1], 1);
}

static void *fault_here(void *p) {
    write_byte(p, numbers[1], 1);
    return NULL;
}

// On a thread with a small stack, by a signal stack of the usual size.
static void fault_in_thread(const char *how) {
    enum { STACK_BYTES = 32 << 10 };
    char *p = get(how, numbers[0]);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_t thread;
    expect(pthread_create(&thread, &attr, fault_here, p) == 0, "thread");
    pthread_join(thread, NULL);
}

static void fault_on_signal_stack(const char *how) {
    enum { STACK_BYTES = 16 << 10 };
    static char stack[STACK_BYTES];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternative, NULL);
    char *p = get(how, numbers[0]);
    write_byte(p, numbers[1], 1);
}

// Two threads fault at once: the report of one is whole.
static pthread_barrier_t barrier;

static void *fault_together(void *p) {
    pthread_barrier_wait(&barrier);
    write_byte(p, numbers[1], 1);
    return NULL;
}

static void faults_at_once(const char *how) {
    enum { NTHREADS = 4 };
    pthread_t threads[NTHREADS];
    pthread_barrier_init(&barrier, NULL, NTHREADS);
    for (int i = 0; i < NTHREADS; i++)
        expect(pthread_create(&threads[i], NULL, fault_together,
                              get(how, numbers[0])) == 0,
               "thread");
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);
}

static void fault_in_child(const char *how) {
    char *p = get(how, numbers[0]);
    pid_t pid = fork();
    if (pid == 0) {
        write_byte(p, numbers[1], 1);
        _exit(0);
    }
    int status = 0;
    expect(waitpid(pid, &status, 0) == pid, "waitpid");
    expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x",
           (unsigned)status);
    free(p);
}

// A null pointer is not mound's.
static void fault_elsewhere(const char *how) {
    (void)how;
    write_byte(hidden(NULL), 16, 1);
}

// No misuse: these check themselves.

enum { SIZE_LIMIT = 300000 };

static size_t next_size(size_t size) {
    return size + (size < 70 ? 1 : size / 7 + size % 5);
}

// The number limits the sizes.
static void usable_exact(const char *how) {
    for (size_t size = 1; size < numbers[0]; size = next_size(size)) {
        void *p = allocate(how, size);
        size_t n = malloc_usable_size(p);
        expect(n == size, "%s of %zu bytes: %zu usable", how, size, n);
        memset(p, 1, n);
        free(p);
    }
}

static void sized_right(const char *how) {
    size_t align = 0;
    bool aligned = sscanf(how, "aligned%zu", &align) == 1;
    for (size_t size = 1; size < numbers[0]; size = next_size(size)) {
        void *p = allocate(how, size);
        memset(p, 1, size);
        if (aligned)
            free_aligned_sized_fn(p, align, size);
        else
            free_sized_fn(p, size);
    }
    free_sized_fn(NULL, 0);
    free_aligned_sized_fn(NULL, 64, 0);
}

// Objects of no bytes are objects.
static void no_bytes(const char *how) {
    enum { NOBJECTS = 100 };
    char *objects[NOBJECTS];
    (void)how;
    for (int i = 0; i < NOBJECTS; i++) {
        objects[i] = i % 3 == 0   ? malloc(0)
                     : i % 3 == 1 ? calloc(0, 8)
                                  : memalign(64, 0);
        expect(objects[i], "NULL");
        for (int j = 0; j < i; j++)
            expect(objects[i] != objects[j], "the same object twice");
        expect(malloc_usable_size(objects[i]) <= 16, "usable");
    }
    for (int i = 0; i < NOBJECTS; i++) {
        if (i % 4 == 0) {
            objects[i] = realloc(objects[i], 50);
            expect(objects[i], "realloc");
            memset(objects[i], 1, 50);
        }
        if (i % 4 == 1)
            free_sized_fn(objects[i], 0);
        else
            free(objects[i]);
    }
    expect(realloc(malloc(0), 0) == NULL, "realloc to no bytes");
    expect(realloc(malloc(10), 0) == NULL, "realloc to no bytes");
}

// Allocated memory is zero whatever it held before; and freed memory does not keep its
// contents.
static void new_is_zero(const char *how) {
    enum { MANY = 3000, BYTES = 1 << 20, WAITS_BYTES = 30000, STALE = 0x77 };
    (void)how;
    for (size_t size = 1; size < WAITS_BYTES; size = next_size(size)) {
        for (size_t i = 0; i < MANY && i * size < 3 * BYTES; i++) {
            char *p = allocate("malloc", size);
            expect(all_zero(p, size), "%zu bytes are not zero", size);
            memset(p, STALE, size);
            free(p);
            p = hidden(p);
            size_t nstale = 0;
            for (size_t j = 0; j < size; j++)
                nstale += p[j] == STALE;
            expect(nstale <= size / 16 + 4, "%zu of %zu bytes are old", nstale,
                   size);
        }
    }
}

static void realloc_keeps(const char *how) {
    enum { STEPS = 5000 };
    uint64_t state = numbers[0] + 1;
    char *p = NULL;
    size_t size = 0;
    (void)how;
    for (uint64_t i = 0; i < STEPS; i++) {
        uint64_t r = probe_random(&state);
        size_t next = r % 8 == 0   ? 1 + r / 8 % 200000
                      : r % 8 == 1 ? size + r / 8 % 9 + 1
                      : r % 8 == 2 ? size - size / 4
                                   : 1 + r / 8 % 3000;
        if (next == 0)
            next = 1;
        char *q = realloc(p, next);
        expect(q, "realloc to %zu", next);
        if (p)
            expect(intact_part(q, size < next ? size : next, size, i - 1),
                   "from %zu to %zu: data lost", size, next);
        fill(q, next, i);
        p = q;
        size = next;
    }
    free(p);
}

// calloc is zero though its memory was used before.
static void calloc_zero(const char *how) {
    enum { ROUNDS = 8 };
    (void)how;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t size = 1; size < SIZE_LIMIT; size = next_size(size)) {
            char *p = calloc(1, size);
            expect(p && all_zero(p, size), "calloc(%zu) is not zero", size);
            memset(p, 0xff, size);
            free(p);
        }
}

// Threads give objects to each other.
enum { NMAILBOXES = 64, NTHREADS = 4, EXCHANGES = 20000 };
static _Atomic(char *) mailboxes[NMAILBOXES];
// What is in a mailbox begins with its size and its tag.
struct letter {
    size_t size;
    uint64_t tag;
};

static void *exchange(void *arg) {
    uint64_t state = (uint64_t)(uintptr_t)arg;
    size_t count = numbers[0] > 0 ? numbers[0] : EXCHANGES;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t r = probe_random(&state);
        size_t size =
            sizeof(struct letter) + r / 64 % (r % 50 == 0 ? 90000 : 900);
        struct letter *p = r % 3 == 0 ? calloc(1, size) : malloc(size);
        expect(p, "no memory");
        *p = (struct letter){size, r};
        fill(p + 1, size - sizeof *p, r);
        struct letter *old = (struct letter *)atomic_exchange(
            &mailboxes[r % NMAILBOXES], (char *)p);
        if (old == NULL)
            continue;
        expect(intact(old + 1, old->size - sizeof *old, old->tag),
               "a letter of %zu bytes changed", old->size);
        free(old);
    }
    return NULL;
}

static void threads(const char *how) {
    pthread_t t[NTHREADS];
    (void)how;
    for (uintptr_t i = 0; i < NTHREADS; i++)
        expect(pthread_create(&t[i], NULL, exchange, (void *)(i + 1)) == 0,
               "thread");
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < NMAILBOXES; i++)
        free(mailboxes[i]);
    probe_sound();
}

// Children free what the parent has, and their own, while objects wait.
static void child_works(char *const *kept, size_t nkept) {
    probe_child_starts();
    for (size_t i = 0; i < nkept; i++) {
        expect(intact(kept[i], 100 + i, i), "an object changed in the child");
        free(kept[i]);
    }
    churn();
    probe_workout();
    probe_sound();
}

// The numbers: how often the threads of "busy" exchange, and forks.
static void forks(const char *how) {
    enum { NKEPT = 50, NFORKS = 40 };
    size_t nforks = numbers[1] > 0 ? numbers[1] : NFORKS;
    char *kept[NKEPT];
    bool bare = strcmp(how, "bare") == 0;
    bool busy = strcmp(how, "busy") == 0;
    pthread_t t[NTHREADS];
    for (size_t i = 0; i < NKEPT; i++) {
        kept[i] = malloc(100 + i);
        fill(kept[i], 100 + i, i);
    }
    churn(); // the quarantine is full now
    for (uintptr_t i = 0; busy && i < NTHREADS; i++)
        expect(pthread_create(&t[i], NULL, exchange, (void *)(i + 1)) == 0,
               "thread");
    for (size_t i = 0; i < nforks; i++) {
        pid_t pid = bare ? _Fork() : fork();
        if (pid == 0) {
            child_works(kept, NKEPT);
            // exit, so that live and quarantined objects are checked; not with threads
            // that are gone.
            if (bare || busy)
                _exit(0);
            exit(0);
        }
        probe_child_passed(pid, how);
    }
    for (uintptr_t i = 0; busy && i < NTHREADS; i++)
        pthread_join(t[i], NULL);
    child_works(kept, NKEPT);
    alarm(0);
}

// Under a limit malloc returns NULL, and works again after frees.
static void memory_ends(const char *how) {
    enum { NOBJECTS = 1 << 20 };
    static void *objects[NOBJECTS];
    volatile size_t everything = SIZE_MAX;
    (void)how;
    for (int round = 0; round < 3; round++) {
        size_t n = 0;
        errno = 0;
        while (n < NOBJECTS && (objects[n] = malloc(numbers[0])) != NULL)
            n++;
        expect(n > 0 && n < NOBJECTS && errno == ENOMEM, "%zu objects, %s", n,
               strerror(errno));
        expect(realloc(objects[0], (size_t)1 << 40) == NULL && errno == ENOMEM,
               "realloc to 1 TiB");
        expect(calloc(everything, 2) == NULL &&
                   calloc((size_t)1 << 20, (size_t)1 << 20) == NULL,
               "calloc of 1 TiB");
        expect(memalign(1 << 20, (size_t)1 << 40) == NULL &&
                   memalign(64, everything - 7) == NULL,
               "memalign");
        expect(malloc(everything) == NULL && malloc(everything - 7) == NULL &&
                   malloc(everything / 2) == NULL &&
                   malloc(everything / 2 - 3) == NULL,
               "malloc of everything");
        for (size_t i = 0; i < n; i++)
            free(objects[i]);
        probe_workout();
    }
    probe_sound();
}

// The same number of objects, so often that a loss would be noticed.
static void nothing_is_lost(const char *how) {
    enum { ROUNDS = 2000 };
    (void)how;
    size_t before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        void *objects[20];
        for (size_t j = 0; j < 20; j++)
            objects[j] = memset(malloc(1000 * j + 1), 1, 1000 * j + 1);
        for (size_t j = 0; j < 20; j++)
            free(objects[j]);
        if (i == ROUNDS / 10)
            before = probe_rss();
    }
    expect(probe_rss() < before + 4 * MIB, "%zu KiB, before %zu",
           probe_rss() / KIB, before / KIB);
}

// Quarantined objects keep their pages: frees do not cause a page fault each.
static void keeps_pages(const char *how) {
    enum { WARM_UP = 100, ROUNDS = 1000 };
    struct rusage before;
    struct rusage after;
    (void)how;
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP)
            getrusage(RUSAGE_SELF, &before);
        char *p = malloc(numbers[0]);
        free(memset(p, 1, numbers[0]));
    }
    getrusage(RUSAGE_SELF, &after);
    expect(after.ru_minflt - before.ru_minflt < ROUNDS,
           "%ld faults for %d objects", after.ru_minflt - before.ru_minflt,
           ROUNDS);
}

// Freeing a block that was never touched does not touch it.
static void sparse(const char *how) {
    (void)how;
    char *p = malloc(numbers[0]);
    expect(p, "no memory");
    p[0] = p[numbers[0] - 1] = 1;
    free(p);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    expect((size_t)usage.ru_maxrss * KIB < 64 * MIB,
           "to malloc and free %zu MiB took %ld MiB of memory",
           numbers[0] / MIB, usage.ru_maxrss / KIB);
}

// Signal handlers free small objects while the program is in a slow path.
static char *volatile small_ones[64];
static volatile sig_atomic_t nsignals;

static void free_small_ones(int signo) {
    (void)signo;
    for (int i = 0; i < 64; i++) {
        char *p = small_ones[i];
        small_ones[i] = NULL;
        if (p)
            memset(p, 1, (size_t)i / 4 + 1);
        free(p);
    }
    nsignals++;
    ualarm(200, 0);
}

static void handler_frees(const char *how) {
    enum { NSIGNALS = 100, LARGE_BYTES = 40000 };
    (void)how;
    signal(SIGALRM, free_small_ones);
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    ualarm(200, 0);
    while (nsignals < NSIGNALS) {
        sigprocmask(SIG_BLOCK, &alarms, NULL);
        for (int i = 0; i < 64; i++)
            if (small_ones[i] == NULL)
                small_ones[i] = malloc((size_t)i / 4 + 1);
        sigprocmask(SIG_UNBLOCK, &alarms, NULL);
        for (int i = 0; i < 20; i++)
            free(calloc(1, LARGE_BYTES));
    }
    sigprocmask(SIG_BLOCK, &alarms, NULL);
    probe_sound();
}

// All bytes that malloc_usable_size returns in a handler are usable.
static char *volatile shared;
static volatile size_t shared_usable;

static void use_shared(int signo) {
    (void)signo;
    char *p = shared;
    if (p) {
        size_t n = malloc_usable_size(p);
        if (n > shared_usable)
            shared_usable = n;
    }
    nsignals++;
    ualarm(200, 0);
}

static void usable_in_handler(const char *how) {
    enum { NSIGNALS = 500, LARGE_BYTES = 40000, SHARED_BYTES = 21 };
    (void)how;
    signal(SIGALRM, use_shared);
    shared = malloc(SHARED_BYTES);
    ualarm(200, 0);
    while (nsignals < NSIGNALS)
        free(calloc(1, LARGE_BYTES));
    signal(SIGALRM, SIG_IGN);
    expect(shared_usable == SHARED_BYTES, "%zu bytes usable in a handler",
           shared_usable);
    free(shared);
}

// More live objects than the pool has guarded slots.
static void many_live(const char *how) {
    enum { NOBJECTS = 300, ROUNDS = 5 };
    char *objects[NOBJECTS];
    (void)how;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < NOBJECTS; i++) {
            objects[i] = malloc(i * 7 + 1);
            expect(objects[i], "no memory");
            fill(objects[i], i * 7 + 1, i);
        }
        for (size_t i = 0; i < NOBJECTS; i++) {
            expect(malloc_usable_size(objects[i]) >= i * 7 + 1, "usable");
            expect(intact(objects[i], i * 7 + 1, i), "object %zu changed", i);
            free(objects[i]);
        }
    }
    probe_sound();
}

// As many objects as the first number says stay live, for the figures at the end.
static void leave_some(const char *how) {
    for (size_t i = 0; i < 2 * numbers[0]; i++) {
        char *p = allocate(how, 100);
        if (i % 2 == 0)
            free(p);
    }
}

static const struct {
    const char *name;
    void (*run)(const char *how);
} actions[] = {
    {"write_free", write_free},
    {"write_realloc", write_realloc},
    {"write_usable", write_usable},
    {"write_free_sized", write_free_sized},
    {"write_keep", write_keep},
    {"read", read_only},
    {"touch_none", touch_none},
    {"free_write", free_write},
    {"free_write_churn", free_write_churn},
    {"free_read", free_read},
    {"double_free", double_free},
    {"double_free_churn", double_free_churn},
    {"double_free_thread", double_free_thread},
    {"realloc_freed", realloc_freed},
    {"realloc_write_old", realloc_write_old},
    {"usable_freed", usable_freed},
    {"interior", interior},
    {"interior_freed", interior_freed},
    {"sized", sized},
    {"aligned_sized", aligned_sized},
    {"own_handler", own_handler},
    {"idle_handler", idle_handler},
    {"jumping_handler", jumping_handler},
    {"chained_handler", chained_handler},
    {"fault_in_thread", fault_in_thread},
    {"fault_on_signal_stack", fault_on_signal_stack},
    {"faults_at_once", faults_at_once},
    {"fault_in_child", fault_in_child},
    {"fault_elsewhere", fault_elsewhere},
    {"usable_exact", usable_exact},
    {"sized_right", sized_right},
    {"no_bytes", no_bytes},
    {"new_is_zero", new_is_zero},
    {"realloc_keeps", realloc_keeps},
    {"calloc_zero", calloc_zero},
    {"threads", threads},
    {"forks", forks},
    {"memory_ends", memory_ends},
    {"nothing_is_lost", nothing_is_lost},
    {"keeps_pages", keeps_pages},
    {"sparse", sparse},
    {"handler_frees", handler_frees},
    {"usable_in_handler", usable_in_handler},
    {"many_live", many_live},
    {"leave_some", leave_some},
};

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    const char *how = argc > 2 ? argv[2] : "malloc";
    *(void **)&free_sized_fn = dlsym(RTLD_DEFAULT, "free_sized");
    *(void **)&free_aligned_sized_fn =
        dlsym(RTLD_DEFAULT, "free_aligned_sized");
    for (int i = 3; i < argc && i < 7; i++) // negative ones, too
        numbers[i - 3] = (size_t)strtoll(argv[i], NULL, 0);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0) {
            actions[i].run(how);
            tell("after\n");
            return 0;
        }
    fail_at(__LINE__, "no such misuse: %s", name);
}
