# mappeers.py: the maps to compare, and how their programs are built. They are not part of
# the ordinary build, because most need packages that nothing else does: they are built
# here when needed, in bench-map of the build directory, all with the same flags.
#

import concurrent.futures
import copy
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

# The parameters of kind.go.in for each kind of keys and elements.
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


def headers_of_map():
    return [*glob.glob(os.path.join(MAP, '*.h')),
            *glob.glob(os.path.join(MAP, 'swiss', '*.h'))]


class Peer:
    """A map's program. header is needed to compile it, package gives the version,
    libraries are names for pkg-config. A peer without a package has no version and no
    path: it is used only if it is named, usually with a path."""


    by_name_only = False
    path = None  # a folder of headers, or an unpacked package's root

    def __init__(self, name, source, header=None, package=None, libraries=(),
                 by_name_only=False):
        self.name = name
        self.source = source
        self.header = header
        self.package = package
        self.libraries = libraries
        self.by_name_only = by_name_only

    @property
    def is_mound(self):
        return False

    def at(self, path, name):
        """This peer with another path, as another peer."""
        if self.is_mound or self.header is None:
            raise tree.Refusal(f'{self.name} cannot be had from a path')
        if not os.path.isdir(path):
            raise tree.Refusal(f'--peer {self.name}={path}: no such directory')
        other = copy.copy(self)
        other.name = name
        other.path = os.path.abspath(path)
        return other

    def includes(self):
        """Compiler options for the headers below the path, first those of an
        unpacked package or a source tree."""
        if self.path is None:
            return []
        folders = [os.path.join(self.path, below)
                   for below in ('usr/include', 'include', '')]
        there = [f for f in folders
                 if os.path.exists(os.path.join(f, self.header))]
        if not there:
            raise tree.Refusal(f'no {self.header} below {self.path}')
        return ['-I', there[0]]

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
            [*self.compiler(), *self.includes(),
             *self.pkg_config('--cflags'), '-E', '-x',
             'c++' if self.source.endswith('.cc') else 'c', '-'],
            input=f'#include <{self.header}>\n', text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return run.returncode != 0

    def version(self, build):
        if self.path is not None:
            return self.path
        return peers.package_version(self.package) or 'not from a package'

    def compiler(self):
        return CXX if self.source.endswith('.cc') else C

    def pkg_config(self, what):
        if not self.libraries or shutil.which('pkg-config') is None:
            return []
        environment = dict(os.environ)
        if self.path is not None:
            environment['PKG_CONFIG_SYSROOT_DIR'] = self.path
            environment['PKG_CONFIG_LIBDIR'] = ':'.join(glob.glob(
                os.path.join(self.path, '**', 'pkgconfig'), recursive=True))
        run = subprocess.run(['pkg-config', what, *self.libraries],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, env=environment)
        return run.stdout.split() if run.returncode == 0 else []

    def sources(self, build):
        return [os.path.join(SOURCES, self.source),
                os.path.join(SOURCES, '..', 'bench.h'),
                *glob.glob(os.path.join(SOURCES, '*.h')), __file__]

    def link(self, build):
        return self.pkg_config('--libs')

    def compile(self, build, program):
        compile_with([*self.compiler(), *self.includes(),
                      *self.pkg_config('--cflags'),
                      '-I', MAP, '-I', os.path.join(MAP, 'swiss'), '-o', program,
                      os.path.join(SOURCES, self.source), *self.link(build)],
                     self.name)

    def build(self, build):
        program = self.program(build)
        newest = max(os.path.getmtime(s) for s in self.sources(build))
        if not os.path.exists(program) or os.path.getmtime(program) < newest:
            os.makedirs(os.path.dirname(program), exist_ok=True)
            # Renamed when complete: an interrupted build leaves no partial one.
            self.compile(build, program + '.new')
            os.replace(program + '.new', program)


class Mound(Peer):
    @property
    def is_mound(self):
        return True

    def archive(self, build):
        """The archive of the map. Its headers are compiled into the program, so an
        older archive would not match them."""
        library = tree.bench_library(build, 'moundmap')
        for path in headers_of_map():
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
                *headers_of_map()]

    def link(self, build):
        return [self.archive(build), '-pthread']


class Static(Peer):
    """A peer with libraries. They are linked statically, as mound's is: calls through
    the PLT would count for the map."""

    def link(self, build):
        return ['-Wl,-Bstatic', *super().link(build), '-Wl,-Bdynamic']


