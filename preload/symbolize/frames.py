# frames.py: where functions start and end, by the table for unwinding. It has them
# all, in stripped files too.

import bisect
import struct

from elf import SEGMENT_EH_FRAME, c_string
from trouble import Unusable

EH_VERSION = 1
EH_TABLE_HEAD = struct.Struct('<BBBBiI')
EH_UDATA4, EH_PCREL_SDATA4, EH_DATAREL_SDATA4 = 0x03, 0x1b, 0x3b
EH_ABSPTR = 0
EH_POINTER_BYTES = {0: 8, 2: 2, 3: 4, 4: 8, 10: 2, 11: 4, 12: 8}
EH_CIE_MAX = 256  # they have about 20 bytes


class Frames:
    def __init__(self, elf):
        self._elf = elf
        self._encodings = {}
        self._table = []
        for s in elf.segments:
            if s.type == SEGMENT_EH_FRAME:
                self._read_table(s)
        self._starts = [start for start, _ in self._table]

    def _read_table(self, segment):
        data = self._elf.read(segment.offset, segment.nbytes)
        if len(data) < EH_TABLE_HEAD.size:
            return
        version, frame, count, table, _, n = EH_TABLE_HEAD.unpack_from(data)
        # What all linkers write.
        if (version, frame, count, table) != (EH_VERSION, EH_PCREL_SDATA4,
                                              EH_UDATA4, EH_DATAREL_SDATA4):
            return
        data = data[EH_TABLE_HEAD.size:][:8 * n]
        data = data[:len(data) - len(data) % 8]
        base = segment.address
        self._table = sorted((base + start, base + entry) for start, entry
                             in struct.iter_unpack('<ii', data))

    def start(self, address):
        """Start of the function that address is in, or None."""
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0:
            return None
        start, entry = self._table[i]
        try:
            nbytes = self._function_bytes(entry)
        except (Unusable, IndexError, KeyError, struct.error):
            # Then it ends where the next starts: a function without an entry
            # behind it would be taken for a part of it.
            nbytes = None
        if nbytes is not None and address >= start + nbytes:
            return None
        return start

    def _function_bytes(self, entry):
        at = self._elf.offset_of(entry)
        _, cie = struct.unpack('<II', self._elf.read(at, 8))
        width = EH_POINTER_BYTES[self._encoding(at + 4 - cie) & 15]
        return int.from_bytes(self._elf.read(at + 8 + width, width), 'little')

    def _encoding(self, at):
        """How the entries that go with the common part at an offset hold
        addresses."""
        if at not in self._encodings:
            head = self._elf.read(at, 4)
            nbytes, = struct.unpack('<I', head)
            self._encodings[at] = cie_encoding(
                self._elf.read(at + 4, min(nbytes, EH_CIE_MAX)))
        return self._encodings[at]


def cie_encoding(data):
    """The encoding of addresses that a common information entry tells; data is
    what follows its length."""
    version = data[4]
    augmentation = c_string(data, 5)
    at = 5 + len(augmentation) + 1
    at = skip_leb(data, skip_leb(data, at))  # alignment of code, of data
    at = at + 1 if version == 1 else skip_leb(data, at)  # return address
    if not augmentation.startswith(b'z'):
        return EH_ABSPTR
    at = skip_leb(data, at)
    for letter in augmentation[1:].decode('latin-1'):
        if letter == 'R':
            return data[at]
        if letter == 'L':
            at += 1
        elif letter == 'P':
            at += 1 + EH_POINTER_BYTES[data[at] & 15]
        elif letter not in 'SB':
            raise Unusable('the file is damaged')
    return EH_ABSPTR


def skip_leb(data, at):
    while data[at] > 0x7f:
        at += 1
    return at + 1
