// mem.h: address space and the memory in it. The states are named after Go's:
//
//   Reserved   ours, but an access faults (PROT_NONE, not charged)
//   Prepared   accessible, without memory until touched; reads as zero
//   Ready      has been touched
//
//   mem_reserve: none -> Reserved      mem_commit: Reserved -> Prepared
//   mem_populate: Prepared -> Ready    mem_release: Ready -> Prepared
//   mem_protect: Prepared, Ready -> Reserved
//
// Addresses and sizes are multiples of the system's page unless said otherwise.
// The heap's own pages may be smaller than that: functions that take memory
// away (mem_release, mem_protect, mem_renew, mem_unmap, mem_move) refuse a
// range that begins or ends inside a page of the system. No function allocates
// or changes errno.
#ifndef MOUND_OS_MEM_H
#define MOUND_OS_MEM_H

#include "base/compiler.h"

// mem_reserve returns nbytes of Reserved address space aligned to align (a
// power of two), or 0. hint, if not 0, is the preferred address.
uintptr_t mem_reserve(uintptr_t hint, size_t nbytes, size_t align);

// mem_unreserve gives back address space that mem_reserve returned, or a part
// of it.
void mem_unreserve(uintptr_t addr, size_t nbytes);

// mem_unmap is mem_unreserve for pages that were in use. Functions that watch
// for unmapped memory are called (os/memwatch.h), so the caller must be in a
// slow path and hold no lock; the same holds for mem_release, mem_protect and
// mem_move. It returns false, with nothing changed, if it cannot.
bool mem_unmap(uintptr_t addr, size_t nbytes);

// mem_can_release says whether the calling thread can give memory back now. If
// other functions watch releases, the helper thread cannot, nor can code called
// by such a function.
bool mem_can_release(void);

// mem_release_is_told says whether other functions watch releases now.
bool mem_release_is_told(void);

// mem_commit makes Reserved space Prepared. It returns false, with nothing
// changed, when the system refuses.
bool mem_commit(uintptr_t addr, size_t nbytes);

// mem_map returns nbytes of Prepared memory for records, or NULL.
void *mem_map(size_t nbytes);

// mem_could_map says whether the system would grant nbytes of Prepared memory
// now.
bool mem_could_map(size_t nbytes);

// mem_release gives the memory back and keeps the addresses. If it returns
// true, the pages read as zero; if false, their contents are unspecified.
bool mem_release(uintptr_t addr, size_t nbytes);

// mem_protect makes Prepared or Ready space Reserved again and gives its memory
// back. If the system refuses, it returns false: the space may still be
// accessible, with unspecified contents.
bool mem_protect(uintptr_t addr, size_t nbytes);

// mem_populate gives Prepared pages memory, at a third of the cost of touching
// each. It returns false if it did not. After an error that is permanent
// (unknown, not permitted) it makes no further system calls. It fills only
// system pages that are entirely in the range.
bool mem_populate(uintptr_t addr, size_t nbytes);

// mem_hugepages advises transparent huge pages for a range; the kernel may ignore it.
// mem_no_hugepages forbids further ones there: existing ones stay.
void mem_hugepages(uintptr_t addr, size_t nbytes);
void mem_no_hugepages(uintptr_t addr, size_t nbytes);

// mem_hugepages_setting returns the system's setting: no huge pages, on request
// (madvise), or always. It reads a file. PR_SET_THP_DISABLE is not checked,
// because a filter may kill for prctl; regions of such a process are filled
// with small pages.
enum mem_hugepages_setting {
    MEM_HUGEPAGES_NEVER,
    MEM_HUGEPAGES_ASKED,
    MEM_HUGEPAGES_ALWAYS,
};
enum mem_hugepages_setting mem_hugepages_setting(void);

// mem_hugepage_bytes returns the size of the kernel's huge pages: 2 MiB, or 32
// or 512 MiB with pages of 16 or 64 KiB.
size_t mem_hugepage_bytes(void);

// mem_move moves the memory at old to new, which is Prepared, and leaves old
// Prepared. Afterwards each is at least one separate mapping. MEM_STAYED: the
// system cannot, and old is unchanged. MEM_LOST: likewise, and new is no longer
// mapped, in whole or in part: it must not be used.
enum mem_moved { MEM_MOVED, MEM_STAYED, MEM_LOST };
enum mem_moved mem_move(uintptr_t old_addr, uintptr_t new_addr, size_t nbytes);

// mem_renew makes Prepared or Ready space Prepared by mapping it again. The
// kernel can then merge it with adjacent mappings, which it cannot with moved
// memory. It returns false, with nothing changed, when the system refuses.
bool mem_renew(uintptr_t addr, size_t nbytes);

// mem_copy_sparse copies to memory that reads as zero and does not touch the
// parts where zeros are copied. Both addresses are multiples of a page.
void mem_copy_sparse(void *to, const void *from, size_t nbytes);

// mem_fork_stamp returns a word that is 1 until a fork of any kind, and 0 in
// the child (MADV_WIPEONFORK), or NULL where the kernel has no such flag.
_Atomic uint32_t *mem_fork_stamp(void);

#endif // MOUND_OS_MEM_H
