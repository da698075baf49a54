// mem_linux.c: mem.h on Linux.
//
// Memory is committed by mapping over the reservation, not by mprotect: seccomp
// filters often forbid mprotect. The kernel still merges adjacent mappings with
// equal flags.
#include "os/mem.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "os/auxv.h"
#include "os/filter.h"
#include "os/memname.h"
#include "os/memwatch.h"
#include "os/sys.h"
#include "os/syscall.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum {
    RESERVED = PROT_NONE,
    PREPARED = PROT_READ | PROT_WRITE,
};

// whole_pages says whether a range begins and ends at system pages. Otherwise
// the kernel would take the rest of the last page, too.
static bool whole_pages(uintptr_t addr, size_t nbytes) {
    return ((addr | nbytes) & (sys_page_size() - 1)) == 0;
}

static long map(uintptr_t addr, size_t nbytes, int prot, int flags) {
    return syscall6(SYS_mmap, (long)addr, (long)nbytes, prot,
                    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static bool failed(long ret) {
    return (unsigned long)ret > (unsigned long)-4096;
}

static bool unmap(uintptr_t addr, size_t nbytes) {
    return nbytes == 0 || syscall2(SYS_munmap, addr, nbytes) == 0;
}

void mem_unreserve(uintptr_t addr, size_t nbytes) {
    unmap(addr, nbytes);
}

static uintptr_t named_heap(uintptr_t addr, size_t nbytes) {
    memname_set(addr, nbytes, MEMNAME_HEAP);
    return addr;
}

uintptr_t mem_reserve(uintptr_t hint, size_t nbytes, size_t align) {
    long ret = map(hint, nbytes, RESERVED, MAP_NORESERVE);
    if (failed(ret))
        return 0;
    uintptr_t addr = (uintptr_t)ret;
    if (addr % align == 0)
        return named_heap(addr, nbytes);
    mem_unreserve(addr, nbytes);
    ret = map(0, nbytes + align, RESERVED, MAP_NORESERVE);
    if (failed(ret))
        return 0;
    uintptr_t start = (uintptr_t)ret;
    addr = align_up(start, align);
    mem_unreserve(start, addr - start);
    mem_unreserve(addr + nbytes, start + align - addr);
    return named_heap(addr, nbytes);
}

// map_over maps a range of the heap again, and names it again.
static bool map_over(uintptr_t addr, size_t nbytes, int prot, int flags) {
    if (failed(map(addr, nbytes, prot, MAP_FIXED | flags)))
        return false;
    memname_set(addr, nbytes, MEMNAME_HEAP);
    return true;
}

// above_limit says whether the process exceeds its RLIMIT_AS, so that it cannot
// even map one inaccessible page.
static bool above_limit(void) {
    size_t nbytes = sys_page_size();
    long ret = map(0, nbytes, RESERVED, MAP_NORESERVE);
    if (failed(ret))
        return true;
    mem_unreserve((uintptr_t)ret, nbytes);
    return false;
}

bool mem_commit(uintptr_t addr, size_t nbytes) {
    // A process above its address space limit may not map, not even over its
    // own memory, but it may call mprotect. Any other refusal stands: mprotect
    // would not check whether there is enough memory.
    return map_over(addr, nbytes, PREPARED, 0) ||
           (above_limit() &&
            syscall3(SYS_mprotect, addr, nbytes, PREPARED) == 0);
}

void *mem_map(size_t nbytes) {
    long ret = map(0, nbytes, PREPARED, 0);
    if (failed(ret))
        return NULL;
    memname_set((uintptr_t)ret, nbytes, MEMNAME_RECORDS);
    return (void *)ret;
}

bool mem_unmap(uintptr_t addr, size_t nbytes) {
    if (!whole_pages(addr, nbytes))
        return false;
    if (UNLIKELY(memwatch_watched()))
        return memwatch_munmap(addr, nbytes);
    return unmap(addr,
                 nbytes); // fails inside a mapping at the limit of mappings
}

bool mem_can_release(void) {
    return !memwatch_watched() || memwatch_can_tell();
}

bool mem_release_is_told(void) {
    return memwatch_watched();
}

bool mem_could_map(size_t nbytes) {
    void *p = mem_map(nbytes);
    if (p != NULL)
        mem_unreserve((uintptr_t)p, nbytes);
    return p != NULL;
}

bool mem_release(uintptr_t addr, size_t nbytes) {
    if (!whole_pages(addr, nbytes))
        return false;
    if (UNLIKELY(memwatch_watched()))
        return memwatch_madvise_away(addr, nbytes);
    return syscall3(SYS_madvise, addr, nbytes, MADV_DONTNEED) == 0;
}

bool mem_protect(uintptr_t addr, size_t nbytes) {
    if (!whole_pages(addr, nbytes))
        return false;
    if (UNLIKELY(memwatch_watched()))
        mem_release(addr, nbytes);
    if (map_over(addr, nbytes, RESERVED, MAP_NORESERVE))
        return true;
    // As in mem_commit.
    mem_release(addr, nbytes);
    return syscall3(SYS_mprotect, addr, nbytes, RESERVED) == 0;
}

bool mem_populate(uintptr_t addr, size_t nbytes) {
    static _Atomic bool refused; // set by the first caller that is refused
    // A filter may check the advice, and may permit only the C library's.
    if (atomic_load_explicit(&refused, memory_order_relaxed) || filter_noted())
        return false;
    // The system's pages may be larger than the heap's. The rest of a partial
    // page may not be ours to fill, so partial pages are left to the first
    // access.
    uintptr_t start = align_up(addr, sys_page_size());
    uintptr_t end = align_down(addr + nbytes, sys_page_size());
    if (start >= end)
        return false;
    long ret = syscall3(SYS_madvise, start, end - start, MADV_POPULATE_WRITE);
    if (ret == -EINVAL || ret == -ENOSYS || ret == -EPERM)
        atomic_store_explicit(&refused, true, memory_order_relaxed);
    return ret == 0;
}

void mem_hugepages(uintptr_t addr, size_t nbytes) {
    if (!filter_noted())
        syscall3(SYS_madvise, addr, nbytes, MADV_HUGEPAGE);
}

void mem_no_hugepages(uintptr_t addr, size_t nbytes) {
    if (!filter_noted())
        syscall3(SYS_madvise, addr, nbytes, MADV_NOHUGEPAGE);
}

enum mem_hugepages_setting mem_hugepages_setting(void) {
    // "always [madvise] never": the current setting is in brackets.
    char text[64];
    int fd = sys_open_read("/sys/kernel/mm/transparent_hugepage/enabled");
    if (fd < 0) // no such thing, or not shown to us
        return MEM_HUGEPAGES_NEVER;
    long n = sys_read(fd, text, sizeof text);
    sys_close(fd);
    for (long i = 0; i + 1 < n; i++)
        if (text[i] == '[')
            return text[i + 1] == 'a'   ? MEM_HUGEPAGES_ALWAYS
                   : text[i + 1] == 'm' ? MEM_HUGEPAGES_ASKED
                                        : MEM_HUGEPAGES_NEVER;
    return MEM_HUGEPAGES_NEVER;
}

// The memory that one page of page tables maps. A file has the number as well,
// but reading it costs three system calls at every start.
size_t mem_hugepage_bytes(void) {
    size_t page = sys_page_size();
    return page / sizeof(uint64_t) * page;
}

// in_one_mapping says whether a range is in one mapping. The kernel checks that
// first when mremap extends a range in place. The extension itself rarely
// succeeds; then it is undone.
static bool in_one_mapping(uintptr_t addr, size_t nbytes) {
    size_t more = sys_page_size();
    long ret = syscall5(SYS_mremap, addr, nbytes, nbytes + more, 0, 0);
    if (!failed(ret))
        unmap(addr + nbytes, more);
    return ret != -EFAULT && ret != -EINVAL;
}

// mapping_bytes returns how much of a range is in its first mapping.
static size_t mapping_bytes(uintptr_t addr, size_t nbytes) {
    size_t page = sys_page_size();
    if (in_one_mapping(addr, nbytes))
        return nbytes;
    size_t is = page;
    size_t is_not = nbytes;
    while (is_not - is > page) {
        size_t half = align_down(is + (is_not - is) / 2, page);
        if (in_one_mapping(addr, half))
            is = half;
        else
            is_not = half;
    }
    return is;
}

// still_mapped says whether the target of a failed mremap is mapped as a whole:
// kernels unmap it before they find that they cannot move. It maps the hole
// again, unless another thread has mapped something there meanwhile.
static bool still_mapped(uintptr_t addr, size_t nbytes) {
    long ret = map(addr, nbytes, PREPARED, MAP_FIXED_NOREPLACE);
    if (ret == (long)addr) {
        memname_set(addr, nbytes, MEMNAME_HEAP);
        return true;
    }
    if (!failed(ret)) // a kernel without that flag
        unmap((uintptr_t)ret, nbytes);
    return syscall3(SYS_madvise, addr, nbytes, MADV_NORMAL) == 0;
}

// all_zero: n is a multiple of 64, as pages are.
static bool all_zero(const void *p, size_t n) {
    enum { WORDS = 8 };
    const uint64_t *w = p;
    for (size_t i = 0; i < n / sizeof *w; i += WORDS) {
        uint64_t any = 0;
        for (size_t k = 0; k < WORDS; k++)
            any |= w[i + k];
        if (any != 0)
            return false;
    }
    return true;
}

void mem_copy_sparse(void *to, const void *from, size_t nbytes) {
    enum { STEP = 4096 };
    // Maps all untouched pages to the shared zero page at once, instead of by
    // one fault each.
    if (!filter_noted())
        syscall3(SYS_madvise, from, nbytes, MADV_POPULATE_READ);
    for (size_t i = 0; i < nbytes; i += STEP) {
        const char *p = (const char *)from + i;
        size_t n = min_size(nbytes - i, STEP);
        if (!all_zero(p, n))
            memcpy((char *)to + i, p, n);
    }
}

// qemu's user mode up to 8.1 treats the source of a move as unmapped. It is
// recognized by its missing vDSO; mapping the source again is enough.
static void keep_old_place(uintptr_t addr, size_t nbytes) {
    if (UNLIKELY(auxv_get(AT_SYSINFO_EHDR) == 0))
        map_over(addr, nbytes, PREPARED, 0);
}

// Moves one mapping at a time: kernels before 6.17 refuse a range of several,
// and later ones may fail after having moved some.
enum mem_moved mem_move(uintptr_t old_addr, uintptr_t new_addr, size_t nbytes) {
    enum { PARTS_MAX = 8 };
    size_t done = 0;
    // mremap takes pages from both places, and a function that watches mremap
    // may not know to where. The caller copies instead, and nothing needs to be
    // reported.
    if (UNLIKELY(memwatch_watched()) ||
        !whole_pages(old_addr | new_addr, nbytes))
        return MEM_STAYED;
    for (int i = 0; done < nbytes && i < PARTS_MAX; i++) {
        size_t part = mapping_bytes(old_addr + done, nbytes - done);
        long ret = syscall5(SYS_mremap, old_addr + done, part, part,
                            MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                            new_addr + done);
        if (failed(ret))
            break;
        done += part;
    }
    if (done == nbytes) {
        keep_old_place(old_addr, nbytes);
        return MEM_MOVED;
    }
    // Move back by copying, which cannot fail.
    mem_copy_sparse((void *)old_addr, (void *)new_addr, done);
    return still_mapped(new_addr, nbytes) ? MEM_STAYED : MEM_LOST;
}

bool mem_renew(uintptr_t addr, size_t nbytes) {
    return whole_pages(addr, nbytes) && !memwatch_watched() &&
           map_over(addr, nbytes, PREPARED, 0);
}

_Atomic uint32_t *mem_fork_stamp(void) {
    size_t nbytes = sys_page_size();
    long ret = map(0, nbytes, PREPARED, 0);
    if (failed(ret))
        return NULL;
    if (syscall3(SYS_madvise, ret, nbytes, MADV_WIPEONFORK) != 0) {
        mem_unreserve((uintptr_t)ret, nbytes);
        return NULL;
    }
    memname_set((uintptr_t)ret, nbytes, MEMNAME_RECORDS);
    _Atomic uint32_t *stamp = (_Atomic uint32_t *)ret;
    atomic_store_explicit(stamp, 1, memory_order_relaxed);
    return stamp;
}
