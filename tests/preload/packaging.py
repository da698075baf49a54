#!/usr/bin/env python3
"""How a project finds mound: by pkg-config, by CMake's find_package, as a subproject of
Meson. What is linked serves malloc even if libraries alone call it. TAP."""
import fnmatch
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import must  # noqa: E402

SOURCE = os.environ['MOUND_SOURCE']
BUILD = os.path.dirname(os.path.dirname(os.path.realpath(os.environ['MOUND_LIB'])))

# It calls no malloc itself; puts does.
PROGRAM = """
#include <mound.h>
#include <stdio.h>
int main(void) {
    struct mound_memstats m;
    puts("served");
    mound_read_memstats(&m, sizeof m);
    printf("%llu\\n", (unsigned long long)m.total_alloc);
    return 0;
}
"""
MAP_PROGRAM = """
#include <mound_map.h>
int main(void) { return mound_map_len(0) != 0; }
"""


def run(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=480,
                          **options)
    must(done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}')
    return done.stdout


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    return path


def installed():
    """Where lib/ is of an installation below FOLDER, and the environment in which
    it is found."""
    root = os.path.join(FOLDER, 'root')
    if not os.path.exists(root):
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet',
            env=dict(os.environ, DESTDIR=root))
    pc, = glob.glob(root + '/**/mound.pc', recursive=True)
    libdir = os.path.dirname(os.path.dirname(pc))
    return libdir, dict(os.environ, LD_LIBRARY_PATH=libdir,
                        PKG_CONFIG_PATH=os.path.dirname(pc),
                        PKG_CONFIG_SYSROOT_DIR=root)


def serves(program, env, least=1024):
    """The program's malloc is mound's, which has allocated so many bytes: puts alone
    has a buffer of 1024."""
    lines = run(program, env=env).split()
    must(lines[0] == 'served' and int(lines[1]) >= least, program, lines)


def linked(folder, env, package, *options, static=False):
    source = write(folder + '/program.c', PROGRAM)
    flags = run('pkg-config', '--cflags', '--libs', package,
                *(['--static'] if static else []), env=env).split()
    program = folder + '/program'
    run('gcc', *options, source, '-o', program, *flags)
    return program


def pkg_config_links_it_even_as_needed(folder):
    _, env = installed()
    program = linked(folder, env, 'mound', '-Wl,--as-needed')
    must('libmound.so.0' in run('readelf', '-d', program))
    serves(program, env)


def pkg_config_links_a_static_program(folder):
    _, env = installed()
    serves(linked(folder, env, 'mound', '-static', static=True), env)


def asking_for_static_libraries_does_not_link_mound_twice(folder):
    _, env = installed()
    program = linked(folder, env, 'mound', static=True)
    must(not re.search(r' T (mound_)?malloc$', run('nm', program), re.M))
    serves(program, env)


def moundmalloc_is_linked_into_the_program(folder):
    _, env = installed()
    program = linked(folder, env, 'moundmalloc', '-Wl,--as-needed')
    must('libmound' not in run('readelf', '-d', program))
    serves(program, env)


def every_library_has_its_pkg_config(folder):
    _, env = installed()
    write(folder + '/map.c', MAP_PROGRAM)
    flags = run('pkg-config', '--cflags', '--libs', 'moundmap', env=env).split()
    run('gcc', folder + '/map.c', '-o', folder + '/map', *flags)
    run(folder + '/map', env=env)


