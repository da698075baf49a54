#!/usr/bin/env python3
"""Writes alloc/heap/sizeclasses.c: Go's size classes by Go's rule, and the
number of pages that mound gives a span of each.

Usage: scripts/mksizeclasses.py > alloc/heap/sizeclasses.c

The rule for the sizes is that of Go 1.19's runtime/mksizeclasses.go, restated:
go upwards in steps that depend on the size; give each size the fewest pages that
waste at most 1/8; merge neighbours with equal pages and slots; finally enlarge
every class as far as its number of slots allows.
"""
import sys

PAGE = 8192
MAX_SMALL = 32768
LOOKUP_STEP = 8
SLOTS_WANTED = 16     # so that a refill does not take pages for every object
SPAN_BYTES_MAX = 64 << 10


def go_classes():
    align, sizes = 8, []
    size = align
    while size <= MAX_SMALL:
        if size & (size - 1) == 0:
            if size >= 2048:
                align = 256
            elif size >= 128:
                align = size // 8
            elif size >= 32:
                align = 16
        npages = 1
        while npages * PAGE % size > npages * PAGE // 8:
            npages += 1
        if sizes and npages == sizes[-1][1] and \
                npages * PAGE // size == npages * PAGE // sizes[-1][0]:
            sizes[-1] = (size, npages)
        else:
            sizes.append((size, npages))
        size += align
    classes = [(0, 0)]
    for size, npages in sizes:
        nelems = npages * PAGE // size
        grown = npages * PAGE // nelems
        grown -= grown % 128
        classes.append((max(size, grown), npages))
    return classes


def mound_pages(size, npages):
    """The pages of a span: more than Go's if that has few slots, at most 64 KiB, and with
    at most 1/8 lost at the end."""
    best = npages
    for n in range(npages, max(npages, SPAN_BYTES_MAX // PAGE) + 1):
        if best * PAGE // size >= SLOTS_WANTED:
            break
        if n * PAGE // size > best * PAGE // size and \
                n * PAGE % size <= n * PAGE // 8:
            best = n
    return best


def magic(size):
    return 0 if size == 0 else 0xffffffff // size + 1


def main():
    classes = go_classes()
    assert len(classes) == 68, len(classes)
    rows = [(s, p, mound_pages(s, p) if s else 0) for s, p in classes]
    for size, _, npages in rows[1:]:
        for offset in range(npages * PAGE + 1):
            assert offset * magic(size) >> 32 == offset // size, size
    # C requires 16 for objects that can hold a max_align_t; glibc aligns all to 16.
    assert rows[2][0] == 16
    lookup, c = [2], 2     # malloc(0) uses the smallest class
    for size in range(LOOKUP_STEP, MAX_SMALL + 1, LOOKUP_STEP):
        while rows[c][0] < size:
            c += 1
        # 24-byte slots are only 8-aligned.
        lookup.append(c + 1 if rows[c][0] == 24 else c)

    out = sys.stdout.write
    out("// Written by scripts/mksizeclasses.py; do not edit.\n//\n")
    out("// class  bytes  pages (Go's)  slots   tail  worst waste\n")
    previous = 0
    for c, (size, go_pages, npages) in enumerate(rows):
        if size == 0:
            continue
        nslots = npages * PAGE // size
        tail = npages * PAGE - nslots * size
        lost = (size - previous - 1) * nslots + tail
        out("// %5d %6d %6d (%d) %11d %6d %10.2f%%\n" %
            (c, size, npages, go_pages, nslots, tail,
             100 * lost / (npages * PAGE)))
        previous = size
    out('#include "heap/sizeclass.h"\n\n')

    def table(kind, name, values, per_line, fmt="%d"):
        out("const %s %s[%d] = {\n" % (kind, name, len(values)))
        for i in range(0, len(values), per_line):
            line = ", ".join(fmt % v for v in values[i:i + per_line])
            out("    %s,\n" % line)
        out("};\n\n")

    out("// clang-format off\n")
    table("uint16_t", "sizeclass_bytes", [r[0] for r in rows], 11)
    table("uint8_t", "sizeclass_first_pages", [r[1] for r in rows], 20)
    table("uint8_t", "sizeclass_pages", [r[2] for r in rows], 20)
    table("uint32_t", "sizeclass_magic", [magic(r[0]) for r in rows], 6)
    table("uint8_t", "sizeclass_of_size", lookup, 19)
    out("const uint8_t sizeclass_aligned[%d][%d] = {\n" %
        (PAGE.bit_length(), len(rows)))
    for log2 in range(PAGE.bit_length()):
        aligned = [next((k for k in range(c, len(rows))
                         if rows[k][0] % (1 << log2) == 0), 0)
                   for c in range(len(rows))]
        aligned[0] = 0
        for i in range(0, len(aligned), 17):
            out("    %s%s%s\n" % ("{" if i == 0 else " ",
                                 ", ".join("%d" % c
                                           for c in aligned[i:i + 17]),
                                 "}," if i + 17 >= len(aligned) else ","))
    out("};\n\n")
    out("// clang-format on\n")


if __name__ == "__main__":
    main()
