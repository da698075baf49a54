# mappeers.py: the maps to compare, and how their programs are built. The
# ordinary build does not know them, for most need packages that nothing else
# does: they are built here when they are wanted, into bench-map of the build
# directory, all with the same flags.

import concurrent.futures
import glob
import os
import shutil
import subprocess

from . import peers, suite, tree

SOURCES = os.path.join(tree.ROOT, 'tests', 'bench', 'map')
MAP = os.path.join(tree.ROOT, 'map')
FLAGS = ['-O2', '-g', '-DNDEBUG', '-Wall']
C = ['cc', '-std=gnu11', *FLAGS]
CXX = ['c++', '-std=gnu++17', *FLAGS]
GO_DIRECTORY = '/usr/lib/go-1.19/bin'
GO_VERSION = 'go1.19'

# What kind.go.in has to be told about each kind of keys and elements.
GO_KINDS = {
    'U64': {'KEY': 'uint64', 'ELEM': 'uint64', '.FIELD': '',
            'ROOM': '0', 'SEQUENCE': 'sequence'},
    'U32': {'KEY': 'uint32', 'ELEM': 'uint32', '.FIELD': '',
            'ROOM': '0', 'SEQUENCE': 'sequence'},
    'Str': {'KEY': 'string', 'ELEM': 'uint64', '.FIELD': '',
            'ROOM': '(strMax + 1)', 'SEQUENCE': 'sequenceStr'},
    'Wide': {'KEY': 'uint64', 'ELEM': 'wide', '.FIELD': '.w0',
             'ROOM': '0', 'SEQUENCE': 'sequence'},
}


class Peer:
    """A map's program. header is what has to be there to compile it, package
    whose version it has, libraries what pkg-config knows it by."""

    def __init__(self, name, source, header=None, package=None, libraries=()):
        self.name = name
        self.source = source
        self.header = header
        self.package = package
        self.libraries = libraries

    @property
    def is_mound(self):
        return self.name == 'mound'

    @property
    def environment(self):
        return []

    def program(self, build):
        return os.path.join(build, 'bench-map', self.name)

    def is_missing(self):
        if shutil.which(self.compiler()[0]) is None:
            return True
        if self.header is None:
            return False
        run = subprocess.run(
            [*self.compiler(), *self.pkg_config('--cflags'), '-E', '-x',
             'c++' if self.source.endswith('.cc') else 'c', '-'],
            input=f'#include <{self.header}>\n', text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return run.returncode != 0

    def version(self, build):
        return peers.package_version(self.package) or 'not from a package'

    def compiler(self):
        return CXX if self.source.endswith('.cc') else C

    def pkg_config(self, what):
        if not self.libraries or shutil.which('pkg-config') is None:
            return []
        run = subprocess.run(['pkg-config', what, *self.libraries],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True)
        return run.stdout.split() if run.returncode == 0 else []

    def sources(self, build):
        return [os.path.join(SOURCES, self.source),
                os.path.join(SOURCES, '..', 'bench.h'),
                *glob.glob(os.path.join(SOURCES, '*.h')), __file__]

    def link(self, build):
        return self.pkg_config('--libs')

    def compile(self, build, program):
        compile_with([*self.compiler(), *self.pkg_config('--cflags'),
                      '-I', MAP, '-o', program,
                      os.path.join(SOURCES, self.source), *self.link(build)],
                     self.name)

    def build(self, build):
        program = self.program(build)
        newest = max(os.path.getmtime(s) for s in self.sources(build))
        if not os.path.exists(program) or os.path.getmtime(program) < newest:
            os.makedirs(os.path.dirname(program), exist_ok=True)
            # Renamed when it is whole: an interrupted build leaves no half one.
            self.compile(build, program + '.new')
            os.replace(program + '.new', program)


class Mound(Peer):
    def archive(self, build):
        """The archive of the map. Its headers are compiled into the program, so
        an older archive would be another map than they declare."""
        library = tree.bench_library(build, 'moundmap')
        for path in glob.glob(os.path.join(MAP, '*.[ch]')):
            if os.path.getmtime(path) > os.path.getmtime(library):
                raise tree.Refusal(
                    f'{library} is older than {os.path.relpath(path)}; run: '
                    f'meson compile -C {os.path.relpath(build)}')
        return library

    def version(self, build):
        library = self.archive(build)
        kind = tree.build_type(library, build)
        return os.path.relpath(library) + (f', build type {kind}' if kind
                                           else '')

    def sources(self, build):
        return [*super().sources(build), self.archive(build),
                *glob.glob(os.path.join(MAP, '*.h'))]

    def link(self, build):
        return [self.archive(build), '-pthread']


class Static(Peer):
    """A peer with libraries of its own. They are linked into the program, as
    mound's is: a call through the PLT is no property of a map."""

    def link(self, build):
        return ['-Wl,-Bstatic', *super().link(build), '-Wl,-Bdynamic']


class Counter(Peer):
    """The library that counts bytes, to be preloaded."""

    def program(self, build):
        return os.path.abspath(super().program(build)) + '.so'

    def link(self, build):
        return ['-shared', '-fPIC']


class Go(Peer):
    """Go's map: its program has a folder of sources, most of them copied, one
    made for each kind of keys and elements."""

    @property
    def environment(self):
        return ['GOMAXPROCS=1']

    def go(self):
        """The go program of the right version; None if there is none."""
        for path in (os.path.join(GO_DIRECTORY, 'go'), shutil.which('go')):
            if path and os.access(path, os.X_OK):
                run = subprocess.run([path, 'env', 'GOVERSION'], text=True,
                                     stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
                version = run.stdout.strip()
                if version == GO_VERSION or \
                        version.startswith(GO_VERSION + '.'):
                    return path, version
        return None

    def is_missing(self):
        return self.go() is None

    def version(self, build):
        return self.go()[1]

    def sources(self, build):
        return [*glob.glob(os.path.join(SOURCES, self.source, '*')), __file__]

    def compile(self, build, program):
        below = os.path.dirname(program)
        folder = os.path.join(below, 'go-src')
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for path in self.sources(build)[:-1]:
            if not path.endswith('.in'):
                shutil.copy(path, folder)
                continue
            with open(path) as f:
                text = f.read()
            for kind, words in GO_KINDS.items():
                made = text
                for word, meaning in {**words, 'KIND': kind}.items():
                    made = made.replace(word, meaning)
                with open(os.path.join(folder, f'kind_{kind.lower()}.go'),
                          'w') as f:
                    f.write(made)
        with open(os.path.join(folder, 'go.mod'), 'w') as f:
            f.write('module bench\n\ngo 1.19\n')
        go = self.go()[0]
        settings = {'GOCACHE': 'go-cache', 'GOPATH': 'go-path'}
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith('GO')},
            **{k: os.path.abspath(os.path.join(below, v))
               for k, v in settings.items()},
            'GOPROXY': 'off', 'GOENV': 'off'}
        compile_with([go, 'build', '-buildvcs=false', '-o',
                      os.path.abspath(program), '.'], self.name, cwd=folder,
                     env=environment)


