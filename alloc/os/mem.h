// mem.h: address space and the memory behind it. The three states are Go's:
//
//   Reserved   ours, but touching it faults (PROT_NONE, not charged)
//   Prepared   may be touched; no memory stands behind it, reads as zero
//   Ready      has been touched
//
//   mem_reserve: none -> Reserved      mem_commit: Reserved -> Prepared
//   mem_populate: Prepared -> Ready    mem_release: Ready -> Prepared
//   mem_protect: Prepared, Ready -> Reserved
//
// Addresses and sizes are multiples of the system's page unless said
// otherwise. Of the heap's own pages, which may be smaller, that is not so everywhere:
// what would take memory away (mem_release, mem_protect, mem_renew, mem_unmap, mem_move)
// refuses a range that ends within a page of the system. No function allocates or changes
// errno.
#ifndef MOUND_OS_MEM_H
#define MOUND_OS_MEM_H

#include "base/compiler.h"

// mem_reserve returns nbytes of Reserved address space aligned to align (a
// power of two), or 0. hint, if not 0, is where it would fit best.
uintptr_t mem_reserve(uintptr_t hint, size_t nbytes, size_t align);

// mem_unreserve gives address space back that mem_reserve returned, or a part.
void mem_unreserve(uintptr_t addr, size_t nbytes);

// mem_unmap is mem_unreserve for pages that were in use: who watches such things
// hears of it (os/memwatch.h), so the caller is in a slow path and holds no lock.
// So are and do the callers of mem_release, mem_protect and mem_move. It returns
// false, with nothing changed, if it cannot.
bool mem_unmap(uintptr_t addr, size_t nbytes);

// mem_can_release says whether this thread, here, can give memory back: not the
// helper, and not a function that was told of another release, where somebody
// watches.
bool mem_can_release(void);

// mem_release_is_told says whether somebody hears of releases now.
bool mem_release_is_told(void);

// mem_commit makes Reserved space Prepared. It returns false, with nothing
// changed, when the system refuses.
bool mem_commit(uintptr_t addr, size_t nbytes);

// mem_map returns nbytes of Prepared memory for records, or NULL.
void *mem_map(size_t nbytes);

// mem_could_map says whether the system would grant so much Prepared memory now.
bool mem_could_map(size_t nbytes);

// mem_release gives the memory back and keeps the addresses. Only when it
// returns true are the pages known to be zero.
bool mem_release(uintptr_t addr, size_t nbytes);

// mem_protect makes Prepared or Ready space Reserved again and gives its memory
// back. It returns false when the system refuses: nothing is known of the
// contents then, and it may still be touched.
bool mem_protect(uintptr_t addr, size_t nbytes);

// mem_populate gives Prepared pages memory, as touching each would, at a third of
// the cost. It returns false if it did not. After an error that will not change (not
// known, not permitted) it makes no further system call. Of the system's own pages it
// fills those that are wholly in the range.
bool mem_populate(uintptr_t addr, size_t nbytes);

// mem_hugepages advises transparent huge pages for a range; the kernel may ignore it.
// mem_no_hugepages forbids further ones there: existing ones stay.
void mem_hugepages(uintptr_t addr, size_t nbytes);
void mem_no_hugepages(uintptr_t addr, size_t nbytes);

// mem_hugepages_setting returns what the system is set to: huge pages never, where
// they are asked for, or always. Reads a file. That a process may have none
// (PR_SET_THP_DISABLE) is not looked at, since a filter may kill for prctl: regions
// are filled by small pages then.
enum mem_hugepages_setting {
    MEM_HUGEPAGES_NEVER,
    MEM_HUGEPAGES_ASKED,
    MEM_HUGEPAGES_ALWAYS,
};
enum mem_hugepages_setting mem_hugepages_setting(void);

// mem_hugepage_bytes returns how large the kernel's huge pages are: 2 MiB, or 32 or 512 MiB
// where its pages have 16 or 64 KiB.
size_t mem_hugepage_bytes(void);

// mem_move moves the memory behind old to new, which is Prepared, and leaves
// old Prepared. Each place is a mapping of its own then, or several. STAYED: the
// system cannot, and old is what it was. LOST: likewise, and new is not mapped any
// more, in whole or in part: nobody may use it.
enum mem_moved { MEM_MOVED, MEM_STAYED, MEM_LOST };
enum mem_moved mem_move(uintptr_t old_addr, uintptr_t new_addr, size_t nbytes);

// mem_renew makes Prepared or Ready space Prepared by mapping it again: it is one
// mapping with what lies beside it then, which moved memory is not. It returns false,
// with nothing changed, when the system refuses.
bool mem_renew(uintptr_t addr, size_t nbytes);

// mem_copy_sparse copies to memory that reads as zero, and touches none of it where
// zeros are copied. The addresses are those of pages.
void mem_copy_sparse(void *to, const void *from, size_t nbytes);

// mem_fork_stamp returns a word that is 1 until a fork of any kind, and 0 in
// the child (MADV_WIPEONFORK), or NULL where the kernel has no such flag.
_Atomic uint32_t *mem_fork_stamp(void);

#endif // MOUND_OS_MEM_H
