// mem_fake.c: see mem_fake.h.
#include "mem_fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/mem.h"

// The stretch is reserved at the first call; the state of each page is a byte.
// Reservations without a hint go downwards from its end, like the kernel's.
enum { GRAIN_SHIFT = 12, GRAIN = 1 << GRAIN_SHIFT };
static const size_t STRETCH = (size_t)32 << 30;
static const size_t STRETCH_ALIGN = (size_t)1 << 28; // of an arena

const char *const mem_call_names[MEM_NCALLS] = {
    "reserve",    "unreserve", "commit",      "map",
    "release",    "populate",  "hugepages",   "move",
    "fork stamp", "protect",   "no hugepages"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t base;
static unsigned char *states; // of each grain
static size_t limit = SIZE_MAX;

static struct {
    uint64_t ncalls;
    uint64_t nfailures;
    uint64_t fail_from; // number of the first call that fails; 0: none
    uint64_t fail_until;
} kinds[MEM_NCALLS];

static void fail_test(const char *what, uintptr_t addr, size_t nbytes) {
    fprintf(stderr, "mem_fake: %s at %#lx, %zu bytes\n", what,
            (unsigned long)addr, nbytes);
    abort();
}

static void *map(void *at, size_t nbytes, int prot, int flags) {
    void *p = mmap(at, nbytes, prot,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (p == MAP_FAILED)
        fail_test("the system itself refused memory", (uintptr_t)at, nbytes);
    return p;
}

static void start(void) {
    if (base != 0)
        return;
    uintptr_t p = (uintptr_t)map(NULL, STRETCH + STRETCH_ALIGN, PROT_NONE, 0);
    base = (p + STRETCH_ALIGN - 1) & ~(STRETCH_ALIGN - 1);
    states = map(NULL, STRETCH >> GRAIN_SHIFT, PROT_READ | PROT_WRITE, 0);
}

// begin takes the lock and counts a call; false: it is to fail.
static bool begin(enum mem_call kind) {
    pthread_mutex_lock(&lock);
    start();
    uint64_t n = ++kinds[kind].ncalls;
    if (n < kinds[kind].fail_from || n >= kinds[kind].fail_until)
        return true;
    kinds[kind].nfailures++;
    return false;
}

static void end(void) {
    pthread_mutex_unlock(&lock);
}

static bool inside(uintptr_t addr, size_t nbytes) {
    return addr >= base && nbytes <= STRETCH && addr - base <= STRETCH - nbytes;
}

static size_t count(uintptr_t addr, size_t nbytes, enum mem_state state) {
    size_t n = 0;
    size_t first = (addr - base) >> GRAIN_SHIFT;
    for (size_t i = 0; i < nbytes >> GRAIN_SHIFT; i++)
        n += states[first + i] == state;
    return n << GRAIN_SHIFT;
}

static void set(uintptr_t addr, size_t nbytes, enum mem_state state) {
    memset(states + ((addr - base) >> GRAIN_SHIFT), (int)state,
           nbytes >> GRAIN_SHIFT);
}

static bool all_none(uintptr_t addr, size_t nbytes) {
    return inside(addr, nbytes) && count(addr, nbytes, MEM_NONE) == nbytes;
}

static size_t usable(uintptr_t addr, size_t nbytes) {
    return count(addr, nbytes, MEM_COMMITTED) +
           count(addr, nbytes, MEM_POPULATED) +
           count(addr, nbytes, MEM_RELEASED);
}

static void must_be_usable(const char *call, uintptr_t addr, size_t nbytes) {
    if (!inside(addr, nbytes) || addr % GRAIN != 0 || nbytes % GRAIN != 0 ||
        usable(addr, nbytes) != nbytes)
        fail_test(call, addr, nbytes);
}

// find_space returns the highest free range, or 0.
static uintptr_t find_space(size_t nbytes, size_t align) {
    if (nbytes > STRETCH)
        return 0;
    uintptr_t addr = (base + STRETCH - nbytes) & ~(align - 1);
    while (addr >= base) {
        // Go below the highest grain that is in the way.
        size_t i = (addr - base + nbytes) >> GRAIN_SHIFT;
        size_t first = (addr - base) >> GRAIN_SHIFT;
        while (i > first && states[i - 1] == MEM_NONE)
            i--;
        if (i == first)
            return addr;
        uintptr_t top = base + ((i - 1) << GRAIN_SHIFT);
        if (top < base + nbytes)
            return 0;
        addr = (top - nbytes) & ~(align - 1);
    }
    return 0;
}

uintptr_t mem_reserve(uintptr_t hint, size_t nbytes, size_t align) {
    uintptr_t addr = 0;
    if (!begin(MEM_RESERVE))
        goto out;
    if (nbytes == 0 || nbytes % GRAIN != 0 || (align & (align - 1)) != 0)
        fail_test("strange reservation", hint, nbytes);
    if (limit != SIZE_MAX &&
        (nbytes > limit ||
         STRETCH - count(base, STRETCH, MEM_NONE) > limit - nbytes))
        goto out;
    if (hint != 0 && hint % align == 0 && all_none(hint, nbytes))
        addr = hint;
    else
        addr = find_space(nbytes, align);
    if (addr != 0)
        set(addr, nbytes, MEM_RESERVED);
out:
    end();
    return addr;
}

void mem_unreserve(uintptr_t addr, size_t nbytes) {
    begin(MEM_UNRESERVE);
    if (!inside(addr, nbytes) || count(addr, nbytes, MEM_NONE) > 0 ||
        count(addr, nbytes, MEM_FOREIGN) > 0)
        fail_test("unreserve of what is not ours", addr, nbytes);
    if (nbytes > 0) {
        map((void *)addr, nbytes, PROT_NONE, MAP_FIXED);
        set(addr, nbytes, MEM_NONE);
    }
    end();
}

bool mem_unmap(uintptr_t addr, size_t nbytes) {
    mem_unreserve(addr, nbytes);
    return true;
}

bool mem_can_release(void) {
    return true;
}

bool mem_commit(uintptr_t addr, size_t nbytes) {
    bool ok = begin(MEM_COMMIT);
    if (!inside(addr, nbytes) || addr % GRAIN != 0 || nbytes % GRAIN != 0 ||
        count(addr, nbytes, MEM_RESERVED) != nbytes)
        fail_test("commit of what is not reserved", addr, nbytes);
    if (ok) {
        map((void *)addr, nbytes, PROT_READ | PROT_WRITE, MAP_FIXED);
        set(addr, nbytes, MEM_COMMITTED);
    }
    end();
    return ok;
}

void *mem_map(size_t nbytes) {
    void *p = NULL;
    if (begin(MEM_MAP))
        p = map(NULL, nbytes, PROT_READ | PROT_WRITE, 0);
    end();
    return p;
}

// As a reservation that is made and given back.
bool mem_could_map(size_t nbytes) {
    uintptr_t addr = mem_reserve(0, nbytes, GRAIN);
    if (addr != 0)
        mem_unreserve(addr, nbytes);
    return addr != 0;
}

bool mem_release(uintptr_t addr, size_t nbytes) {
    bool ok = begin(MEM_RELEASE);
    must_be_usable("release of what is not committed", addr, nbytes);
    if (ok) {
        madvise((void *)addr, nbytes, MADV_DONTNEED);
        set(addr, nbytes, MEM_RELEASED);
    }
    end();
    return ok;
}

bool mem_release_is_told(void) {
    return false;
}

bool mem_protect(uintptr_t addr, size_t nbytes) {
    bool ok = begin(MEM_PROTECT);
    must_be_usable("protect of what is not committed", addr, nbytes);
    if (ok) {
        map((void *)addr, nbytes, PROT_NONE, MAP_FIXED);
        set(addr, nbytes, MEM_RESERVED);
    }
    end();
    return ok;
}

static unsigned stall_ms;

void mem_fake_stall(unsigned ms) {
    stall_ms = ms;
}

bool mem_populate(uintptr_t addr, size_t nbytes) {
    if (stall_ms > 0)
        usleep(stall_ms * 1000);
    bool ok = begin(MEM_POPULATE);
    must_be_usable("populate of what is not committed", addr, nbytes);
    if (ok)
        set(addr, nbytes, MEM_POPULATED);
    end();
    return ok;
}

static size_t advised;

size_t mem_fake_advised(void) {
    return advised;
}

void mem_hugepages(uintptr_t addr, size_t nbytes) {
    begin(MEM_HUGEPAGES);
    advised += nbytes;
    must_be_usable("huge pages for what is not committed", addr, nbytes);
    end();
}

void mem_no_hugepages(uintptr_t addr, size_t nbytes) {
    begin(MEM_NO_HUGEPAGES);
    must_be_usable("no huge pages for what is not committed", addr, nbytes);
    end();
}

static enum mem_hugepages_setting hugepages_setting = MEM_HUGEPAGES_ASKED;

void mem_fake_setting(enum mem_hugepages_setting setting) {
    hugepages_setting = setting;
}

enum mem_hugepages_setting mem_hugepages_setting(void) {
    return hugepages_setting;
}

static size_t hugepage_bytes = 2 << 20;

void mem_fake_hugepage_bytes(size_t nbytes) {
    hugepage_bytes = nbytes;
}

size_t mem_hugepage_bytes(void) {
    return hugepage_bytes;
}

bool mem_renew(uintptr_t addr, size_t nbytes) {
    bool ok = begin(MEM_COMMIT);
    must_be_usable("renewal of what is not committed", addr, nbytes);
    if (ok) {
        map((void *)addr, nbytes, PROT_READ | PROT_WRITE, MAP_FIXED);
        set(addr, nbytes, MEM_COMMITTED);
    }
    end();
    return ok;
}

void mem_copy_sparse(void *to, const void *from, size_t nbytes) {
    memcpy(to, from, nbytes);
}

// Where it fails and commits fail as well, the target is lost.
enum mem_moved mem_move(uintptr_t old_addr, uintptr_t new_addr, size_t nbytes) {
    enum mem_moved moved = MEM_MOVED;
    bool ok = begin(MEM_MOVE);
    must_be_usable("move from what is not committed", old_addr, nbytes);
    must_be_usable("move to what is not committed", new_addr, nbytes);
    if (old_addr + nbytes > new_addr && new_addr + nbytes > old_addr)
        fail_test("move onto itself", new_addr, nbytes);
    if (ok) {
        memcpy((void *)new_addr, (void *)old_addr, nbytes);
        madvise((void *)old_addr, nbytes, MADV_DONTNEED);
        set(old_addr, nbytes, MEM_RELEASED);
        set(new_addr, nbytes, MEM_POPULATED);
    } else if (kinds[MEM_COMMIT].ncalls + 1 >= kinds[MEM_COMMIT].fail_from &&
               kinds[MEM_COMMIT].ncalls + 1 < kinds[MEM_COMMIT].fail_until) {
        map((void *)new_addr, nbytes, PROT_NONE, MAP_FIXED);
        set(new_addr, nbytes, MEM_NONE);
        moved = MEM_LOST;
    } else {
        moved = MEM_STAYED;
    }
    end();
    return moved;
}

_Atomic uint32_t *mem_fork_stamp(void) {
    static _Atomic uint32_t stamp = 1;
    bool ok = begin(MEM_FORK_STAMP);
    end();
    return ok ? &stamp : NULL;
}

void mem_fake_fail_at(enum mem_call kind, unsigned nth, unsigned ntimes) {
    pthread_mutex_lock(&lock);
    uint64_t from = kinds[kind].ncalls + nth;
    kinds[kind].fail_from = nth == 0 ? 0 : from;
    kinds[kind].fail_until = nth == 0 ? 0 : from + ntimes;
    pthread_mutex_unlock(&lock);
}

uint64_t mem_fake_calls(enum mem_call kind) {
    return kinds[kind].ncalls;
}

uint64_t mem_fake_failures(enum mem_call kind) {
    return kinds[kind].nfailures;
}

enum mem_state mem_fake_state(uintptr_t addr) {
    start();
    return inside(addr, 1)
               ? (enum mem_state)states[(addr - base) >> GRAIN_SHIFT]
               : MEM_NONE;
}

size_t mem_fake_bytes(uintptr_t addr, size_t nbytes, enum mem_state state) {
    start();
    return inside(addr, nbytes) ? count(addr, nbytes, state) : 0;
}

size_t mem_fake_total(enum mem_state state) {
    start();
    return count(base, STRETCH, state);
}

bool mem_fake_occupy(uintptr_t addr, size_t nbytes) {
    pthread_mutex_lock(&lock);
    start();
    bool ok = all_none(addr, nbytes);
    if (ok)
        set(addr, nbytes, MEM_FOREIGN);
    pthread_mutex_unlock(&lock);
    return ok;
}

uintptr_t mem_fake_base(void) {
    start();
    return base;
}

uintptr_t mem_fake_end(void) {
    start();
    return base + STRETCH;
}

void mem_fake_limit(size_t nbytes) {
    limit = nbytes;
}
