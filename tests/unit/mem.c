// mem.c: mem_linux.c itself, against what the kernel says of the mappings.
#include "os/mem.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/sys.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

// resident counts the bytes of a mapped range that memory stands behind;
// SIZE_MAX if any of it is not mapped.
static size_t resident(uintptr_t addr, size_t nbytes) {
    static unsigned char vec[1 << 16];
    size_t page = sys_page_size();
    if (mincore((void *)addr, nbytes, vec) != 0)
        return SIZE_MAX;
    size_t n = 0;
    for (size_t i = 0; i < nbytes / page; i++)
        n += (vec[i] & 1) * page;
    return n;
}

Test(mem, reservations_are_aligned_and_mapped) {
    for (size_t align = sys_page_size(); align <= 64 * MIB; align *= 4) {
        uintptr_t addr = mem_reserve(0, 3 * MIB, align);
        cr_assert(ne(uptr, addr, 0));
        cr_assert(zero(uptr, addr % align));
        cr_assert(zero(sz, resident(addr, 3 * MIB)));
        mem_unreserve(addr, 3 * MIB);
        cr_assert(eq(sz, resident(addr, 3 * MIB), SIZE_MAX));
    }
}

Test(mem, a_hint_is_taken_when_it_is_free_and_nobody_is_overwritten) {
    uintptr_t addr = mem_reserve(0, 8 * MIB, 64 * KIB);
    mem_unreserve(addr, 4 * MIB);
    cr_assert(eq(uptr, mem_reserve(addr, 4 * MIB, 64 * KIB), addr));

    uintptr_t other = mem_reserve(addr, 4 * MIB, 64 * KIB);

    cr_assert(ne(uptr, other, 0));
    cr_assert(other >= addr + 8 * MIB || other + 4 * MIB <= addr);
}

Test(mem, touching_what_is_only_reserved_faults, .signal = SIGSEGV) {
    char *p = (char *)mem_reserve(0, MIB, 64 * KIB);

    *(volatile char *)p = 1;
}

Test(mem, committed_memory_is_zero_and_can_be_written) {
    uintptr_t addr = mem_reserve(0, MIB, 64 * KIB);

    cr_assert(mem_commit(addr, 128 * KIB));

    char *p = (char *)addr;
    for (int i = 0; i < 128 * KIB; i += 512)
        cr_assert(zero(u8, (unsigned char)p[i]));
    memset(p, 1, 128 * KIB);
    cr_assert(eq(sz, resident(addr, 128 * KIB), 128 * KIB));
}

Test(mem, released_memory_is_zero_and_nobody_stands_behind_it) {
    char *p = mem_map(MIB);
    memset(p, 'x', MIB);

    cr_assert(mem_release((uintptr_t)p + 256 * KIB, 512 * KIB));

    cr_assert(zero(sz, resident((uintptr_t)p + 256 * KIB, 512 * KIB)));
    cr_assert(eq(chr, p[256 * KIB - 1], 'x'));
    cr_assert(zero(u8, (unsigned char)p[256 * KIB]));
    cr_assert(zero(u8, (unsigned char)p[768 * KIB - 1]));
    cr_assert(eq(chr, p[768 * KIB], 'x'));
}

// The kernel would take the rest of the last page, too, whose end is somebody else's where
// pages of the system are larger than the heap's.
Test(mem,
     of_a_range_that_ends_within_a_page_of_the_system_nothing_is_taken_away) {
    size_t page = sys_page_size();
    char *p = mem_map(4 * page);
    char *to = mem_map(4 * page);
    memset(p, 'x', 4 * page);
    memset(to, 'o', 4 * page);
    uintptr_t addr = (uintptr_t)p;

    cr_assert(not(mem_release(addr, page + page / 2)));
    cr_assert(not(mem_renew(addr, page + page / 2)));
    cr_assert(not(mem_protect(addr, page + page / 2)));
    cr_assert(not(mem_unmap(addr, page + page / 2)));
    cr_assert(
        eq(int, mem_move(addr, (uintptr_t)to, page + page / 2), MEM_STAYED));
    cr_assert(not(mem_release(addr + page / 2, page)));

    for (size_t i = 0; i < 4 * page; i++) {
        cr_assert(eq(chr, p[i], 'x'));
        cr_assert(eq(chr, to[i], 'o'));
    }
}