def cmake_finds_the_package(folder):
    libdir, env = installed()
    write(folder + '/program.c', PROGRAM)
    write(folder + '/map.c', MAP_PROGRAM)
    write(folder + '/CMakeLists.txt', """
cmake_minimum_required(VERSION 3.13)
project(user C)
set(CMAKE_EXE_LINKER_FLAGS -Wl,--as-needed)
find_package(mound 0.1 REQUIRED COMPONENTS mound moundmalloc moundmap)
add_executable(dynamic program.c)
target_link_libraries(dynamic PRIVATE mound::mound)
add_executable(inside program.c)
target_link_libraries(inside PRIVATE mound::moundmalloc)
add_executable(map map.c)
target_link_libraries(map PRIVATE mound::moundmap)
""")
    build = folder + '/build'
    run('cmake', '-S', folder, '-B', build, '-G', 'Ninja',
        '-Dmound_DIR=' + libdir + '/cmake/mound')
    run('cmake', '--build', build)
    must('libmound.so.0' in run('readelf', '-d', build + '/dynamic'))
    must('libmound' not in run('readelf', '-d', build + '/inside'))
    for program in ('dynamic', 'inside'):
        serves(build + '/' + program, env)
    run(build + '/map', env=env)
    for version in ('0.2', '99'):
        write(folder + '/other/CMakeLists.txt', """
cmake_minimum_required(VERSION 3.13)
project(user NONE)
find_package(mound %s QUIET)
if(mound_FOUND)
  message(FATAL_ERROR "version %s was accepted")
endif()
""" % (version, version))
        run('cmake', '-S', folder + '/other', '-B', folder + '/build' + version,
            '-Dmound_DIR=' + libdir + '/cmake/mound')


def meson_takes_it_as_a_subproject(folder):
    write(folder + '/meson.build', """
project('user', 'c')
foreach name : ['mound', 'moundmalloc', 'moundmap']
  dep = dependency(name)
  assert(dep.version() == '0.1.0')
  executable('with_' + name, name == 'moundmap' ? 'map.c' : 'program.c',
    dependencies: dep)
  executable('static_' + name, name == 'moundmap' ? 'map.c' : 'program.c',
    dependencies: dependency(name, static: true))
endforeach
assert(dependency('mound').get_variable('preload').contains('libmound.so'))
""")
    write(folder + '/program.c', PROGRAM)
    write(folder + '/map.c', MAP_PROGRAM)
    write(folder + '/subprojects/mound.wrap',
          '[wrap-file]\ndirectory = mound\n\n[provide]\n'
          'dependency_names = mound, moundmalloc, moundmap\n')
    os.symlink(SOURCE, folder + '/subprojects/mound')
    build = folder + '/build'
    # How well it is compiled is no matter here.
    run('meson', 'setup', build, folder, '--wrap-mode=forcefallback',
        '-Dmound:optimization=0', '-Dmound:debug=false', '-Dmound:command=disabled',
        '-Dmound:tests=true')
    must(not os.path.exists(build + '/subprojects/mound/tests'), 'tests')
    run('ninja', '-C', build)
    env = {k: v for k, v in os.environ.items() if k != 'LD_LIBRARY_PATH'}
    for name, needed in (('with_mound', 'libmound.so.0'), ('static_mound', None),
                         ('with_moundmalloc', None), ('static_moundmalloc', None),
                         ('with_moundmap', 'libmoundmap.so.0'),
                         ('static_moundmap', None)):
        program = build + '/' + name
        libraries = re.findall(r'NEEDED.*\[(libmound.*)\]',
                               run('readelf', '-d', program))
        must(libraries == ([needed] if needed else []), name, libraries)
        if 'map' in name:
            run(program, env=env)
        else:
            serves(program, env)


def the_rust_example_allocates_from_mound(folder):
    libdir, env = installed()
    # Debian's, if there is another.
    rustc = '/usr/bin/rustc' if os.path.exists('/usr/bin/rustc') else 'rustc'
    if not shutil.which(rustc):
        raise tap.Skipped('no rustc')
    run(rustc, '-O', SOURCE + '/preload/examples/global_alloc.rs',
        '-L', 'native=' + libdir, '-l', 'dylib=mound', '-o', folder + '/program')
    serves(folder + '/program', env, least=4 << 20)


def the_cxx_example_allocates_from_mound(folder):
    libdir, env = installed()
    run('g++', '-std=c++17', '-Wall', '-Wextra', '-Werror',
        SOURCE + '/preload/examples/pmr.cc',
        '-I' + SOURCE + '/alloc', libdir + '/libmound.a',
        '-o', folder + '/program')
    must(not re.search(' T malloc$', run('nm', folder + '/program'), re.M))
    serves(folder + '/program', env, least=500_000)


