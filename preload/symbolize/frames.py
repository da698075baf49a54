# frames.py: where functions start and end, from the unwind table. It has all functions,
# also in stripped files.

import bisect
import struct

from elf import SEGMENT_EH_FRAME, c_string
from trouble import Unusable

EH_VERSION = 1
EH_TABLE_HEAD = struct.Struct('<BBBBiI')
EH_UDATA4, EH_PCREL_SDATA4, EH_DATAREL_SDATA4 = 0x03, 0x1b, 0x3b
EH_ABSPTR = 0
EH_POINTER_BYTES = {0: 8, 2: 2, 3: 4, 4: 8, 10: 2, 11: 4, 12: 8}
EH_CIE_MAX = 256  # bytes; one has about 20


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
        # The encoding of all linkers.
        if (version, frame, count, table) != (EH_VERSION, EH_PCREL_SDATA4,
                                              EH_UDATA4, EH_DATAREL_SDATA4):
            return
        data = data[EH_TABLE_HEAD.size:][:8 * n]
        data = data[:len(data) - len(data) % 8]
        base = segment.address
        self._table = sorted((base + start, base + entry) for start, entry
                             in struct.iter_unpack('<ii', data))

    def start(self, address):
        """The start of the function that contains address, or None."""
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0:
            return None
        start, entry = self._table[i]
        try:
            nbytes = self._function_bytes(entry)
        except (Unusable, IndexError, KeyError, struct.error):
            # Assume that it ends where the next one starts, although a function without
            # an entry may lie between.
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
        """The encoding of addresses in entries whose common information entry (CIE) is
        at an offset."""
        if at not in self._encodings:
            head = self._elf.read(at, 4)
            nbytes, = struct.unpack('<I', head)
            self._encodings[at] = cie_encoding(
                self._elf.read(at + 4, min(nbytes, EH_CIE_MAX)))
        return self._encodings[at]


def cie_encoding(data):
    """The encoding of addresses from a common information entry; data follows its
    length."""
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