Test(mem, releasing_locked_memory_fails_and_keeps_it) {
    size_t page = sys_page_size();
    char *p = mem_map(page);
    memset(p, 'x', page);
    if (syscall(SYS_mlock, p, page) != 0) // sanitizers make mlock do nothing
        cr_skip_test("the limit of locked memory is 0");

    cr_assert(not(mem_release((uintptr_t)p, page)));

    cr_assert(eq(chr, p[0], 'x'));
}

Test(mem, populated_memory_is_there_before_it_is_touched) {
    char *p = mem_map(MIB);

    if (!mem_populate((uintptr_t)p, MIB))
        cr_skip_test("this kernel does not support MADV_POPULATE_WRITE");

    cr_assert(eq(sz, resident((uintptr_t)p, MIB), MIB));
    cr_assert(zero(u8, (unsigned char)p[MIB - 1]));
}

Test(mem, of_a_range_between_pages_of_the_system_those_within_are_populated) {
    size_t page = sys_page_size();
    uintptr_t addr = (uintptr_t)mem_map(8 * page);
    uintptr_t other = (uintptr_t)mem_map(page);
    if (!mem_populate(other, page))
        cr_skip_test("this kernel does not support MADV_POPULATE_WRITE");

    bool ok = mem_populate(addr + page / 2, 3 * page);
    bool part = mem_populate(addr + 4 * page + page / 4, page / 2);

    cr_assert(ok);
    cr_assert(not(part));
    cr_assert(zero(sz, resident(addr, page)));
    cr_assert(eq(sz, resident(addr + page, 2 * page), 2 * page));
    cr_assert(zero(sz, resident(addr + 3 * page, 5 * page)));
    cr_assert(mem_populate(addr + 6 * page, page)); // it was not given up
}

Test(mem, a_move_takes_the_memory_along_and_leaves_zeros) {
    char *from = mem_map(2 * MIB);
    char *to = mem_map(4 * MIB);
    memset(from, 'm', 2 * MIB);
    memset(to, 'o', 4 * MIB);

    if (mem_move((uintptr_t)from, (uintptr_t)to, 2 * MIB) != MEM_MOVED)
        cr_skip_test("this kernel does not support MREMAP_DONTUNMAP");

    cr_assert(eq(chr, to[0], 'm'));
    cr_assert(eq(chr, to[2 * MIB - 1], 'm'));
    cr_assert(eq(chr, to[2 * MIB], 'o'));
    cr_assert(zero(sz, resident((uintptr_t)from, 2 * MIB)));
    cr_assert(zero(u8, (unsigned char)from[MIB]));
    memset(from, 'f', 2 * MIB);
}

// Mappings that cannot melt: huge pages wanted in one of them. Kernels before 6.17
// move one mapping at a time, and find that out only after they unmapped the target;
// later ones move one after the other, and may stop half way.
Test(mem, a_move_over_two_mappings_succeeds_or_leaves_both_ends_usable) {
    char *from = mem_map(8 * MIB);
    char *to = mem_map(8 * MIB);
    memset(from, 'm', 8 * MIB);
    madvise(from + 4 * MIB, 2 * MIB, MADV_HUGEPAGE);

    bool moved = mem_move((uintptr_t)from, (uintptr_t)to, 8 * MIB) == MEM_MOVED;

    cr_assert(ne(sz, resident((uintptr_t)to, 8 * MIB), SIZE_MAX));
    cr_assert(ne(sz, resident((uintptr_t)from, 8 * MIB), SIZE_MAX));
    const char *p = moved ? to : from;
    for (int i = 0; i < 8 * MIB; i += 4096)
        cr_assert(eq(chr, p[i], 'm'));
    memset(from, 'f', 8 * MIB);
    memset(to, 't', 8 * MIB);
}

