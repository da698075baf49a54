# peers.py: the allocators to compare, and their versions.

import os
import subprocess

from . import tree

# name: (Debian's package, file names by preference)
DEBIAN = {
    'glibc': ('libc6', None),
    'jemalloc': ('libjemalloc2', ['libjemalloc.so.2']),
    'mimalloc': ('libmimalloc2.0', ['libmimalloc.so.2.0', 'libmimalloc.so.2']),
    'tcmalloc': ('libtcmalloc-minimal4', ['libtcmalloc_minimal.so.4']),
}

LIBRARY_DIRECTORIES = [
    f'/usr/lib/{os.uname().machine}-linux-gnu', '/usr/local/lib',
    '/usr/lib64', '/usr/lib',
]


class Peer:
    """An allocator: its name, its library (None for the C library's own), the
    version its package or path gives, and the release (releases.tell)."""

    release = None

    def __init__(self, name, library, version):
        self.name = name
        self.preloaded = library
        self.version = version

    @property
    def is_mound(self):
        return self.name == 'mound'

    def environment(self):
        """The variables that put it into a process, as NAME=VALUE."""
        return [f'LD_PRELOAD={self.preloaded}'] if self.preloaded else []

    def serves(self, malloc_path):
        """Whether malloc's file is this allocator's."""
        if self.preloaded is None:
            return os.path.basename(malloc_path).startswith('libc.so')
        return os.path.realpath(malloc_path) == os.path.realpath(self.preloaded)


def package_version(package):
    run = subprocess.run(
        ['dpkg-query', '-W', '-f=${db:Status-Abbrev}${Version}', package],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if run.returncode == 0 and run.stdout.startswith('ii'):
        return run.stdout[2:].strip()
    return None


def find_library(names):
    for name in names:
        for directory in LIBRARY_DIRECTORIES:
            path = os.path.join(directory, name)
            if os.path.isfile(path):
                return path
    return None


def c_library():
    return find_library(['libc.so.6', 'libc.so']) or 'libc.so.6'


def by_path(path):
    path = os.path.abspath(path)
    if not os.path.isfile(path):
        raise tree.Refusal(f'{path}: there is no such file')
    # The file names distinguish two builds of mound.
    base = os.path.basename(path)
    name = 'mound' if base.startswith('libmound.so') else base
    return Peer(name, path, path)


def mound(build):
    library = tree.mound_library(build)
    if library is None:
        raise tree.Refusal(
            f'no libmound.so below {build}; build it, or set MOUND_LIB, or '
            'name the others with --peer')
    kind = tree.build_type(library, build)
    return Peer('mound', library, os.path.relpath(library)
                + (f', build type {kind}' if kind else ''))


def select(names, build):
    """The peers of these names or paths; all known ones if there are none.

    Everything that is missing is reported at once, with what installs it.
    """
    peers = []
    packages = []
    for name in names or ['mound', *DEBIAN]:
        if '/' in name:
            peers.append(by_path(name))
        elif name == 'mound':
            peers.append(mound(build))
        elif name in DEBIAN:
            package, files = DEBIAN[name]
            library = find_library(files) if files else None
            if files and library is None:
                packages.append(package)
            else:
                version = package_version(package) or 'not from a package'
                peers.append(Peer(name, library, version))
        else:
            known = ', '.join(['mound', *DEBIAN])
            raise tree.Refusal(f'unknown peer {name}; there are {known}, '
                               'and any library by a path with a slash')
    if packages:
        raise tree.Refusal(f'peers are missing: {", ".join(packages)}; '
                           'install them with: scripts/needs bench')
    return peers


def check_names(peers):
    """Refuses two peers of one name, which tables could not distinguish."""
    seen = [p.name for p in peers]
    for name in seen:
        if seen.count(name) > 1:
            raise tree.Refusal(f'peer {name} is named twice')
