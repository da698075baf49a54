#!/usr/bin/env python3
"""Programs with a malloc of their own, and wrappers preloaded in front, that have
some names of the family and lack others: every subset that can work. TAP."""
import itertools
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import must  # noqa: E402

LIB = os.environ['MOUND_LIB']
PROBES = os.environ['MOUND_PROBES']
HANG_S = 20

# Without these two a program that has the others works with no malloc.
NEEDED = ('malloc', 'free')
ALL = (*NEEDED, 'calloc', 'realloc', 'reallocarray', 'memalign',
       'aligned_alloc', 'posix_memalign', 'valloc', 'pvalloc',
       'malloc_usable_size')
DYNSYM, SYM = 11, struct.Struct('<IBBHQQ')


def sections(image):
    """Type, offset, size and link of each section of an ELF file."""
    offset, = struct.unpack_from('<Q', image, 0x28)
    size, number = struct.unpack_from('<HH', image, 0x3a)
    for i in range(number):
        kind, = struct.unpack_from('<I', image, offset + i * size + 4)
        yield (kind, *struct.unpack_from('<QQI', image, offset + i * size + 24))


def copy_that_shows(path, copy, names, all_names):
    """A copy of the ELF file whose other names nobody can see: the loader passes
    local symbols by."""
    with open(path, 'rb') as f:
        image = bytearray(f.read())
    found = list(sections(image))
    _, offset, nbytes, link = next(s for s in found if s[0] == DYNSYM)
    strings = found[link][1]
    hidden = 0
    for at in range(offset, offset + nbytes, SYM.size):
        name, info, _, shndx, _, _ = SYM.unpack_from(image, at)
        begin = strings + name
        name = image[begin:image.index(0, begin)].decode()
        if shndx != 0 and name in all_names and name not in names:
            image[at + 4] = info & 0xf
            hidden += 1
    must(hidden == len(set(all_names) - set(names)), path, 'lacks a name')
    with open(copy, 'wb') as f:
        f.write(image)
    os.chmod(copy, 0o755)
    return copy


def passes(preload, *argv):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    if preload:
        env['LD_PRELOAD'] = preload
    r = subprocess.run(argv, env=env, text=True, capture_output=True,
                       timeout=HANG_S, check=False)
    must(r.returncode == 0 and r.stderr == '', *argv, 'ended with',
         r.returncode, r.stderr)


def subsets(of):
    return itertools.chain.from_iterable(
        itertools.combinations(of, n) for n in range(len(of) + 1))


def a_program_may_have_any_names_of_the_family(folder):
    # valloc and pvalloc come together: half as many runs.
    for names in subsets([n for n in ALL if n not in (*NEEDED, 'pvalloc')]):
        names = NEEDED + names + (('pvalloc',) if 'valloc' in names else ())
        program = copy_that_shows(os.path.join(PROBES, 'own_some'),
                                  os.path.join(folder, 'own_some'), names, ALL)
        passes(LIB, program, *names)


def the_probe_means_the_same_without_the_library(folder):
    for names in (ALL, NEEDED, (*NEEDED, 'realloc')):
        program = copy_that_shows(os.path.join(PROBES, 'own_some'),
                                  os.path.join(folder, 'own_some'), names, ALL)
        passes(None, program, *names)


def a_wrapper_in_front_may_have_any_names_of_the_family(folder):
    all_names = ('malloc', 'free', 'calloc', 'realloc')
    for names in filter(None, subsets(all_names)):
        wrapper = copy_that_shows(os.path.join(PROBES, 'wrapper.so'),
                                  os.path.join(folder, 'wrapper.so'), names,
                                  all_names)
        passes(wrapper + ':' + LIB, os.path.join(PROBES, 'wrapped'), 'mound',
               *names)


TESTS = [
    a_program_may_have_any_names_of_the_family,
    the_probe_means_the_same_without_the_library,
    a_wrapper_in_front_may_have_any_names_of_the_family,
]


if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
