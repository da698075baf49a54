#!/usr/bin/env python3
"""What `meson install` puts down: the library without what debuggers need, and that
beside it, where gdb finds it; and what building it takes. TAP."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import must  # noqa: E402

BUILT = os.path.realpath(os.environ['MOUND_LIB'])
BUILD = os.path.dirname(os.path.dirname(BUILT))


def run(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                          **options)
    must(done.returncode == 0, f'{argv[0]}: {done.stdout}{done.stderr}')
    return done.stdout


def find(root, name):
    found = [os.path.join(d, f) for d, _, names in os.walk(root)
             for f in names if f == name]
    must(len(found) == 1, f'{name}: {found}')
    return found[0]


def install(root):
    """Installs below root; returns the library."""
    if not shutil.which('meson'):
        raise tap.Skipped('no meson')
    run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet',
        env=dict(os.environ, DESTDIR=root))
    return find(root, os.path.basename(BUILT))


def the_library_is_small_and_gdb_finds_the_rest(root):
    library = install(root)
    debug = find(root, os.path.basename(BUILT) + '.debug')
    must(os.path.dirname(debug) ==
         os.path.join(os.path.dirname(library), '.debug'), debug)
    names = run('readelf', '-SW', library)
    must('.debug_info' not in names and '.symtab' not in names, names)
    must('.note.stapsdt' in names, 'no probes: ' + names)
    must('.debug_info' in run('readelf', '-SW', debug), debug)
    loads = [re.findall(r'LOAD.*', run('readelf', '-lW', f))
             for f in (BUILT, library)]
    must(loads[0] == loads[1], f'{loads}')
    if shutil.which('gdb'):
        where = run('gdb', '-nx', '-batch', '-ex', 'info line malloc_slow',
                    library)
        must(re.match(r'Line \d+ of .*alloc/.*<malloc_slow>', where), where)


def gdb_loads_the_scripts_of_the_map_where_they_are(root):
    if not shutil.which('gdb'):
        raise tap.Skipped('no gdb')
    library = find(os.path.dirname(os.path.dirname(install(root))),
                   os.path.basename(BUILT).replace('mound.', 'moundmap.'))
    auto = find(root, os.path.basename(library) + '-gdb.py')
    must(auto.startswith(root) and
         auto.endswith('/auto-load' + library[len(root):] + '-gdb.py'), auto)
    for script in auto, find(root, 'moundmap-gdb.py'):
        out = run('gdb', '-nx', '-batch', '-ex', 'source ' + script,
                  '-ex', 'info pretty-printer global moundmap')
        must('moundmap' in out and 'rror' not in out, script + ': ' + out)
    must(not [d for d, _, _ in os.walk(root) if d.endswith('__pycache__')])


def it_serves_programs(root):
    library = install(root)
    done = subprocess.run(['/bin/true'], capture_output=True, text=True,
                          env=dict(os.environ, LD_PRELOAD=library,
                                   MOUND_STATS='1'), timeout=60)
    must(done.returncode == 0 and 'mound' in done.stderr, done.stderr)


def the_command_starts_programs_on_the_library_beside_it(root):
    library = install(root)
    if not os.path.exists(BUILD + '/preload/command/mound'):
        raise tap.Skipped('the command is not built')
    env = {k: v for k, v in os.environ.items() if k != 'LD_PRELOAD'}
    for moved in root, root + '/moved':
        if moved != root:
            os.mkdir(moved)
            shutil.move(root + '/usr', moved)
            library = moved + library[len(root):]
        tools = os.path.dirname(find(moved, 'mound-symbolize'))
        out = run(tools + '/mound', 'run', 'env', env=env)
        preload = re.search('^LD_PRELOAD=(.*)$', out, re.M)[1]
        must(os.path.realpath(preload) == os.path.realpath(library), preload)


def the_product_alone_needs_no_compiler_of_cxx(root):
    if not shutil.which('meson'):
        raise tap.Skipped('no meson')
    run('meson', 'setup', root + '/build', os.environ['MOUND_SOURCE'],
        env=dict(os.environ, CXX=root + '/no-such-compiler'))
    targets = json.loads(run('meson', 'introspect', '--targets',
                             root + '/build'))
    tests = [t['name'] for t in targets if '/tests/' in t['defined_in']]
    must(targets and not tests, tests)


def without_its_libraries_the_command_is_left_out(root):
    if not shutil.which('meson'):
        raise tap.Skipped('no meson')
    build = root + '/build'
    said = run('meson', 'setup', build, os.environ['MOUND_SOURCE'],
               env=dict(os.environ, PKG_CONFIG_LIBDIR=root, PKG_CONFIG_PATH=''))
    must('The command mound is left out, without libdw, libelf' in said, said)
    targets = [t['name'] for t in json.loads(
        run('meson', 'introspect', '--targets', build))]
    must('mound' in targets and 'optionnames' not in targets, targets)


TESTS = [
    the_library_is_small_and_gdb_finds_the_rest,
    gdb_loads_the_scripts_of_the_map_where_they_are,
    it_serves_programs,
    the_command_starts_programs_on_the_library_beside_it,
    the_product_alone_needs_no_compiler_of_cxx,
    without_its_libraries_the_command_is_left_out,
]


if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
