#!/usr/bin/env python3
"""mound profile and mound diff on profile files: the names that they find, what they
print and write, damaged files. TAP.

command_profile.py PROGRAM: the program that symbolized.cc is."""
import gzip
import os
import random
import re
import shutil
import subprocess
import sys
import time

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import pprof_make  # noqa: E402
import pprof_read  # noqa: E402
import tap  # noqa: E402
from tap import must  # noqa: E402

LIB = os.environ['MOUND_LIB']
COMMAND = os.path.join(os.path.dirname(LIB), 'command', 'mound')
SYMBOLIZE = os.path.join(os.path.dirname(LIB), 'symbolize', 'mound-symbolize')
PROGRAM = os.path.abspath(sys.argv.pop(1))
GO = next((g for g in ('/usr/lib/go-1.19/bin/go', shutil.which('go'))
           if g and os.path.exists(g)), None)
MIB = 1 << 20


def same(got, expected, *what):
    must(got == expected, *what, 'is', repr(got), 'not', repr(expected))


def run(*argv, status=0, said='', **options):
    """What a verb prints; said is all of its stderr, None: anything."""
    done = subprocess.run([COMMAND, *argv], capture_output=True, text=True,
                          timeout=60, check=False, errors='surrogateescape',
                          **options)
    must(done.returncode == status, argv, 'ended with', done.returncode,
         done.stdout, done.stderr)
    if said is not None:
        same(done.stderr, said, argv, 'stderr')
    return done.stdout


def recorded(folder, *argv, rate=1, **variables):
    """A profile that mound writes of a program."""
    path = os.path.join(folder, 'heap.pb.gz')
    subprocess.run(argv, check=True, timeout=60, stdout=subprocess.DEVNULL,
                   env={**os.environ, 'LD_PRELOAD': LIB, 'MOUND_PROFILE': path,
                        'MOUND_PROFILE_RATE': str(rate), **variables})
    return path


def stacks_of(path):
    return [s['functions'] for s in pprof_read.read(path)['samples']]


def write(folder, stacks, name='x.pb.gz'):
    return pprof_make.write(os.path.join(folder, name), stacks)


OLD = ((('read', 'load', 'main'), 100, 100 * MIB, 10, 30 * MIB),
       (('parse', 'load', 'main'), 50, 50 * MIB, 50, 50 * MIB),
       (('log', 'main'), 1000, 800 * MIB, 20, 20 * MIB))
NEW = ((('read', 'load', 'main'), 200, 200 * MIB, 25, 70 * MIB),
       (('log', 'main'), 1000, 800 * MIB, 20, 20 * MIB),
       (('index', 'main'), 3, 3 * MIB, 3, 3 * MIB))


def table(text, title):
    """The lines of a part of the output, without its title, as words."""
    part = text[text.index(title):].split('\n\n')[0]
    return [line.split() for line in part.splitlines()[1:]]


def shows_functions_and_stacks(folder):
    text = run('profile', write(folder, OLD))
    must('100.0 MiB in use in 80 objects, 950.0 MiB allocated' in text, text)
    rows = table(text, 'Functions with the most memory, in use')[1:]
    same(rows, [
        '50.0 MiB 50.0 % 50.0 MiB 50.0 % 50 parse'.split(),
        '30.0 MiB 30.0 % 30.0 MiB 30.0 % 10 read'.split(),
        '20.0 MiB 20.0 % 20.0 MiB 20.0 % 20 log'.split()])
    rows = table(text, 'Stacks with the most memory, in use')
    same(rows[:4], ['50.0 MiB 50.0 % in 50 objects'.split(), ['parse'],
                    ['load'], ['main']])
    text = run('profile', '--allocated', '--top=1', '--depth=1',
               write(folder, OLD))
    rows = table(text, 'Functions with the most memory, allocated')[1:]
    same([r[-1] for r in rows], ['log'])
    same(table(text, 'Stacks with the most memory, allocated'),
         ['800.0 MiB 84.2 % in 1.0 k objects'.split(), ['log'],
          '... 1 more caller'.split()])


