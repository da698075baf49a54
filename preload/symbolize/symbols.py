# symbols.py: which symbol an address is in, by the best table of symbols that is
# there: a separate file's, the file's own, or what is left of it.

import bisect
import io
import os
import struct

from elf import ELF_SYMBOL, Elf, c_string, open_elf, round_up
from trouble import Unusable, complain, reason

try:
    import lzma
except ImportError:  # a python built without it: no .gnu_debugdata
    lzma = None

DEBUGDATA_MAX = 1 << 28  # unpacked

SYMBOL_NOTYPE, SYMBOL_FUNC, SYMBOL_IFUNC = 0, 2, 10
SYMBOL_KINDS = frozenset((SYMBOL_NOTYPE, SYMBOL_FUNC, SYMBOL_IFUNC))
SYMBOL_LOCAL = 0
SYMBOL_NO_SECTION = 0


class Start:
    """The last symbol that starts at an address or before it."""

    def __init__(self, value, order, name, section):
        self.value = value
        self.order = order  # among those that start at value, the first one wins
        self.name = name  # None if it has a size
        self.section = section


class Symbols:
    """Finds the symbols that contain some addresses. A symbol table may have a million
    symbols and there are few addresses, so each symbol is looked up among the addresses,
    and only those that match are kept."""

    def __init__(self, addresses):
        self._addresses = addresses  # in order
        self._best = [None] * len(addresses)  # among symbols with a size
        # Of those between this address and the one before.
        self._starts = [None] * len(addresses)

    def add(self, elf, name):
        """Adds a symbol table, if the file has it; returns whether it has."""
        table = elf.section(name)
        if table is None or table.link >= len(elf.sections):
            return False
        names = elf.read_section(elf.sections[table.link])
        data = elf.read_section(table)
        data = data[:len(data) - len(data) % ELF_SYMBOL.size]
        sections = elf.sections
        addresses = self._addresses
        for symbol in ELF_SYMBOL.iter_unpack(data):
            name_at, info, _, section, value, size = symbol
            kind = info & 15
            if (kind not in SYMBOL_KINDS or
                    not SYMBOL_NO_SECTION < section < len(sections)):
                continue
            i = bisect.bisect_left(addresses, value)
            if (i == len(addresses) or kind == SYMBOL_NOTYPE and
                    not sections[section].is_code_at(value)):
                continue
            if size == 0:
                text = plain_name(c_string(names, name_at))
                if text:
                    self._add_start(i, Start(
                        value, (1, name_rank(info, text)), text,
                        sections[section]))
                continue
            self._add_start(i, Start(value, (0,), None, None))
            if addresses[i] >= value + size:
                continue
            text = plain_name(c_string(names, name_at))
            # The innermost, as a part may have a name of its own.
            best = (-value, size, name_rank(info, text), text)
            while text and i < len(addresses) and addresses[i] < value + size:
                if self._best[i] is None or best < self._best[i]:
                    self._best[i] = best
                i += 1
        return True

    def _add_start(self, i, start):
        last = self._starts[i]
        if (last is None or last.value < start.value or
                last.value == start.value and start.order < last.order):
            self._starts[i] = start

    def sized(self, i):
        """The name of the symbol that covers addresses[i], or None."""
        return self._best[i][-1] if self._best[i] else None

    def sizeless(self, i):
        """The start of the last symbol up to addresses[i] if it has no size, so that it
        may reach to there; else None."""
        address = self._addresses[i]
        while i > 0 and self._starts[i] is None:
            i -= 1
        start = self._starts[i]
        if (start is None or start.name is None or
                not start.section.is_code_at(address)):
            return None
        return start


def plain_name(name):
    """The name without its version; empty for marks that are not functions."""
    name = name.split(b'@')[0]
    return b'' if name.startswith((b'$', b'.L')) else name


def name_rank(info, name):
    """Sort key for names of one address: malloc before __libc_malloc."""
    return (info & 15 == SYMBOL_NOTYPE, info >> 4 == SYMBOL_LOCAL, len(name),
            name)


def debug_link(elf):
    """Name and checksum of the file that .gnu_debuglink names, or None."""
    section = elf.section(b'.gnu_debuglink')
    if section is None:
        return None
    data = elf.read_section(section)
    name = c_string(data, 0)
    crc_at = round_up(len(name) + 1, 4)
    if (not name or b'/' in name or name in (b'.', b'..') or
            crc_at + 4 > len(data)):
        return None
    return name, struct.unpack_from('<I', data, crc_at)[0]


def separate_files(elf, path, build_id, debug_dir):
    """Yields the paths where a separate debug file may be, in gdb's order, each with its
    checksum, or None if that is not known."""
    if build_id:
        yield os.path.join(os.fsencode(debug_dir), b'.build-id',
                           os.fsencode(build_id[:2]),
                           os.fsencode(build_id[2:] + '.debug')), None
    link = debug_link(elf)
    if link is None:
        return
    name, crc = link
    # /lib may be a link to /usr/lib: both names are tried.
    for folder in dict.fromkeys((os.path.dirname(path),
                                 os.path.dirname(os.path.realpath(path)))):
        yield os.path.join(folder, name), crc
        yield os.path.join(folder, b'.debug', name), crc
        yield os.path.join(os.fsencode(debug_dir), folder.lstrip(b'/'),
                           name), crc


def add_separate(symbols, path, build_id, crc):
    """Adds the symbols of a separate debug file; returns whether it has some."""
    try:
        with open_elf(path) as file:
            debug = Elf(file)
            if debug.section(b'.symtab') is None or (
                    build_id and debug.build_id() not in ('', build_id)):
                return False
            if crc is None and debug.build_id() != build_id:
                return False
            if crc is not None and debug.checksum() != crc:
                raise Unusable('its checksum is not the one in .gnu_debuglink')
            return symbols.add(debug, b'.symtab')
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, Unusable) as error:
        complain(path, reason(error))
        return False


def is_same_file(one, other):
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def all_symbols(elf, path, build_id, debug_dir, addresses):
    """The symbols of a file from the best source, and whether they are (nearly) all that
    it had when it was linked."""
    for separate, crc in separate_files(elf, path, build_id, debug_dir):
        symbols = Symbols(addresses)
        if (not is_same_file(separate, path) and
                add_separate(symbols, separate, build_id, crc)):
            return symbols, True
    symbols = Symbols(addresses)
    if symbols.add(elf, b'.symtab'):
        return symbols, True
    small = elf.section(b'.gnu_debugdata')
    if small is not None and lzma is not None:
        try:
            data = lzma.LZMADecompressor(memlimit=DEBUGDATA_MAX).decompress(
                elf.read_section(small), DEBUGDATA_MAX)
            symbols.add(Elf(io.BytesIO(data)), b'.symtab')
        except (lzma.LZMAError, Unusable):
            pass  # the rest of the file may be sound
    symbols.add(elf, b'.dynsym')
    return symbols, False
