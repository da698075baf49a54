# moundmap_printers.py: how gdb prints the maps of libmoundmap. moundmap-gdb.py
# loads it.
#
# For maps and sets that a MOUND_MAP_, MOUND_SET_ or MOUND_SWISS_ line declared,
# their iterators, struct mound_map and struct mound_swiss (without a type: their
# headers only) and struct mound_view. print /r prints the fields. It reads memory
# and calls nothing, so it works on cores, and in the middle of a write. What does
# not hold together is said in place of an entry, and ends the walk.
import re

import gdb
import gdb.printing

import moundmap_entries as entries

# The struct of each kind of map, and what reads it.
MAPS = {'mound_map': entries.ClassicMap, 'mound_swiss': entries.SwissMap}
# The last field of a declared iterator, and its struct: of begin, and of foreach.
ITERATORS = [pair for kind in MAPS
             for pair in (('it_', kind + '_iter'), ('c_', kind + '_cursor_'))]


def map_of(value):
    return MAPS[value.type.strip_typedefs().tag](value)


def is_string(kind):
    """Keys of the ready-made string maps, and all that look like them."""
    kind = kind.strip_typedefs()
    if kind.code != gdb.TYPE_CODE_PTR:
        return False
    target = kind.target().unqualified().strip_typedefs()
    return target.code == gdb.TYPE_CODE_INT and target.name == 'char'


def key_shown(key):
    """A key as it reads best: strings without their address."""
    if is_string(key.type) and int(key) != 0:
        return key.lazy_string()
    return key


class MapPrinter:
    """A map or set of a declared type."""

    def __init__(self, value):
        self.name = name_of(value.type)
        self.map = map_of(value['u_']['map_'])
        self.entry = value['u_']['entry_'].type.target()
        self.is_set = 'elem' not in field_names(self.entry)

    def to_string(self):
        words = ('key', 'keys') if self.is_set else ('entry', 'entries')
        return '%s %s' % (self.name, self.map.what(*words))

    def children(self):
        try:
            for i, (key, elem) in enumerate(self.map.entries(self.entry)):
                yield '[%d]' % (2 * i), key_shown(key)
                if elem is not None:
                    yield '[%d]' % (2 * i + 1), elem
        except entries.Damaged as damaged:
            why = str(damaged)
            if self.map.flags & self.map.WRITING:
                why += '; a write is under way'
            if not self.is_set:
                yield '[damaged]', '<damaged>'
            yield '[why]', '<%s>' % why

    def display_hint(self):
        return 'array' if self.is_set else 'map'


class IterPrinter:
    """The iterator of a declared map, or foreach's: the entry that it is at."""

    def __init__(self, value):
        self.name = re.sub('_cursor_$', '_iter', name_of(value.type))
        names = field_names(value.type.strip_typedefs())
        self.key = value['key']
        self.elem = value['elem'] if 'elem' in names else None
        insides = value[names[-1]]
        self.ended = int(insides['map_' if names[-1] == 'it_'
                                    else 'map']) == 0
        self.at_entry = not self.ended and int(self.key) != 0

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
    """The header of a map: without its type, no entries."""

    def __init__(self, value):
        self.name = value.type.strip_typedefs().tag
        self.map = map_of(value)

    def to_string(self):
        return self.name + ' ' + self.map.what(all_flags=True)


class ViewPrinter:
    """A struct mound_view: size bytes at data."""

    def __init__(self, value):
        self.data = value['data']
        self.size = int(value['size'])

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
        if kind.tag in MAPS:
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
            if (names[-1], insides.tag) in ITERATORS:
                return IterPrinter(value)
    except (gdb.error, KeyError):
        return None  # an incomplete type, say: gdb's own way is better
    return None


class Printers(gdb.printing.PrettyPrinter):
    def __call__(self, value):
        return find_printer(value)