// As many mappings of one page each as there may be, but for a few.
static void use_up_mappings(unsigned left) {
    char *p = mmap(NULL, (size_t)512 * MIB, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned n = 0;
    // Each in the middle of others makes two more.
    while (mprotect(p + 8192 * (size_t)(n + 1), 4096, PROT_READ) == 0)
        n++;
    for (; left > 0; left -= 2)
        mprotect(p + 8192 * (size_t)n--, 4096, PROT_NONE);
}

Test(mem, a_move_at_the_limit_of_mappings_loses_nothing) {
    enum { PART = MIB / 2, NPARTS = 12 };
    for (unsigned left = 0; left < 40; left += 8) {
        pid_t child = fork();
        if (child == 0) {
            char *from = mem_map(NPARTS * PART);
            char *to = mem_map(NPARTS * PART);
            memset(from, 'm', NPARTS * PART);
            for (int i = 0; i < NPARTS; i += 2)
                madvise(from + i * PART, PART, MADV_NOHUGEPAGE);
            use_up_mappings(left);
            enum mem_moved moved =
                mem_move((uintptr_t)from, (uintptr_t)to, NPARTS * PART);
            const char *p = moved == MEM_MOVED ? to : from;
            for (int i = 0; i < NPARTS * PART; i += 4096)
                if (p[i] != 'm')
                    _exit(1);
            memset(from, 'f', NPARTS * PART);
            if (moved != MEM_LOST)
                memset(to, 't', NPARTS * PART);
            _exit(0);
        }
        int status = -1;
        waitpid(child, &status, 0);
        cr_assert(zero(int, status), "with %u mappings left: %#x", left,
                  status);
    }
}

Test(mem, zeros_that_are_copied_take_no_memory) {
    char *from = mem_map(2 * MIB);
    char *to = mem_map(2 * MIB);
    madvise(to, 2 * MIB, MADV_NOHUGEPAGE);
    from[0] = from[MIB] = from[2 * MIB - 1] = 'z';

    mem_copy_sparse(to, from, 2 * MIB);

    cr_assert(le(sz, resident((uintptr_t)to, 2 * MIB), 3 * sys_page_size()));
    cr_assert(zero(int, memcmp(to, from, 2 * MIB)));
}

Test(mem, at_a_limit_of_addresses_every_call_says_so_and_errno_stays) {
    struct rlimit limit = {256 * MIB, 256 * MIB};
    uintptr_t addr = mem_reserve(0, 16 * MIB, 64 * KIB);
    cr_assert(zero(int, setrlimit(RLIMIT_AS, &limit)));
    errno = 77;

    cr_assert(zero(uptr, mem_reserve(0, (size_t)4096 * MIB, 64 * KIB)));
    cr_assert(eq(ptr, mem_map((size_t)4096 * MIB), NULL));

    cr_assert(eq(int, errno, 77));
    cr_assert(eq(sz, sys_address_limit(), 256 * MIB));
    cr_assert(ne(uptr, addr, 0));
}

Test(mem, requests_that_wrap_around_fail) {
    cr_assert(zero(uptr, mem_reserve(0, (size_t)1 << 62, 64 * KIB)));
    cr_assert(zero(uptr, mem_reserve(0, SIZE_MAX - MIB + 1, 2 * MIB)));
    cr_assert(eq(ptr, mem_map((size_t)1 << 62), NULL));
}

Test(mem, the_stamp_is_1_here_and_0_in_a_child) {
    _Atomic uint32_t *stamp = mem_fork_stamp();
    if (stamp == NULL)
        cr_skip_test("this kernel does not support MADV_WIPEONFORK");
    cr_assert(eq(u32, *stamp, 1));

    pid_t child = fork();
    if (child == 0)
        _exit(*stamp == 0 ? 42 : 1);
    int status = 0;
    waitpid(child, &status, 0);

    cr_assert(eq(int, WEXITSTATUS(status), 42));
    cr_assert(eq(u32, *stamp, 1));
}