def counts_a_function_that_calls_itself_once(folder):
    path = write(folder, [(('f', 'g', 'f', 'main'), 1, MIB, 1, MIB),
                          (('f', 'main'), 1, MIB, 1, MIB)])
    text = run('profile', path)
    same(table(text, 'Functions')[1],
         '2.0 MiB 100.0 % 2.0 MiB 100.0 % 2 f'.split())


def leaves_out_allocators(folder):
    path = write(folder, [
        (('mound_malloc', 'malloc', 'operator new', 'f', 'main'), 1, 8, 1, 8),
        (('memcpy', 'realloc', 'g', 'main'), 1, 8, 1, 8)])
    text = run('profile', path)
    same(sorted(r[-1] for r in table(text, 'Functions')[1:]), ['f', 'g'])


def shows_what_changed(folder):
    text = run('diff', write(folder, OLD), write(folder, NEW, 'y.pb.gz'))
    must('in use: -7.0 MiB, allocated: +53.0 MiB' in text, text)
    same(table(text, 'Functions with the most change, in use')[1:], [
        '-50.0 MiB -50.0 MiB -50 parse'.split(),
        '+40.0 MiB +40.0 MiB +15 read'.split(),
        '+3.0 MiB +3.0 MiB +3 index'.split()])
    rows = table(text, 'Stacks with the most change, in use')
    same(rows[:3], ['-50.0 MiB in -50 objects'.split(), ['parse'], ['load']])
    same(table(run('diff', write(folder, OLD), write(folder, OLD, 'y.pb.gz')),
               'Stacks'), [['none']])


def writes_the_difference_for_other_readers(folder):
    out = os.path.join(folder, 'diff.pb.gz')
    run('diff', write(folder, OLD), write(folder, NEW, 'y.pb.gz'), '-o', out)
    read = gzip.decompress(open(out, 'rb').read())
    must(b'inuse_space' in read)
    text = run('profile', out)
    must('index' in text and 'log' not in text, text)
    if GO is not None:
        done = subprocess.run([GO, 'tool', 'pprof', '-top', '-nodecount=1',
                               out], capture_output=True, text=True,
                              timeout=60, check=False)
        must(re.search(r'^ +-50MB .* parse$', done.stdout, re.M), done)


def finds_names_lines_and_inlined_functions(folder):
    path = recorded(folder, PROGRAM, 'allocate')
    text = run('profile', path)
    stack = ['allocate_inner (symbolized.cc:N)',
             'zoo::allocate_outer (symbolized.cc:N)', 'main (symbolized.cc:N)']
    lines = [re.sub(r':\d+\)', ':N)', line.strip())
             for line in text.splitlines()]
    must(any(lines[i:i + 3] == stack for i in range(len(lines))), text)
    source = os.path.join(folder, 'inlined.c')
    with open(source, 'w', encoding='ascii') as f:
        f.write('#include <stdlib.h>\nchar *volatile kept;\n'
                'static inline __attribute__((always_inline)) void\n'
                'inner(int n) {\n  kept = malloc(n);\n}\n'
                'static inline __attribute__((always_inline)) void\n'
                'middle(int n) {\n  inner(n + 1);\n}\n'
                'int main(int c, char **v) {\n  (void)v;\n'
                '  middle(4000 + c);\n  return kept == NULL;\n}\n')
    program = os.path.join(folder, 'inlined')
    subprocess.run(['cc', '-O2', '-g', '-o', program, source], check=True)
    path = recorded(folder, program)
    text = run('profile', path)
    must(re.search(r'^ +inner \(inlined.c:5\)\n +middle \(inlined.c:9\)\n'
                   r' +main \(inlined.c:13\)$', text, re.M), text)
    # Debug information in a file of its own: by .gnu_debuglink.
    subprocess.run(['objcopy', '--only-keep-debug', program,
                    program + '.debug'], check=True)
    subprocess.run(['objcopy', '--strip-all', '--add-gnu-debuglink=' +
                    program + '.debug', program], check=True, cwd=folder)
    same(run('profile', path), text)
    os.remove(program + '.debug')
    must('fn_0x' in run('profile', path))
    # Another file in its place.
    subprocess.run(['cc', '-O1', '-g', '-o', program, source], check=True)
    run('profile', path, said=f'mound: {program}: the file has changed: its '
        'build ID is not the one in the profile\n')
    os.remove(program)
    run('profile', path, said=f'mound: {program}: No such file or directory\n')


