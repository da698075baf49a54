# moundmap-gdb.py: gdb prints the maps of libmoundmap as it prints std::map:
#
#   (gdb) source moundmap-gdb.py
#   (gdb) print *m
#   $1 = ages of 2 entries (B=0) = {["rob"] = 66, ["ken"] = 79}
#
# For maps and sets that a MOUND_MAP_ or MOUND_SET_ line declared, their
# iterators, struct mound_map (without a type: its header only) and struct
# mound_view. print /r prints the fields. It reads memory and calls nothing, so
# it works on cores, and in the middle of a write. What does not hold together
# is said in place of an entry, and ends the walk.
#
# The layout is drawn in mound_map_hmap.h; the same names are used here.
import re
import struct

import gdb
import gdb.printing

SLOTS = 8
INLINE_MAX = 128
B_MAX = 30
SPARE_B = 4
SPARE_SHIFT = 4
CHUNK_SHIFT = 6
LINE = 64

EMPTY = 0
EVACUATED = (2, 3, 4)

WRITING = 4
SAME_SIZE = 8
FREED = 128
FLAGS = ((1, 'iterator'), (2, 'old iterator'), (WRITING, 'writing'),
         (SAME_SIZE, 'same size'), (32, 'outgrown arrays'),
         (64, 'first bucket lent'), (FREED, 'freed'))
SHOWN = WRITING | SAME_SIZE | FREED  # in a line that has entries too

# Tophash bytes are read so many at a time.
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


def number(value):
    return int(value)


def round_up(n, align):
    return (n + align - 1) & -align


