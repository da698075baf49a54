"""Writes profiles in pprof's format from stacks that a test makes up, for tests of
readers."""
import gzip

U64 = (1 << 64) - 1


def varint(n):
    n &= U64
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*fields):
    return b''.join(field(number, value) for number, value in fields)


def profile(stacks, rate=1, types=('alloc_objects', 'alloc_space',
                                   'inuse_objects', 'inuse_space')):
    """The bytes of a profile that has symbols. stacks are (functions from the
    innermost, alloc_objects, alloc_space, inuse_objects, inuse_space)."""
    strings, functions = {'': 0}, {}

    def string(s):
        return strings.setdefault(s, len(strings))

    def function(name):
        return functions.setdefault(name, len(functions) + 1)

    units = {'objects': 'count', 'space': 'bytes'}
    out = [field(1, message((1, string(t)),
                            (2, string(units.get(t.split('_')[-1], 'count')))))
           for t in types]
    out.append(field(12, rate))
    out.append(field(3, message((1, 1))))
    for names, *values in stacks:
        out.append(field(2, message(
            (1, b''.join(varint(function(n)) for n in names)),
            (2, b''.join(varint(v) for v in values)))))
    for name, number in functions.items():
        out.append(field(4, message((1, number), (2, 1),
                                    (4, message((1, number))))))
        out.append(field(5, message((1, number), (2, string(name)))))
    out += [field(6, s.encode('utf-8', 'surrogateescape')) for s in strings]
    return gzip.compress(b''.join(out), 1)


def write(path, stacks, **options):
    with open(path, 'wb') as f:
        f.write(profile(stacks, **options))
    return path
