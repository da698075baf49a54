# tree.py: the paths in this checkout.
#
# A script that cannot do what was requested raises Refusal with one clear line; its main
# function prints that line and exits with status 2.

import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class Refusal(Exception):
    pass


NOT_BUILT = ('%s is not built; run: meson setup build -Dtests=true && '
             'meson compile -C build (--build names another directory)')


def build_tests(build):
    """Adds the tests and benchmarks to a build directory without them."""
    if os.path.isdir(os.path.join(build, 'tests')) or \
            not os.path.isfile(os.path.join(build, 'build.ninja')):
        return
    print(f'{build}: building the benchmarks (-Dtests=true)', file=sys.stderr)
    for argv in (['meson', 'configure', build, '-Dtests=true'],
                 ['meson', 'compile', '-C', build]):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise Refusal(f'{" ".join(argv)} failed:\n{done.stdout}{done.stderr}')


def bench_program(build, name):
    """The path of a program of tests/bench, built in the directory build."""
    path = os.path.join(build, 'tests', 'bench', 'bench-' + name)
    build_tests(build)
    if not os.access(path, os.X_OK):
        raise Refusal(NOT_BUILT % path)
    return path


def bench_preload(build, name):
    """The path of a shared library of tests/bench, built in build."""
    path = os.path.join(build, 'tests', 'bench', f'libbench-{name}.so')
    build_tests(build)
    if not os.path.isfile(path):
        raise Refusal(NOT_BUILT % path)
    return os.path.abspath(path)


def bench_library(build, name):
    """The path of an archive of tests/bench, built in the directory build."""
    path = os.path.join(build, 'tests', 'bench', f'libbench-{name}.a')
    build_tests(build)
    if not os.path.isfile(path):
        raise Refusal(NOT_BUILT % path)
    return os.path.abspath(path)


def mound_library(build):
    """The library to test: MOUND_LIB, or the one in build; None if neither."""
    named = os.environ.get('MOUND_LIB')
    if named:
        if not os.path.isfile(named):
            raise Refusal(f'MOUND_LIB={named}: there is no such file')
        return os.path.abspath(named)
    found = sorted(glob.glob(os.path.join(build, '**', 'libmound.so'),
                             recursive=True))
    return os.path.abspath(found[0]) if found else None


def build_type(library, build):
    """Meson's build type of a library of the directory build, else None."""
    if not library.startswith(os.path.abspath(build) + os.sep):
        return None
    try:
        with open(os.path.join(build, 'meson-info',
                               'intro-buildoptions.json')) as f:
            options = json.load(f)
    except OSError:
        return None
    return next((o['value'] for o in options if o['name'] == 'buildtype'), None)


def is_mound(library):
    """Whether a library is mound, whatever its file name is."""
    with open(library, 'rb') as f:
        return b'mound_read_memstats\0' in f.read()