class Layout:
    """Where keys and elements are in a bucket's data: struct mound_map_type and
    the functions from mound_map_group_ on."""

    def __init__(self, entry):
        fields = {field.name: field.type for field in entry.fields()}
        self.key = fields['key']
        self.elem = fields.get('elem')
        self.key_apart, self.keyslot, key_align = self.slot(self.key)
        self.elem_apart, self.elemslot, elem_align = self.slot(self.elem)
        align = max(key_align, elem_align)
        self.group = SLOTS
        n = SLOTS
        while n > 1:
            if (n * self.keyslot % elem_align != 0 or
                    n * (self.keyslot + self.elemslot) % align != 0):
                break
            if n * (self.keyslot + self.elemslot) <= LINE:
                self.group = n
                break
            n //= 2
        self.elemoffset = round_up(self.group * self.keyslot, elem_align)
        self.groupsize = round_up(self.elemoffset + self.group * self.elemslot,
                                  align)
        self.datasize = SLOTS // self.group * self.groupsize

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

    def entry(self, base, index, slot):
        group = (base + index * self.datasize +
                 slot // self.group * self.groupsize)
        i = slot % self.group
        key = self.at(self.key, self.key_apart, group + i * self.keyslot)
        if self.elem is None:
            return key, None
        return key, self.at(self.elem, self.elem_apart,
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
            self.next = number(overflow['next_'])
            self.nchunks = number(overflow['nchunks_'])
            self.one = number(overflow['u_']['one_'])
            self.many = number(overflow['u_']['many_'])
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
    """A struct mound_map."""

    def __init__(self, value):
        self.count = number(value['count_'])
        self.flags = number(value['flags_'])
        self.B = number(value['B_'])
        self.nevacuate = number(value['nevacuate_'])
        self.buckets = number(value['buckets_'])
        self.oldbuckets = number(value['oldbuckets_'])
        self.extra = value['extra_']

    def oldB(self):
        return self.B - (not self.flags & SAME_SIZE)

    def what(self, one='entry', many='entries', all_flags=False):
        text = 'of %d %s (B=%d' % (self.count, one if self.count == 1 else many,
                                   self.B)
        if self.oldbuckets and 0 <= self.oldB() <= B_MAX:
            text += ', growing, nevacuate %d of %d' % (self.nevacuate,
                                                      1 << self.oldB())
        for bit, name in FLAGS:
            if self.flags & bit & (0xff if all_flags else SHOWN):
                text += ', ' + name
        return text + ')'

    def arrays(self):
        """The array, and the one being left or None."""
        if self.B > B_MAX:
            raise Damaged('B is %d, above %d' % (self.B, B_MAX))
        extra = self.extra.dereference() if number(self.extra) else None
        try:
            new = Array(self.buckets, self.B,
                        extra['overflow_'] if extra is not None else None)
            if not self.oldbuckets:
                return new, None
            if extra is None or not number(extra['old_']):
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

    def entries(self, layout):
        left = self.count
        if left == 0:
            return
        for base, index, tops in self.buckets_in_use():
            for slot, top in enumerate(tops):
                if top == EMPTY:
                    continue
                if top in EVACUATED:
                    raise Damaged('bucket %d of %#x has moved in part' %
                                  (index, base))
                yield layout.entry(base, index, slot)
                left -= 1
                if left == 0:
                    return  # not on through what may be much, and empty
        raise Damaged('%d of %d entries are missing' % (left, self.count))


def is_string(kind):
    """Keys of the ready-made string maps, and all that look like them."""
    kind = kind.strip_typedefs()
    if kind.code != gdb.TYPE_CODE_PTR:
        return False
    target = kind.target().unqualified().strip_typedefs()
    return target.code == gdb.TYPE_CODE_INT and target.name == 'char'


def key_shown(key):
    """A key as it reads best: strings without their address."""
    if is_string(key.type) and number(key) != 0:
        return key.lazy_string()
    return key


class MapPrinter:
    """A map that MOUND_MAP_... declared."""

    def __init__(self, value):
        self.name = name_of(value.type)
        self.map = Map(value['u_']['map_'])
        self.layout = Layout(value['u_']['entry_'].type.target())

    def is_set(self):
        return self.layout.elem is None

    def to_string(self):
        words = ('key', 'keys') if self.is_set() else ('entry', 'entries')
        return '%s %s' % (self.name, self.map.what(*words))

    def children(self):
        try:
            for i, (key, elem) in enumerate(self.map.entries(self.layout)):
                yield '[%d]' % (2 * i), key_shown(key)
                if elem is not None:
                    yield '[%d]' % (2 * i + 1), elem
        except Damaged as damaged:
            why = str(damaged)
            if self.map.flags & WRITING:
                why += '; a write is under way'
            if not self.is_set():
                yield '[damaged]', '<damaged>'
            yield '[why]', '<%s>' % why

    def display_hint(self):
        return 'array' if self.is_set() else 'map'


class IterPrinter:
    """The iterator of a declared map, or foreach's: the entry that it is at."""

    def __init__(self, value):
        self.name = re.sub('_cursor_$', '_iter', name_of(value.type))
        names = field_names(value.type.strip_typedefs())
        self.key = value['key']
        self.elem = value['elem'] if 'elem' in names else None
        insides = value[names[-1]]
        self.ended = number(insides['map_' if names[-1] == 'it_'
                                    else 'map']) == 0
        self.at_entry = not self.ended and number(self.key) != 0

    def to_string(self):
        if self.ended:
            return self.name + ', ended'
        if not self.at_entry:
            return self.name + ', not at an entry yet'
        return self.name + ' at'

    def children(self):
        if not self.at_entry:
            return
        yield '[0]', key_shown(self.key.dereference())
        if self.elem is not None:
            yield '[1]', self.elem.dereference()

    def display_hint(self):
        return 'array' if self.elem is None else 'map'


class HeaderPrinter:
    """A struct mound_map: without its type, no entries."""

    def __init__(self, value):
        self.map = Map(value)

    def to_string(self):
        return 'mound_map ' + self.map.what(all_flags=True)


class ViewPrinter:
    """A struct mound_view: size bytes at data."""

    def __init__(self, value):
        self.data = value['data']
        self.size = number(value['size'])

    def to_string(self):
        if self.size == 0:
            return ''
        if self.size >= 1 << 48:
            return '<damaged: %d bytes>' % self.size
        return self.data.lazy_string(length=self.size)

    def display_hint(self):
        return 'string'


def name_of(kind):
    named = kind.unqualified()
    return named.name or named.strip_typedefs().tag or 'map'


def field_names(kind):
    return [field.name for field in kind.fields()]


def find_printer(value):
    """The printer for a value, or None: by the shape of its type, for each
    program declares types of its own."""
    kind = value.type.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
        kind = value.type.strip_typedefs()
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return None
    try:
        if kind.tag == 'mound_map':
            return HeaderPrinter(value)
        if kind.tag == 'mound_view':
            return ViewPrinter(value)
        names = field_names(kind)
        if names == ['u_']:
            union = kind.fields()[0].type.strip_typedefs()
            if (union.code == gdb.TYPE_CODE_UNION and
                    field_names(union) == ['map_', 'entry_']):
                return MapPrinter(value)
        if names[:-1] in (['key'], ['key', 'elem']):
            insides = kind.fields()[-1].type.strip_typedefs()
            if (names[-1], insides.tag) in (('it_', 'mound_map_iter'),
                                            ('c_', 'mound_map_cursor_')):
                return IterPrinter(value)
    except (gdb.error, KeyError):
        return None  # an incomplete type, say: gdb's own way is better
    return None


class Printers(gdb.printing.PrettyPrinter):
    def __call__(self, value):
        return find_printer(value)


# Loaded by gdb beside the library, it belongs to that; sourced, to all.
gdb.printing.register_pretty_printer(gdb.current_objfile(),
                                     Printers('moundmap'), replace=True)
