"""Reads pages (mound_page.h). The layout is taken from the header itself."""
import ctypes
import os
import re
import time

TYPES = {'uint32_t': ctypes.c_uint32, 'uint64_t': ctypes.c_uint64,
         'int32_t': ctypes.c_int32, 'int64_t': ctypes.c_int64,
         'char': ctypes.c_char}
MAGIC = 0x6567617064756f6d
CLASSES = 68


WRITTEN_S = 2 # longer than writing a section, or a whole new page, takes


class Torn(Exception):
    """A page or a section was being written; after the death of its process for ever."""


def _parse(header):
    text = re.sub(r'//[^\n]*', '', header)
    numbers = {name: int(value) for name, value in
               re.findall(r'#define (\w+)\s*\\?\s*(\d+)\s', text)}
    structs = dict(TYPES)
    for name, body in re.findall(r'struct (\w+) \{(.*?)\n\};', text, re.S):
        fields = []
        for kind, field, _, n in re.findall(
                r'(?:struct )?(\w+)\s+(\w+)\s*(\[(\w+)\])?;', body):
            base = structs[kind]
            if n:
                base = base * int(numbers.get(n, n))
            fields.append((field, base))
        structs[name] = type(name, (ctypes.Structure,), {'_fields_': fields})
    return structs['mound_page']


def _header():
    path = os.path.join(os.environ['MOUND_SOURCE'], 'alloc', 'mound_page.h')
    with open(path, encoding='utf-8') as f:
        return f.read()


Page = _parse(_header())


def of_bytes(data):
    page = Page.from_buffer_copy(data)
    assert page.magic == MAGIC and page.nbytes == ctypes.sizeof(Page), \
        (hex(page.magic), page.nbytes, ctypes.sizeof(Page))
    return page


def read(path):
    """A page with consistent sections, of a process that runs or not. A process writes the
    magic of a new page last."""
    end = time.monotonic() + WRITTEN_S
    while time.monotonic() < end:
        with open(path, 'rb') as f:
            data = f.read()
        if any(data[:8]):
            page = of_bytes(data)
            if not any(s.seq & 1 for s in (page.now, page.stats, page.ranges)):
                return page
        time.sleep(0.001)
    raise Torn(path)


def folder():
    return '/dev/shm/mound-%d' % os.geteuid()


def start_ticks(pid):
    with open('/proc/%d/stat' % pid, encoding='utf-8', errors='replace') as f:
        return int(f.read().rpartition(')')[2].split()[19])


def path_of(pid):
    return os.path.join(folder(), '%d-%d.page' % (pid, start_ticks(pid)))


def pages_of(pid):
    """The names of all pages of processes with that ID that started after this one: IDs
    are reused, and a killed process leaves its page."""
    try:
        names = os.listdir(folder())
    except FileNotFoundError:
        return []
    found = [(n, re.match(r'%d-(\d+)\.' % pid, n)) for n in names]
    return sorted(os.path.join(folder(), n) for n, of in found
                  if of and int(of[1]) >= OWN_START)


OWN_START = start_ticks(os.getpid())
