# mound-gdb.py: MemStats of a live process or a core, in gdb:
#
#   gdb -p PID -x mound-gdb.py -ex mound-stats
#   gdb PROGRAM CORE -x mound-gdb.py -ex mound-stats
#
# It calls nothing in the process and needs no debugging information: the
# exported symbol mound_stats (alloc/heap/heapstats.h) says where everything is.
import struct

import gdb

MAGIC = 0x31535453646e756f
HEADER = struct.Struct('<QIIIIQIIIIII')
CLASS = struct.Struct('<7Q8x')  # a cache line
LARGE = struct.Struct('<4Q')
CACHED_LARGE = struct.Struct('<4Q')
PAGES = struct.Struct('<4Q')
EMERGENCY = struct.Struct('<4Q')


def memory(address, nbytes):
    return bytes(gdb.selected_inferior().read_memory(address, nbytes))


def word(address):
    return struct.unpack('<Q', memory(address, 8))[0]


class MoundStats(gdb.Command):
    """Print the MemStats of a process that runs on mound."""

    def __init__(self):
        super().__init__('mound-stats', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        try:
            base = int(gdb.parse_and_eval('(unsigned long)&mound_stats'))
        except gdb.error:
            raise gdb.GdbError('no symbol mound_stats: '
                               'this process does not run on mound')
        header = HEADER.unpack(memory(base, HEADER.size))
        (magic, version, nbytes, nclasses, page, head, link_offset,
         magazines_offset, magazine_bytes, top_offset, bottom_offset,
         count_offset) = header
        if magic != MAGIC:
            raise gdb.GdbError('mound_stats is not filled in yet')
        if version != 2:
            raise gdb.GdbError('mound_stats has version %d; this script reads '
                               'version 2' % version)
        at = base + align_line(HEADER.size)
        classes = []
        for _ in range(nclasses):
            classes.append(CLASS.unpack(memory(at, CLASS.size)))
            at += CLASS.size
        large = LARGE.unpack(memory(at, LARGE.size))
        at += LARGE.size
        inuse, sys, _, released = PAGES.unpack(memory(at, PAGES.size))
        at += PAGES.size
        late = EMERGENCY.unpack(memory(at, EMERGENCY.size))
        at = base + align_line(at + EMERGENCY.size - base)
        sampled = [(0,) * 7] * nclasses  # a library from before there were any
        if base + nbytes >= at + nclasses * CLASS.size:
            sampled = [CLASS.unpack(memory(at + c * CLASS.size, CLASS.size))
                       for c in range(nclasses)]
            at += nclasses * CLASS.size
        large_offset = 0  # of what a cache keeps of large objects
        if base + nbytes >= at + 8:
            large_offset = word(at)
        norphans = 0  # caches of threads that a fork left behind
        if base + nbytes >= at + 16:
            norphans = word(at + 8)
        large = list(large)

        counts = [0] * nclasses
        cached = [0] * nclasses
        ncaches = 0
        link = word(head) if head else 0
        while head and link != head:
            cache = link - link_offset
            ncaches += 1
            for c in range(1, nclasses):
                m = cache + magazines_offset + c * magazine_bytes
                counts[c] += word(m + count_offset)
                cached[c] += (word(m + top_offset) -
                              word(m + bottom_offset)) // 8
            if large_offset:
                hits, hit_bytes, held, held_bytes = CACHED_LARGE.unpack(
                    memory(cache + large_offset, CACHED_LARGE.size))
                large[0] += hits
                large[1] += hits + held
                large[2] -= held_bytes
                large[3] += hit_bytes
            link = word(link)

        mallocs = large[0] + late[0]
        frees = large[1] + late[1]
        alloc = large[2] + late[2]
        total = large[3] + late[3]
        rows = []
        for c in range(1, nclasses):
            size, nslots, nfree, ntransfer, nretired, _, _ = classes[c]
            # A count may stand below zero, for the next sample.
            made = (nretired + counts[c]) % 2**64 + sampled[c][4]
            live = (nslots - nfree - ntransfer - cached[c] +
                    sampled[c][1] - sampled[c][2])
            mallocs += made
            frees += made - live
            alloc += live * size
            total += made * size
            if made:
                rows.append((c, size, made, made - live, live, live * size))
        for name, value in (('Alloc', alloc), ('TotalAlloc', total),
                            ('Mallocs', mallocs), ('Frees', frees),
                            ('HeapObjects', mallocs - frees),
                            ('HeapSys', sys * page + late[2]),
                            ('HeapInuse', inuse * page + late[2]),
                            ('HeapIdle', (sys - inuse) * page),
                            ('HeapReleased', released * page),
                            ('HeapHoles', sum(c[6] for c in classes)),
                            ('threads', ncaches - norphans)):
            print('  %-14s %16d' % (name, value))
        print('\n  class   bytes      mallocs        frees       live'
              '   live bytes')
        for row in rows:
            print('%7d %7d %12d %12d %10d %12d' % row)
        if large[0]:
            print('  large %7s %12d %12d %10d %12d' %
                  ('', large[0], large[1], large[0] - large[1], large[2]))


def align_line(n):
    return (n + 63) // 64 * 64


MoundStats()
