"""Reads pages (mound_page.h). The layout is taken from the header itself."""
import ctypes
import os
import re

TYPES = {'uint32_t': ctypes.c_uint32, 'uint64_t': ctypes.c_uint64,
         'int32_t': ctypes.c_int32, 'int64_t': ctypes.c_int64,
         'char': ctypes.c_char}
MAGIC = 0x6567617064756f6d
CLASSES = 68


class Torn(Exception):
    """A section was being written; of a process that died so it stays."""


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
    """A page with whole sections, of a process that runs or not."""
    for _ in range(1000):
        with open(path, 'rb') as f:
            page = of_bytes(f.read())
        if not any(s.seq & 1 for s in (page.now, page.stats, page.ranges)):
            return page
    raise Torn(path)


def folder():
    return '/dev/shm/mound-%d' % os.geteuid()


def start_ticks(pid):
    with open('/proc/%d/stat' % pid, encoding='utf-8', errors='replace') as f:
        return int(f.read().rpartition(')')[2].split()[19])


def path_of(pid):
    return os.path.join(folder(), '%d-%d.page' % (pid, start_ticks(pid)))


def pages_of(pid):
    """The names of all pages of processes of that number."""
    try:
        return sorted(os.path.join(folder(), n) for n in os.listdir(folder())
                      if n.split('-')[0] == str(pid))
    except FileNotFoundError:
        return []