def names_functions_as_mound_symbolize_does(folder):
    for rate, program in (
            (1, [PROGRAM, 'allocate']),
            (4096, ['/usr/bin/python3', '-c', 'import json; [0] * 99999'])):
        path = recorded(folder, *program, rate=rate, PYTHONMALLOC='malloc')
        mine, other = os.path.join(folder, 'mine'), os.path.join(folder, 'other')
        run('profile', path, '-o', mine)
        subprocess.run([sys.executable, SYMBOLIZE, '-o', other, path],
                       check=True)
        old = pprof_read.read(other)
        new = pprof_read.read(mine)
        same(new['totals'], old['totals'])
        names = [{}, {}]
        for into, read in zip(names, (old, new)):
            for s in read['samples']:
                into.update(zip(s['addresses'], s['functions']))
        worse = {a: (n, names[1][a]) for a, n in names[0].items()
                 if n != names[1][a] and not n.startswith('fn_0x')}
        # With debug information it knows that a piece was inlined, of which
        # pprof_read gives the outermost, as the symbol does.
        same(worse, {}, 'names')


MANGLED = (
    ('_ZN3zoo4CageISsE3addEiRKSs', 'zoo::Cage<std::string>::add'),
    ('_ZNSt6vectorIiSaIiEE9push_backERKi', 'std::vector<int>::push_back'),
    ('_ZN12_GLOBAL__N_13fooEv', '(anonymous namespace)::foo'),
    ('_ZlsRSoRKSs', 'operator<<'),
    ('_ZZ3foovENKUlvE_clEv', 'foo()::{lambda()#1}::operator()'),
    ('_ZN3FoocvjEv', 'Foo::operator unsigned int'),
    ('_Z3mapIiEPT_S1_', 'map<int>'),
    ('_ZN4core3ptr13drop_in_place17h0123456789abcdefE',
     'core::ptr::drop_in_place'),
    ('_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into'
     '17h0123456789abcdefE', '<T as core::convert::Into<U>>::into'),
    ('work.constprop.0', 'work'), ('work.part.3.cold', 'work'),
    ('_Znwm', 'operator new'), ('_ZN3fo', '_ZN3fo'),
)


def writes_names_of_cplusplus_and_rust_as_people_do(folder):
    source, program = os.path.join(folder, 'm.s'), os.path.join(folder, 'm')
    # Symbols of any names, each with a call of malloc in it.
    text = '.text\n.globl main\nmain:\n subq $8, %rsp\n'
    names = [m for m, _ in MANGLED if m != '_Znwm']
    for i, _ in enumerate(names):
        text += f' call f{i}\n'
    text += ' xorl %eax, %eax\n addq $8, %rsp\n ret\n'
    for i, name in enumerate(names):
        text += (f'.type "{name}", @function\nf{i}:\n"{name}":\n.cfi_startproc\n'
                 ' subq $8, %rsp\n.cfi_adjust_cfa_offset 8\n movl $100, %edi\n '
                 'call malloc@PLT\n addq $8, %rsp\n.cfi_adjust_cfa_offset -8\n'
                 f' ret\n.cfi_endproc\n.size "{name}", .-"{name}"\n')
    text += '.section .note.GNU-stack,"",@progbits\n'
    with open(source, 'w', encoding='ascii') as f:
        f.write(text)
    subprocess.run(['cc', '-o', program, source], check=True)
    out = os.path.join(folder, 'out')
    run('profile', recorded(folder, program), '-o', out)
    found = {stack[0] for stack in stacks_of(out)}
    for name in names:
        must(dict(MANGLED)[name] in found, dict(MANGLED)[name], 'is not in',
             sorted(found))


