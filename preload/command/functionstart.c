// functionstart.c: see functionstart.h. .eh_frame_hdr has a sorted table of functions;
// its entries point to those of .eh_frame, which have the lengths.
#include "functionstart.h"

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { HEAD_BYTES = 12, PAIR_BYTES = 8 };

struct pair {
    int32_t start; // both from the start of .eh_frame_hdr
    int32_t entry;
};

// read_at reads the bytes of the file that belong at an address.
static bool read_at(Elf *elf, uint64_t address, void *ret, size_t n) {
    size_t nheaders = 0;
    if (elf_getphdrnum(elf, &nheaders) != 0)
        return false;
    for (size_t i = 0; i < nheaders; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, (int)i, &header) == NULL ||
            header.p_type != PT_LOAD || address < header.p_vaddr ||
            header.p_filesz < n ||
            address - header.p_vaddr > header.p_filesz - n)
            continue;
        Elf_Data *data = elf_getdata_rawchunk(
            elf, (int64_t)(address - header.p_vaddr + header.p_offset), n,
            ELF_T_BYTE);
        if (data == NULL || data->d_size < n)
            return false;
        memcpy(ret, data->d_buf, n);
        return true;
    }
    return false;
}

// covers says whether the function that starts at start, and whose entry is at address
// entry, has code at address. If the entry cannot be read, the function is assumed to
// reach to the next one.
static bool covers(Elf *elf, uint64_t entry, uint64_t start, uint64_t address) {
    enum { LENGTH_AT = 12 }; // after length, CIE pointer and start
    int32_t length;
    // Compilers write addresses with 4 bytes.
    if (!read_at(elf, entry + LENGTH_AT, &length, sizeof length))
        return true;
    return length <= 0 || address < start + (uint64_t)length;
}

static uint64_t find_in(Elf *elf, const GElf_Phdr *header, uint64_t address) {
    // Version 1; pcrel sdata4, udata4, datarel sdata4: the encoding of all linkers.
    static const unsigned char usual[] = {0x01, 0x1b, 0x03, 0x3b};
    unsigned char head[HEAD_BYTES];
    uint32_t n;
    if (header->p_filesz < HEAD_BYTES)
        return 0;
    Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)header->p_offset,
                                          header->p_filesz, ELF_T_BYTE);
    if (data == NULL || data->d_size < HEAD_BYTES)
        return 0;
    memcpy(head, data->d_buf, sizeof head);
    memcpy(&n, head + 8, sizeof n);
    if (memcmp(head, usual, sizeof usual) != 0)
        return 0;
    if (n > (data->d_size - HEAD_BYTES) / PAIR_BYTES)
        n = (uint32_t)((data->d_size - HEAD_BYTES) / PAIR_BYTES);
    const char *table = (const char *)data->d_buf + HEAD_BYTES;
    uint32_t low = 0; // the last that starts at address or before: low - 1
    struct pair pair;
    for (uint32_t high = n; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        memcpy(&pair, table + (size_t)middle * PAIR_BYTES, sizeof pair);
        if (header->p_vaddr + (uint64_t)(int64_t)pair.start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    memcpy(&pair, table + (size_t)(low - 1) * PAIR_BYTES, sizeof pair);
    uint64_t start = header->p_vaddr + (uint64_t)(int64_t)pair.start;
    uint64_t entry = header->p_vaddr + (uint64_t)(int64_t)pair.entry;
    return covers(elf, entry, start, address) ? start : 0;
}

uint64_t functionstart_find(Elf *elf, uint64_t address) {
    size_t nheaders = 0;
    if (elf_getphdrnum(elf, &nheaders) != 0)
        return 0;
    for (size_t i = 0; i < nheaders; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, (int)i, &header) != NULL &&
            header.p_type == PT_GNU_EH_FRAME)
            return find_in(elf, &header, address);
    }
    return 0;
}