PEERS = [
    Mound('mound', 'mound.c'),
    Go('go', 'go'),
    Static('absl', 'absl.cc', 'absl/container/flat_hash_map.h', 'libabsl-dev',
           ['absl_flat_hash_map', 'absl_hash']),
    Peer('boost', 'boost.cc', 'boost/unordered/unordered_flat_map.hpp',
         'libboost1.81-dev'),
    Peer('std', 'std.cc', 'unordered_map', 'libstdc++6'),
    Peer('glib', 'glib.c', 'glib.h', 'libglib2.0-dev', ['glib-2.0']),
    Peer('uthash', 'uthash.c', 'uthash.h', 'uthash-dev'),
]
# Not maps: what an insert costs at the very least, and the counting library.
APPEND = Peer('append', 'append.c')
COUNTER = Counter('counted', 'counted.c')


def compile_with(argv, name, **options):
    run = subprocess.run(argv, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, **options)
    if run.returncode != 0:
        lines = run.stdout.splitlines()
        line = next((l for l in lines if 'error' in l), (lines or [''])[-1])
        raise suite.Failure(f'{name} cannot be built: {line.strip()}')


def select(names, build):
    """The peers of these names, in the order of the tables; all without any.

    Everything that is missing is reported at once, with what installs it.
    """
    known = [p.name for p in PEERS]
    for name in names:
        if name not in known:
            raise tree.Refusal(f'unknown peer {name}; there are '
                               + ', '.join(known))
    chosen = [p for p in PEERS if not names or p.name in names]
    for peer in chosen:
        if peer.is_mound:
            peer.archive(build)
    missing = [p.name for p in chosen if p.is_missing()]
    if missing:
        raise tree.Refusal(f'what {", ".join(missing)} is built with is '
                           'missing; install it with: scripts/needs bench')
    return chosen


def build_all(chosen, build):
    suite.progress('building')
    with concurrent.futures.ThreadPoolExecutor(
            len(os.sched_getaffinity(0))) as pool:
        for done in [pool.submit(p.build, build) for p in chosen]:
            done.result()
    suite.progress()


def compiler_version():
    run = subprocess.run(['cc', '--version'], stdout=subprocess.PIPE,
                         text=True)
    return run.stdout.splitlines()[0]