def every_installed_file_is_in_one_debian_package(folder):
    run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet',
        env=dict(os.environ, DESTDIR=folder))
    # Debian's prefix is /usr, and has no folder .debug.
    found = [os.path.relpath(os.path.join(d, name), folder)
             .replace('usr/local/', 'usr/', 1).replace('/usr/local/', '/usr/')
             for d, _, names in os.walk(folder) for name in names
             if not d.endswith('.debug')]
    lists = glob.glob(SOURCE + '/scripts/debian/*.install')
    patterns = [line.strip() for path in lists
                for line in open(path, encoding='utf-8')]
    for name in found:
        hits = [p for p in patterns if fnmatch.fnmatch(name, p) or
                fnmatch.fnmatch(name, p + '/*')]
        must(len(hits) == 1, f'{name} is in {hits}')
    for pattern in patterns:
        must(any(fnmatch.fnmatch(name, pattern) or
                 fnmatch.fnmatch(name, pattern + '/*') for name in found),
             f'{pattern}: there is no such file')


def the_release_has_checksums_that_are_signed(folder):
    if not os.path.exists(SOURCE + '/.git'):
        raise tap.Skipped('not a checkout of git')
    os.mkdir(folder + '/gpg', 0o700)
    env = dict(os.environ, GNUPGHOME=folder + '/gpg')
    release = folder + '/release'
    try:
        run('gpg', '--batch', '--passphrase', '', '--quick-gen-key',
            'signer@example.org', 'ed25519', 'sign', '0', env=env)
        run(SOURCE + '/scripts/package', '--tarball-only', '--sign',
            'signer@example.org', release, env=env)
        run('sha256sum', '--strict', '-c', 'SHA256SUMS', cwd=release)
        verify = ('gpg', '--verify', 'SHA256SUMS.asc', 'SHA256SUMS')
        run(*verify, env=env, cwd=release)
        with open(release + '/SHA256SUMS', 'a', encoding='utf-8') as f:
            f.write('and one more\n')
        must(subprocess.run(verify, env=env, cwd=release, capture_output=True,
                            timeout=60).returncode == 1)
    finally:
        subprocess.run(['gpgconf', '--kill', 'all'], env=env, timeout=60)
    tarball, = glob.glob(release + '/mound-*.tar.gz')
    with tarfile.open(tarball) as t:
        names = set(t.getnames())
    top = os.path.basename(tarball)[:-len('.tar.gz')]
    tracked = run('git', '-C', SOURCE, 'ls-tree', '-r', '--name-only',
                  'HEAD').split('\n')[:-1]
    must(names >= {top + '/' + name for name in tracked})
    must(all(name == top or name.startswith(top + '/') for name in names))


def the_symbols_files_have_what_is_exported(folder):
    for package, name in (('libmound0', 'preload/libmound.so'),
                          ('libmoundmap0', 'map/libmoundmap.so')):
        exported = {line.split()[-1].split('@')[0] for line in
                    run('nm', '-D', '--defined-only',
                        os.path.join(BUILD, name)).splitlines()}
        with open(SOURCE + f'/scripts/debian/{package}.symbols',
                  encoding='utf-8') as f:
            listed = {line.split('@')[0].strip() for line in
                      f.read().splitlines()[1:]}
        must(listed == exported, f'{package}: {sorted(listed ^ exported)}')


TESTS = [
    pkg_config_links_it_even_as_needed,
    pkg_config_links_a_static_program,
    asking_for_static_libraries_does_not_link_mound_twice,
    moundmalloc_is_linked_into_the_program,
    every_library_has_its_pkg_config,
    cmake_finds_the_package,
    meson_takes_it_as_a_subproject,
    the_rust_example_allocates_from_mound,
    the_cxx_example_allocates_from_mound,
    every_installed_file_is_in_one_debian_package,
    the_release_has_checksums_that_are_signed,
    the_symbols_files_have_what_is_exported,
]


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as FOLDER:
        sys.exit(tap.main(TESTS))