class Counter(Peer):
    """The library that counts bytes, to be preloaded."""

    def program(self, build):
        return os.path.abspath(super().program(build)) + '.so'

    def link(self, build):
        return ['-shared', '-fPIC']


class Go(Peer):
    """Go's map: its program is a folder of sources, one of them generated for each kind
    of keys and elements. command is the go program; without it, that of the version
    whose map mound's follows."""

    def __init__(self, name, source, command=None):
        super().__init__(name, source)
        self.command = command

    @property
    def environment(self):
        return ['GOMAXPROCS=1']

    def go(self):
        """The go program and its version; None if there is none."""
        if self.command is not None:
            return self.command, version_of_go(self.command)
        for path in (os.path.join(GO_DIRECTORY, 'go'), shutil.which('go')):
            if path and os.access(path, os.X_OK):
                version = version_of_go(path)
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
        folder = os.path.join(below, f'{self.name}-src')
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
        settings = {'GOCACHE': f'{self.name}-cache', 'GOPATH': 'go-path'}
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith('GO')},
            **{k: os.path.abspath(os.path.join(below, v))
               for k, v in settings.items()},
            'GOPROXY': 'off', 'GOENV': 'off', 'GOTOOLCHAIN': 'local'}
        compile_with([go, 'build', '-buildvcs=false', '-o',
                      os.path.abspath(program), '.'], self.name, cwd=folder,
                     env=environment)


def version_of_go(command):
    run = subprocess.run([command, 'env', 'GOVERSION'], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         env={**os.environ, 'GOTOOLCHAIN': 'local'})
    return run.stdout.strip()


def go_at(path):
    """A second Go, by the path of its command or of the folder it is in."""
    for command in (path, os.path.join(path, 'go'),
                    os.path.join(path, 'bin', 'go')):
        if os.path.isfile(command) and os.access(command, os.X_OK):
            command = os.path.abspath(command)
            version = version_of_go(command)
            if version:
                return Go(version, 'go', command)
    raise tree.Refusal(f'--go {path}: no go command that runs')


PEERS = [
    Mound('mound', 'mound.c'),
    Mound('swiss', 'swiss.c'),
    Go('go', 'go'),
    Static('absl', 'absl.cc', 'absl/container/flat_hash_map.h', 'libabsl-dev',
           ['absl_flat_hash_map', 'absl_hash']),
    Peer('boost', 'boost.cc', 'boost/unordered/unordered_flat_map.hpp',
         'libboost1.81-dev'),
    Peer('std', 'std.cc', 'unordered_map', 'libstdc++6'),
    Peer('glib', 'glib.c', 'glib.h', 'libglib2.0-dev', ['glib-2.0']),
    Peer('uthash', 'uthash.c', 'uthash.h', 'uthash-dev'),
    Peer('ankerl', 'ankerl.cc', 'ankerl/unordered_dense.h', by_name_only=True),
    Peer('verstable', 'verstable.c', 'verstable.h', by_name_only=True),
]
# Not maps: the lower bound of an insert, and the counting library.
APPEND = Peer('append', 'append.c')
COUNTER = Counter('counted', 'counted.c')


def compile_with(argv, name, **options):
    run = subprocess.run(argv, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, **options)
    if run.returncode != 0:
        lines = run.stdout.splitlines()
        line = next((l for l in lines if 'error' in l), (lines or [''])[-1])
        raise suite.Failure(f'{name} cannot be built: {line.strip()}')


def select(names, build, second_go=None):
    """The peers of these names, in the order of the tables; without names, all that have
    packages. A name with a path, such as absl=DIR, is an additional peer.

    Everything that is missing is reported at once, with what installs it.
    """
    known = [p.name for p in PEERS]
    plain = [name for name in names if '=' not in name]
    placed = [name.split('=', 1) for name in names if '=' in name]
    for name in [*plain, *(name for name, _ in placed)]:
        if name not in known:
            raise tree.Refusal(f'unknown peer {name}; there are '
                               + ', '.join(known))
    chosen = [p for p in PEERS
              if p.name in plain or not plain and not p.by_name_only]
    for i, (name, path) in enumerate(placed):
        at = f'{name}@{i + 1}' if len(placed) > 1 else f'{name}@'
        chosen.append(PEERS[known.index(name)].at(path, at))
    if second_go is not None:
        chosen.append(go_at(second_go))
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
