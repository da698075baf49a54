# moundmap_entries.py: where the entries of libmoundmap's maps are in memory.
# moundmap_printers.py prints them.
#
# A Map is a map's header: what there is to say of it, and a walk over its
# entries, as pairs of values of gdb, the second None in sets. What does not
# hold together raises Damaged. Layouts are drawn in mound_map_hmap.h and
# mound_swiss_table.h; the same names are used here.
import struct

import gdb

INLINE_MAX = 128

# The classic map.
SLOTS = 8
B_MAX = 30
SPARE_B = 4
SPARE_SHIFT = 4
CHUNK_SHIFT = 6
LINE = 64

EMPTY = 0
EVACUATED = (2, 3, 4)

# The Swiss map.
GROUP = 16
GROUP_SLOTS = 15
MIN_TAG = 2
SHIFT = 63
DEPTH_MAX = 40
REF = struct.Struct('<QQ')    # of the directory
TABLE = struct.Struct('<QQIiIBBBB')

# Metadata is read so many bytes at a time.
CHUNK = 1 << 16


class Damaged(Exception):
    """The map is not what it should be; the text says in what."""


def read(address, nbytes):
    address %= 1 << 64
    try:
        return bytes(gdb.selected_inferior().read_memory(address, nbytes))
    except gdb.MemoryError:
        raise Damaged('cannot read %d bytes at %#x' % (nbytes, address))


def word32(address):
    return struct.unpack('<I', read(address, 4))[0]


def round_up(n, align):
    return (n + align - 1) & -align


class Slots:
    """What of keys and elements is in a map's slots: struct mound_map_type."""

    def __init__(self, entry):
        fields = {field.name: field.type for field in entry.fields()}
        self.key = fields['key']
        self.elem = fields.get('elem')
        self.key_apart, self.keyslot, key_align = self.slot(self.key)
        self.elem_apart, self.elemslot, self.elem_align = self.slot(self.elem)
        self.align = max(key_align, self.elem_align)

    @staticmethod
    def slot(kind):
        if kind is None:  # a set
            return False, 0, 1
        if kind.sizeof > INLINE_MAX:
            pointer = gdb.lookup_type('void').pointer()
            return True, pointer.sizeof, pointer.alignof
        return False, kind.sizeof, kind.alignof or 1

    def at(self, kind, apart, place):
        if apart:
            place = struct.unpack('<Q', read(place, 8))[0]
        return gdb.Value(place).cast(kind.pointer()).dereference()

    def entry(self, key_place, elem_place):
        key = self.at(self.key, self.key_apart, key_place)
        if self.elem is None:
            return key, None
        return key, self.at(self.elem, self.elem_apart, elem_place)