def refuses_what_is_no_heap_profile(folder):
    path = os.path.join(folder, 'x')
    cpu = pprof_make.profile([(('f',), 1, 1)], types=('samples', 'cpu'))
    for data, why in (
            (b'', "not gzip, so not a profile in pprof's form"),
            (b'hello', "not gzip, so not a profile in pprof's form"),
            (gzip.compress(b''), "this is not a profile in pprof's form"),
            (gzip.compress(b'hello'), "this is not a profile in pprof's form"),
            (pprof_make.profile(OLD)[:-20], 'the gzip file is cut short'),
            (cpu, 'this is not a heap profile: it has no inuse_space'),
            (gzip.compress(bytes(300 << 20), 1), 'unpacked, it has more than '
             '256 MiB, too many for a profile')):
        with open(path, 'wb') as f:
            f.write(data)
        run('profile', path, status=2, said=f'mound: {path}: {why}\n')
    run('profile', folder, status=2, said=f'mound: {folder}: Is a directory\n')
    os.remove(path)
    run('profile', path, status=2,
        said=f'mound: {path}: No such file or directory\n')


def damaged_bytes_end_in_a_line(folder):
    seed = int(os.environ.get('SEED', time.time_ns()))
    print('# SEED=%d' % seed)
    random_ = random.Random(seed)
    good = gzip.decompress(pprof_make.profile(OLD))
    path = os.path.join(folder, 'x.pb.gz')
    for _ in range(100):
        data = bytearray(good)
        for _ in range(random_.choice((1, 3, 20))):
            data[random_.randrange(len(data))] = random_.randrange(256)
        with open(path, 'wb') as f:
            f.write(gzip.compress(bytes(data), 1))
        done = subprocess.run([COMMAND, 'profile', path], capture_output=True,
                              timeout=20, check=False)
        must(done.returncode in (0, 2), done)
        must((done.returncode == 0) == (done.stderr == b'') and
             done.stderr.count(b'\n') <= 1, done)
        must(not re.search(rb'[\0-\x09\x0b-\x1f\x7f]', done.stdout), done)


def damaged_programs_end_in_a_line(folder):
    seed = int(os.environ.get('SEED', time.time_ns()))
    print('# SEED=%d' % seed)
    random_ = random.Random(seed)
    program = os.path.join(folder, 'program')
    shutil.copy(PROGRAM, program)
    path = recorded(folder, program, 'allocate')
    with open(program, 'rb') as f:
        good = f.read()
    for _ in range(24):
        data = bytearray(good)
        # Headers and tables are where it counts.
        last = random_.choice((0x400, len(data)))
        for _ in range(random_.choice((1, 5, 50, 500))):
            data[random_.randrange(last)] = random_.randrange(256)
        with open(program, 'wb') as f:
            f.write(data)
        done = subprocess.run([COMMAND, 'profile', path], capture_output=True,
                              text=True, timeout=20, check=False,
                              errors='surrogateescape')
        must(done.returncode == 0 and 'Functions with' in done.stdout, done)
        must(re.fullmatch(r'(mound: .*\n)?', done.stderr), done.stderr)


def says_what_it_takes(folder):
    for verb in ('profile', 'diff'):
        text = run(verb, '--help')
        must('Exit status: 0' in text, text)
        run(verb, status=2, said=None)
        run(verb, '--what', 'x', 'y', status=2, said=None)
    path = write(folder, OLD)
    out = os.path.join(folder, 'none', 'out')
    run('profile', path, '-o', out, status=2,
        said=f'mound: {out}: No such file or directory\n')


TESTS = (
    shows_functions_and_stacks,
    counts_a_function_that_calls_itself_once,
    leaves_out_allocators,
    shows_what_changed,
    writes_the_difference_for_other_readers,
    finds_names_lines_and_inlined_functions,
    names_functions_as_mound_symbolize_does,
    writes_names_of_cplusplus_and_rust_as_people_do,
    refuses_what_is_no_heap_profile,
    damaged_bytes_end_in_a_line,
    damaged_programs_end_in_a_line,
    says_what_it_takes,
)

if __name__ == '__main__':
    sys.exit(tap.main(TESTS, pprof_read.Malformed))
