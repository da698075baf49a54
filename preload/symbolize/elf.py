# elf.py: reads the ELF files of programs and libraries.

import os
import stat
import struct
import zlib

from trouble import Unusable

TABLE_MAX = 1 << 30  # bytes read at once
CHUNK = 1 << 20

ELF_HEADER = struct.Struct('<16sHHIQQQIHHHHHH')
ELF_SEGMENT = struct.Struct('<IIQQQQQQ')
ELF_SECTION = struct.Struct('<IIQQQQIIQQ')
ELF_SYMBOL = struct.Struct('<IBBHQQ')
ELF_MAGIC = b'\177ELF\2\1'  # 64 bits, little-endian

SEGMENT_LOAD, SEGMENT_NOTE, SEGMENT_EH_FRAME = 1, 4, 0x6474e550
SEGMENT_EXECUTE = 1
SECTION_NOTE, SECTION_NOBITS = 7, 8
SECTION_EXECUTE = 4
NOTE_BUILD_ID = 3


class Segment:
    def __init__(self, fields):
        (self.type, self.flags, self.offset, self.address, _, self.nbytes, _,
         self.align) = fields


class Section:
    def __init__(self, fields):
        (self.name_at, self.type, self.flags, self.address, self.offset,
         self.nbytes, self.link, _, self.align, _) = fields
        self.name = b''

    def is_code_at(self, address):
        return (self.flags & SECTION_EXECUTE and
                self.address <= address < self.address + self.nbytes)


def c_string(data, at):
    end = data.find(b'\0', at)
    return data[at:end] if 0 <= at <= end else b''


class Elf:
    """The tables of an ELF file. Its numbers may be wrong: a read outside of the file
    raises Unusable."""

    def __init__(self, file):
        self._file = file
        self._nbytes = file.seek(0, os.SEEK_END)
        header = self.read(0, min(ELF_HEADER.size, self._nbytes))
        if len(header) < ELF_HEADER.size or not header.startswith(ELF_MAGIC):
            raise Unusable('not an ELF file of 64 bits, little-endian')
        (_, _, _, _, _, segments_at, sections_at, _, _, segment_bytes,
         nsegments, section_bytes, nsections, names) = ELF_HEADER.unpack(header)
        self.segments = []
        self.sections = []
        if nsegments > 0 and segment_bytes == ELF_SEGMENT.size:
            table = self.read(segments_at, nsegments * ELF_SEGMENT.size)
            self.segments = [Segment(s) for s in ELF_SEGMENT.iter_unpack(table)]
        if nsections > 0 and section_bytes == ELF_SECTION.size:
            table = self.read(sections_at, nsections * ELF_SECTION.size)
            self.sections = [Section(s) for s in ELF_SECTION.iter_unpack(table)]
        if names < len(self.sections):
            text = self.read_section(self.sections[names])
            for section in self.sections:
                section.name = c_string(text, section.name_at)

    def read(self, offset, nbytes):
        if offset < 0 or offset + nbytes > self._nbytes:
            raise Unusable('the file is damaged')
        if nbytes > TABLE_MAX:
            raise Unusable('a table in it is too large')
        self._file.seek(offset)
        data = self._file.read(nbytes)
        if len(data) < nbytes:
            raise Unusable('the file has become shorter')
        return data

    def checksum(self):
        """The CRC-32 of the whole file, as in .gnu_debuglink."""
        crc = 0
        for at in range(0, self._nbytes, CHUNK):
            crc = zlib.crc32(self.read(at, min(CHUNK, self._nbytes - at)), crc)
        return crc

    def read_section(self, section):
        if section.type == SECTION_NOBITS:
            return b''
        return self.read(section.offset, section.nbytes)

    def section(self, name):
        """The section of that name with contents, or None."""
        return next((s for s in self.sections
                     if s.name == name and s.type != SECTION_NOBITS), None)

    def build_id(self):
        """The build id in hex, '' if there is none."""
        notes = [s for s in self.segments if s.type == SEGMENT_NOTE]
        notes += [s for s in self.sections if s.type == SECTION_NOTE]
        for part in notes:
            try:
                data = self.read(part.offset, part.nbytes)
            except Unusable:  # in a debug file the segments have no contents
                continue
            found = find_build_id(data, 8 if part.align == 8 else 4)
            if found:
                return found
        return ''

    def address_of(self, offset):
        """The address of code at an offset in the file, or None."""
        for s in self.segments:
            if (s.type == SEGMENT_LOAD and s.flags & SEGMENT_EXECUTE and
                    s.offset <= offset < s.offset + s.nbytes):
                return offset - s.offset + s.address
        return None

    def offset_of(self, address):
        """The offset in the file of what belongs at an address."""
        for s in self.segments:
            if (s.type == SEGMENT_LOAD and
                    s.address <= address < s.address + s.nbytes):
                return address - s.address + s.offset
        raise Unusable('the file is damaged')


def find_build_id(data, align):
    at = 0
    while at + 12 <= len(data):
        name_bytes, text_bytes, kind = struct.unpack_from('<III', data, at)
        name_at = at + 12
        text_at = at + round_up(12 + name_bytes, align)
        if kind == NOTE_BUILD_ID and data[name_at:name_at + 4] == b'GNU\0':
            return data[text_at:text_at + text_bytes].hex()
        at = text_at + round_up(text_bytes, align)
    return ''


def round_up(n, align):
    return (n + align - 1) // align * align


def open_elf(path):
    # Opening a pipe may block for ever, and a device may do anything.
    if b'\0' in os.fsencode(path) or not stat.S_ISREG(os.stat(path).st_mode):
        raise Unusable('not a regular file')
    return open(path, 'rb')