class Buckets(Slots):
    """The places in a bucket's data: the functions from mound_map_group_ on."""

    def __init__(self, entry):
        super().__init__(entry)
        self.group = SLOTS
        n = SLOTS
        while n > 1:
            if (n * self.keyslot % self.elem_align != 0 or
                    n * (self.keyslot + self.elemslot) % self.align != 0):
                break
            if n * (self.keyslot + self.elemslot) <= LINE:
                self.group = n
                break
            n //= 2
        self.elemoffset = round_up(self.group * self.keyslot, self.elem_align)
        self.groupsize = round_up(self.elemoffset + self.group * self.elemslot,
                                  self.align)
        self.datasize = SLOTS // self.group * self.groupsize

    def entry_of(self, base, index, slot):
        group = (base + index * self.datasize +
                 slot // self.group * self.groupsize)
        i = slot % self.group
        return self.entry(group + i * self.keyslot,
                          group + self.elemoffset + i * self.elemslot)


class Array:
    """An array of 2^B buckets and its overflow buckets."""

    def __init__(self, base, B, overflow):
        self.base = base
        self.B = B
        self.nbuckets = 1 << B
        if B >= SPARE_B:
            self.nbuckets += self.nbuckets >> SPARE_SHIFT
        self.chunkshift = max(B - CHUNK_SHIFT, 0)
        self.next = self.nchunks = 0
        if overflow is not None:
            self.next = int(overflow['next_'])
            self.nchunks = int(overflow['nchunks_'])
            self.one = int(overflow['u_']['one_'])
            self.many = int(overflow['u_']['many_'])
        self.tops_first = self.tops_end = 0

    def tops_of(self, i):
        """The tophash bytes of base bucket i, from a cache of many, that has their
        filters too."""
        if not self.tops_first <= i < self.tops_end:
            n = CHUNK // SLOTS
            self.tops_first = i // n * n
            self.tops_end = min(self.tops_first + n, 1 << self.B)
            n = self.tops_end - self.tops_first
            self.tops = read(self.base - SLOTS * self.tops_end, SLOTS * n)
            self.filters = bytes(n) if self.B == 0 else read(
                self.base - ((SLOTS + 1) << self.B) - self.tops_end, n)
        at = SLOTS * (self.tops_end - 1 - i)
        return self.tops[at:at + SLOTS]

    def overflows(self, i):
        """Whether base bucket i has entries in overflow buckets."""
        self.tops_of(i)
        return self.filters[self.tops_end - 1 - i] != 0

    def skip_empty(self, i):
        """i, or the first base bucket after a piece of the array in which there
        is nothing: large maps may be nearly empty."""
        while i < 1 << self.B:
            self.tops_of(i)
            if (i > self.tops_first or self.tops.count(0) < len(self.tops) or
                    self.filters.count(0) < len(self.filters)):
                break
            i = self.tops_end
        return i

    def follow(self, base, index, last):
        """The bucket after one, as (base, index, number), or None."""
        if self.B == 0:
            return None
        front = ((SLOTS + 2) << self.B if base == self.base
                 else SLOTS << self.chunkshift)
        link = word32(base - front - 4 * (index + 1))
        if link == 0:
            return None
        # Buckets are numbered in the order in which they are appended to
        # chains, so that a chain's numbers rise, and it ends.
        if link < 1 << self.B or link >= self.next or link <= last:
            raise Damaged('bucket %d of %#x links to bucket %d' %
                          (index, base, link))
        if link < self.nbuckets:
            return self.base, link, link
        chunk = (link - self.nbuckets) >> self.chunkshift
        if chunk >= self.nchunks:
            raise Damaged('bucket %d of %#x links to bucket %d, in block %d of '
                          '%d' % (index, base, link, chunk, self.nchunks))
        where = self.one
        if self.nchunks > 1:
            where = struct.unpack('<Q', read(self.many + 8 * chunk, 8))[0]
        return (where, (link - self.nbuckets) & ((1 << self.chunkshift) - 1),
                link)

    def is_evacuated(self, i):
        return self.tops_of(i)[0] in EVACUATED

    def chain(self, i):
        """Base, index and tophash bytes of bucket i and those after it."""
        tops = self.tops_of(i)
        base, index, last = self.base, i, 0
        overflows = self.overflows(i)
        while True:
            yield base, index, tops
            # Bytes are read only if need be.
            if not overflows:
                return
            after = self.follow(base, index, last)
            if after is None:
                return
            base, index, last = after
            tops = read(base - SLOTS * (index + 1), SLOTS)


class Map:
    """The header of a map of either kind."""

    # Bits of its flags, with their names; those of both kinds, and those that
    # are shown in a line that has entries too.
    FLAGS = ()
    SHOWN = WRITING = 0

    def __init__(self, value):
        self.count = int(value['count_'])
        self.flags = int(value['flags_'])

    def state(self):
        """What is said of it beside the number of entries."""
        raise NotImplementedError

    def what(self, one='entry', many='entries', all_flags=False):
        text = 'of %d %s (%s' % (self.count, one if self.count == 1 else many,
                                 self.state())
        for bit, name in self.FLAGS:
            if self.flags & bit & (0xff if all_flags else self.SHOWN):
                text += ', ' + name
        return text + ')'

    def places(self, entry):
        """The entries of a map whose type of entries is this."""
        raise NotImplementedError

    def entries(self, entry):
        left = self.count
        if left == 0:
            return
        for found in self.places(entry):
            yield found
            left -= 1
            if left == 0:
                return  # not on through what may be much, and empty
        raise Damaged('%d of %d entries are missing' % (left, self.count))


class ClassicMap(Map):
    """A struct mound_map."""

    WRITING = 4
    SAME_SIZE = 8
    FREED = 128
    FLAGS = ((1, 'iterator'), (2, 'old iterator'), (WRITING, 'writing'),
             (SAME_SIZE, 'same size'), (32, 'outgrown arrays'),
             (64, 'first bucket lent'), (FREED, 'freed'))
    SHOWN = WRITING | SAME_SIZE | FREED

    def __init__(self, value):
        super().__init__(value)
        self.B = int(value['B_'])
        self.nevacuate = int(value['nevacuate_'])
        self.buckets = int(value['buckets_'])
        self.oldbuckets = int(value['oldbuckets_'])
        self.extra = value['extra_']

    def oldB(self):
        return self.B - (not self.flags & self.SAME_SIZE)

    def state(self):
        text = 'B=%d' % self.B
        if self.oldbuckets and 0 <= self.oldB() <= B_MAX:
            text += ', growing, nevacuate %d of %d' % (self.nevacuate,
                                                      1 << self.oldB())
        return text

    def arrays(self):
        """The array, and the one being left or None."""
        if self.B > B_MAX:
            raise Damaged('B is %d, above %d' % (self.B, B_MAX))
        extra = self.extra.dereference() if int(self.extra) else None
        try:
            new = Array(self.buckets, self.B,
                        extra['overflow_'] if extra is not None else None)
            if not self.oldbuckets:
                return new, None
            if extra is None or not int(extra['old_']):
                raise Damaged('growing without a record of the old array')
            if self.oldB() < 0:
                raise Damaged('growing to B=0')
            old = extra['old_'].dereference()
            return new, Array(self.oldbuckets, self.oldB(), old['overflow_'])
        except gdb.MemoryError as error:
            raise Damaged(str(error))

    def buckets_in_use(self):
        """Base, index and tophash bytes of each bucket that holds entries."""
        if not self.buckets:
            raise Damaged('%d entries and no buckets' % self.count)
        new, old = self.arrays()
        i = 0
        while i < 1 << self.B:
            if old is None:
                i = new.skip_empty(i)
            elif not old.is_evacuated(i & ((1 << old.B) - 1)):
                # The new bucket is uninitialised until the old one has moved.
                if i < 1 << old.B:
                    yield from old.chain(i)
                i += 1
                continue
            if i < 1 << self.B:
                yield from new.chain(i)
            i += 1

    def places(self, entry):
        layout = Buckets(entry)
        for base, index, tops in self.buckets_in_use():
            for slot, top in enumerate(tops):
                if top == EMPTY:
                    continue
                if top in EVACUATED:
                    raise Damaged('bucket %d of %#x has moved in part' %
                                  (index, base))
                yield layout.entry_of(base, index, slot)


class SwissMap(Map):
    """A struct mound_swiss."""

    WRITING = 1
    FREED = 2
    FLAGS = ((WRITING, 'writing'), (FREED, 'freed'))
    SHOWN = WRITING | FREED

    def __init__(self, value):
        super().__init__(value)
        self.dir = int(value['dir_'])
        # A directory of one table is two entries that are alike, in the header.
        self.depth = SHIFT + 1 - (int(value['shift_']) & SHIFT)
        if self.depth == 1 and self.dir == int(value['one_'].address or 0):
            self.depth = 0
        self.waiting = int(value['old_']) != 0

    def state(self):
        return 'depth=%d' % self.depth

    def what(self, one='entry', many='entries', all_flags=False):
        text = super().what(one, many, all_flags)
        if all_flags and self.waiting:
            text = text[:-1] + ', replaced tables)'
        return text

    def tables(self, slotsize):
        """Base and mask of each table, in the order of the directory."""
        if self.depth > DEPTH_MAX:
            raise Damaged('depth is %d, above %d' % (self.depth, DEPTH_MAX))
        i, first, refs = 0, 0, b''
        while i < 1 << self.depth:
            at = REF.size * (i - first)
            if at >= len(refs):
                first, at = i, 0
                n = min((1 << self.depth) - i, CHUNK // REF.size)
                refs = read(self.dir + REF.size * i, REF.size * n)
            base, mask = REF.unpack_from(refs, at)
            depth = self.check_table(base, mask, slotsize, i)
            yield base, mask
            i += 1 << self.depth >> depth

    def check_table(self, base, mask, slotsize, i):
        """The depth of the table that entry i of the directory names."""
        groups, rest = divmod(mask, GROUP)
        if rest or groups & (groups + 1) or mask >= 1 << 32:
            raise Damaged('table %d of %#x has the mask %#x' %
                          (i, self.dir, mask))
        _, prefix, _, _, _, ngroups_log2, depth, _, _ = TABLE.unpack(
            read(base + slotsize, TABLE.size))
        its_mask = (GROUP << ngroups_log2) - GROUP
        if its_mask != mask:
            raise Damaged('table %d of %#x has the mask %#x, not %#x' %
                          (i, self.dir, its_mask, mask))
        if (depth > self.depth or
                prefix >> SHIFT + 1 - self.depth != i or
                i % (1 << self.depth >> depth)):
            raise Damaged('table %d of %#x has the depth %d and the prefix %#x' %
                          (i, self.dir, depth, prefix))
        return depth

    def places(self, entry):
        slots = Slots(entry)
        elemoffset = round_up(slots.keyslot, slots.elem_align)
        slotsize = round_up(elemoffset + slots.elemslot, slots.align)
        for base, mask in self.tables(slotsize):
            metadata = base + slotsize + TABLE.size
            for first in range(0, mask + GROUP, CHUNK):
                tags = read(metadata + first,
                            min(CHUNK, mask + GROUP - first))
                for at, tag in enumerate(tags):
                    if tag < MIN_TAG or at % GROUP == GROUP_SLOTS:
                        continue
                    group = (first + at) // GROUP
                    place = base - slotsize * (GROUP_SLOTS * group + at % GROUP)
                    yield slots.entry(place, place + elemoffset)
