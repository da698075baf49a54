# mound-gdb.py: MemStats of a live process or a core, in gdb:
#
#   gdb -p PID -x mound-gdb.py -ex mound-stats
#   gdb PROGRAM CORE -x mound-gdb.py -ex mound-stats
#
# It calls nothing in the process and needs no debugging information: the exported
# table mound_layout (alloc/runtime/layout.h) has the place of each field by name.
import struct

import gdb

MAGIC = 0x74756f79616c6d6f
VERSION = 1
HEADER = struct.Struct('<QII')
ENTRY = struct.Struct('<32sII')
ENTRIES_MAX = 4096
CACHES_MAX = 1 << 20


def memory(address, nbytes):
    return bytes(gdb.selected_inferior().read_memory(address, nbytes))


def number(data):
    return int.from_bytes(data, 'little')


def symbol(name):
    try:
        return int(gdb.parse_and_eval('(unsigned long)&' + name))
    except gdb.error as error:
        raise gdb.GdbError('no symbol %s: this process does not run on mound, '
                           'or on one from before this script' % name) from error


def read_layout():
    """The entries of mound_layout: {name: (value, bytes)}."""
    at = symbol('mound_layout')
    magic, version, _ = HEADER.unpack(memory(at, HEADER.size))
    if magic != MAGIC or version != VERSION:
        raise gdb.GdbError('mound_layout has version %d; this script reads '
                           'version %d' % (version, VERSION))
    entries = {}
    for i in range(ENTRIES_MAX):
        entry = memory(at + HEADER.size + i * ENTRY.size, ENTRY.size)
        name, value, nbytes = ENTRY.unpack(entry)
        if name[0] == 0:
            return entries
        entries[name.rstrip(b'\0').decode()] = value, nbytes
    raise gdb.GdbError('mound_layout has no end')


class Record:
    """The bytes of a struct of the process, copied when this object was made. Indexed by
    a member's name: an int, or 0 if this version of the library has no such member."""

    layout = {}

    def __init__(self, kind, address):
        self.kind = kind
        self.address = address
        self.data = memory(address, self.layout[kind][1])

    def place(self, member):
        return self.layout.get('%s.%s' % (self.kind, member), (0, 0))

    def __getitem__(self, member):
        offset, nbytes = self.place(member)
        return number(self.data[offset:offset + nbytes])

    def inner(self, member, kind, index=0):
        """A struct that is a member, or an element of one that is an array."""
        return Record(kind, self.address + self.place(member)[0] +
                      index * self.layout[kind][1])


def read_caches(head):
    """The caches of threads: a ring of links."""
    caches = []
    link = number(memory(head, 8)) if head else 0
    while head and link != head and len(caches) < CACHES_MAX:
        caches.append(Record('mcache', link - Record.layout['mcache.link'][0]))
        link = number(memory(link + Record.layout['list.next'][0], 8))
    return caches


class MoundStats(gdb.Command):
    """Print the MemStats of a process that runs on mound."""

    def __init__(self):
        super().__init__('mound-stats', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        Record.layout = read_layout()
        stats = Record('heapstats', symbol('mound_stats'))
        if not stats['magic']:
            raise gdb.GdbError('mound_stats is not filled in yet')
        page = stats['page_bytes']
        nclasses = stats['nclasses']
        classes = [stats.inner('classes', 'classstats', c)
                   for c in range(nclasses)]
        sampled = [stats.inner('sampled', 'classstats', c)
                   for c in range(nclasses)]
        caches = read_caches(stats['caches_head'])
        counts = [0] * nclasses
        cached = [0] * nclasses
        for cache in caches:
            for c in range(1, nclasses):
                m = cache.inner('magazines', 'magazine', c)
                counts[c] += m['count']
                cached[c] += (m['top'] - m['bottom']) // 8

        own = stats.inner('large', 'largestats')
        held = sum(c['large.held_bytes'] for c in caches)
        hits = sum(c['large.nhits'] for c in caches)
        large = own['nmallocs'] + hits
        large_frees = own['nfrees'] + hits + sum(c['large.nheld'] for c in caches)
        large_bytes = own['alloc_bytes'] - held
        late = stats['emergency_bytes']
        mallocs = large + stats['emergency_mallocs']
        frees = large_frees + stats['emergency_frees']
        alloc = large_bytes + late
        total = (own['total_alloc_bytes'] + stats['emergency_total_bytes'] +
                 sum(c['large.hit_bytes'] for c in caches))
        rows = []
        for c in range(1, nclasses):
            of, more = classes[c], sampled[c]
            size = of['elemsize'] or more['elemsize']
            # Modulo 2**64: a magazine's count may be negative, down to the next sample.
            made = (of['nretired'] + counts[c]) % 2**64 + more['nretired']
            live = (of['nslots'] - of['nfree'] - of['ntransfer'] - cached[c] +
                    more['nslots'] - more['nfree'] - more['ntransfer'])
            mallocs += made
            frees += made - live
            alloc += live * size
            total += made * size
            if made:
                rows.append((c, size, made, made - live, live, live * size))
        sys, inuse = stats['sys_pages'] * page, stats['inuse_pages'] * page
        for name, value in (('Alloc', alloc), ('TotalAlloc', total),
                            ('Mallocs', mallocs), ('Frees', frees),
                            ('HeapObjects', mallocs - frees),
                            ('HeapSys', sys + late),
                            ('HeapInuse', inuse + late),
                            ('HeapIdle', sys - inuse),
                            ('HeapReleased', stats['released_pages'] * page),
                            ('HeapHoles', sum(c['hole_bytes']
                                              for c in classes + sampled)),
                            ('threads', len(caches) - stats['norphans'])):
            print('  %-14s %16d' % (name, value))
        print('\n  class   bytes      mallocs        frees       live'
              '   live bytes')
        for row in rows:
            print('%7d %7d %12d %12d %10d %12d' % row)
        if large:
            print('  large %7s %12d %12d %10d %12d' %
                  ('', large, large_frees, large - large_frees, large_bytes))


MoundStats()
