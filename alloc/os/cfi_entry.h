// cfi_entry.h: the entries of .eh_frame: one for each function (FDE), and one
// for what several functions share (CIE).
#ifndef MOUND_OS_CFI_ENTRY_H
#define MOUND_OS_CFI_ENTRY_H

#include "os/cfi_bytes.h"

// struct cfi_cie is what we use of a CIE.
struct cfi_cie {
    struct cfi_bytes instructions;
    uint64_t code_align;
    int64_t data_align;
    uint8_t encoding; // of addresses
    bool augmented;
    bool signal;
};

// cfi_entry_find looks in .eh_frame_hdr for the last function that begins at or
// before pc, and returns the address of its FDE, or 0.
uintptr_t cfi_entry_find(const struct loaded *object, uintptr_t pc);

// cfi_entry_read reads the length of the entry at addr and returns its bytes.
bool cfi_entry_read(const struct loaded *object, uintptr_t addr,
                    struct cfi_bytes *ret_entry);

// cfi_entry_cie_of returns the address of the CIE of an FDE, or 0. r is the
// position after the FDE's length.
uintptr_t cfi_entry_cie_of(struct cfi_bytes *r);

// cfi_entry_read_cie returns false if it does not understand the CIE at addr.
bool cfi_entry_read_cie(const struct loaded *object, uintptr_t addr,
                        struct cfi_cie *ret_cie);

// cfi_checksum sums the FDE at a distance from the start of the object, and its
// CIE; false if there is none.
bool cfi_checksum(const struct loaded *object, uint64_t distance,
                  uint32_t *ret_sum);

#endif // MOUND_OS_CFI_ENTRY_H
