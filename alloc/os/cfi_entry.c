// cfi_entry.c: see cfi_entry.h.
#include "os/cfi_entry.h"

#include "os/cfi_registers.h"

enum { LENGTH_64 = 0xfffffff0 }; // at least this: 64-bit DWARF, or no entry

bool cfi_entry_read(const struct loaded *object, uintptr_t addr,
                    struct cfi_bytes *ret_entry) {
    struct cfi_bytes r = cfi_bytes_at(object, addr);
    uint64_t length = cfi_bytes_read(&r, 4);
    if (r.bad || length < 4 || length >= LENGTH_64 ||
        length > (size_t)(r.end - r.p))
        return false;
    r.end = r.p + length;
    *ret_entry = r;
    return true;
}

// read_augmentation reads the data of the augmentation letters after z.
static bool read_augmentation(struct cfi_bytes *r, const char *letters,
                              struct cfi_cie *cie) {
    uint64_t nbytes = cfi_bytes_uleb(r);
    struct cfi_bytes data = *r;
    cfi_bytes_skip(r, nbytes);
    if (r->bad)
        return false;
    data.end = r->p;
    for (; *letters != '\0'; letters++) {
        if (*letters == 'R') {
            cie->encoding = (uint8_t)cfi_bytes_read(&data, 1);
        } else if (*letters == 'P') {
            uint8_t encoding = (uint8_t)cfi_bytes_read(&data, 1);
            // The pointer is skipped. An aligned one (0x50) would have padding
            // first; no compiler emits it.
            cfi_bytes_pointer(
                &data, encoding & (uint8_t) ~(CFI_PE_INDIRECT | CFI_PE_ADDED));
        } else if (*letters == 'L') {
            cfi_bytes_read(&data, 1);
        } else if (*letters == 'S') {
            cie->signal = true;
        } else if (*letters != 'B') {
            break; // the length of its data and of all later ones is unknown
        }
    }
    return !data.bad;
}

bool cfi_entry_read_cie(const struct loaded *object, uintptr_t addr,
                        struct cfi_cie *ret_cie) {
    struct cfi_cie cie = {.encoding = CFI_PE_ABSOLUTE};
    struct cfi_bytes r;
    if (!cfi_entry_read(object, addr, &r) || cfi_bytes_read(&r, 4) != 0)
        return false;
    uint64_t version = cfi_bytes_read(&r, 1);
    if (version != 1 && version != 3)
        return false;
    const char *letters = (const char *)r.p;
    while (cfi_bytes_read(&r, 1) != 0) {
    }
    cie.code_align = cfi_bytes_uleb(&r);
    cie.data_align = cfi_bytes_sleb(&r);
    uint64_t return_register =
        version == 1 ? cfi_bytes_read(&r, 1) : cfi_bytes_uleb(&r);
    if (r.bad || return_register != CFI_RIP)
        return false;
    if (*letters == 'z') {
        cie.augmented = true;
        if (!read_augmentation(&r, letters + 1, &cie))
            return false;
    } else if (*letters != '\0') {
        return false;
    }
    cie.instructions = r;
    *ret_cie = cie;
    return !r.bad;
}

uintptr_t cfi_entry_find(const struct loaded *object, uintptr_t pc) {
    enum { VERSION = 1, PAIR_BYTES = 8 };
    uintptr_t hdr = object->eh_frame_hdr;
    struct cfi_bytes r = cfi_bytes_at(object, hdr);
    uint64_t version = cfi_bytes_read(&r, 1);
    uint8_t frame_encoding = (uint8_t)cfi_bytes_read(&r, 1);
    uint8_t count_encoding = (uint8_t)cfi_bytes_read(&r, 1);
    uint8_t table_encoding = (uint8_t)cfi_bytes_read(&r, 1);
    if (r.bad || version != VERSION || count_encoding == CFI_PE_OMITTED ||
        table_encoding != CFI_PE_TABLE)
        return 0;
    cfi_bytes_pointer(&r, frame_encoding);
    uint64_t n = cfi_bytes_pointer(&r, count_encoding);
    if (r.bad || n > (size_t)(r.end - r.p) / PAIR_BYTES)
        return 0;
    const uint8_t *pairs = r.p;
    uint64_t low = 0; // the index of the first pair above pc is in [low, high]
    uint64_t high = n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int32_t start;
        memcpy(&start, pairs + middle * PAIR_BYTES, sizeof start);
        if (hdr + (uintptr_t)(intptr_t)start <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    int32_t entry;
    memcpy(&entry, pairs + (low - 1) * PAIR_BYTES + 4, sizeof entry);
    return hdr + (uintptr_t)(intptr_t)entry;
}

uintptr_t cfi_entry_cie_of(struct cfi_bytes *r) {
    uintptr_t here = (uintptr_t)r->p;
    uint64_t distance = cfi_bytes_read(r, 4);
    return r->bad || distance == 0 ? 0 : here - distance;
}

// sum_entry adds the bytes to a sum.
static uint64_t sum_entry(const struct cfi_bytes *r, uint64_t sum) {
    static const uint64_t odd = 0x9e3779b97f4a7c15u;
    const uint8_t *p = r->p;
    size_t left = (size_t)(r->end - p);
    uint64_t word;
    for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        sum = (sum ^ word) * odd;
    }
    for (; left > 0; left--, p++)
        sum = (sum ^ *p) * odd;
    return sum;
}

bool cfi_checksum(const struct loaded *object, uint64_t distance,
                  uint32_t *ret_sum) {
    struct cfi_bytes fde;
    struct cfi_bytes cie;
    if (!cfi_entry_read(object, object->start + distance, &fde))
        return false;
    struct cfi_bytes r = fde;
    if (!cfi_entry_read(object, cfi_entry_cie_of(&r), &cie))
        return false;
    uint64_t sum = sum_entry(&cie, sum_entry(&fde, object->start));
    *ret_sum = (uint32_t)sum ^ (uint32_t)(sum >> 32);
    return true;
}
