#!/usr/bin/env python3
"""What MOUND_HARDENED=2 and MOUND_GUARD find: each misuse of misuse2 is reported
by the line it should be, with the program's frame in the stack, and the process
ends as it should; what is no misuse passes. Real programs run unchanged. TAP."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

LIB = os.environ['MOUND_LIB']
PROGRAM = os.path.join(os.environ['MOUND_PROBES'], 'misuse2')
LEVEL2 = {'MOUND_HARDENED': '2'}
GUARD = {'MOUND_GUARD': '1', 'MOUND_PROFILE_RATE': '1'}
BOTH = {**LEVEL2, **GUARD}
HANG_S = 120

OVERWRITTEN = r'free\(\): heap overflow: its end was overwritten: 0x'
DOUBLE = r'free\(\): double free or never allocated: 0x'
RIGHT = r'bytes right of the object of'
# Settings, arguments of misuse2, the first line, and whether it dies of a fault.
MISUSES = [
    (LEVEL2, 'write_free malloc 40 40', OVERWRITTEN, False),
    (LEVEL2, 'write_free malloc 33 33', OVERWRITTEN, False),
    (LEVEL2, 'write_free malloc 33 38', OVERWRITTEN, False),
    (LEVEL2, 'write_free calloc 100 100', OVERWRITTEN, False),
    (LEVEL2, 'write_free grown 1000 1000', OVERWRITTEN, False),
    (LEVEL2, 'write_free shrunk 1000 1000', OVERWRITTEN, False),
    (LEVEL2, 'write_free aligned64 100 100', OVERWRITTEN, False),
    (LEVEL2, 'write_free aligned4096 5000 5000', OVERWRITTEN, False),
    (LEVEL2, 'write_free malloc 100000 100000', OVERWRITTEN, False),
    (LEVEL2, 'write_free malloc 1000000 1000000', OVERWRITTEN, False),
    (LEVEL2, 'write_free malloc 24 24 0 8', OVERWRITTEN, False),
    (LEVEL2, 'free_write malloc 40 3 1', r'use after free: byte 3 was', False),
    (LEVEL2, 'free_write_churn malloc 40 7 1', r'use after free: byte 7 was',
     False),
    (LEVEL2, 'double_free malloc 40', DOUBLE, False),
    (LEVEL2, 'double_free malloc 100000', DOUBLE, False),
    (LEVEL2, 'interior malloc 100 16', r'free\(\): interior pointer', False),
    (LEVEL2, 'sized malloc 40 39', r'free_sized\(\): size mismatch', False),
    (GUARD, 'write_free malloc 40 40', r'heap overflow found: .* 0 ' + RIGHT,
     False),
    (GUARD, 'write_free malloc 40 -1', r'heap underflow found: ', False),
    (GUARD, 'read malloc/right 48 48', r'heap overflow: .* 0 ' + RIGHT, True),
    (GUARD, 'read malloc/left 48 -1', r'heap underflow: ', True),
    (GUARD, 'free_write malloc 40 3', r'use after free: .* 3 bytes into', True),
    (GUARD, 'free_read malloc 40 3', r'use after free: .* 0 bytes into', True),
    (GUARD, 'double_free malloc 40', r'free\(\): double free: ', False),
    (GUARD, 'interior malloc 40 8', r'free\(\): interior pointer: ', False),
    (GUARD, 'sized malloc 40 39', r'free_sized\(\): size mismatch', False),
    (BOTH, 'write_free malloc 40 40', r'overflow', False),
    (BOTH, 'double_free malloc 40', r'free\(\): double free', False),
]
FINE = ['usable_exact malloc 33', 'realloc_keeps malloc 100',
        'calloc_zero calloc 1000', 'threads malloc 100', 'forks malloc 100',
        'many_live malloc 40 300', 'no_bytes malloc 0', 'sized_right malloc 40',
        'handler_frees malloc 100', 'own_handler malloc 40 40']
PROGRAMS = [['ls', '/'], ['sort', '/etc/services'], ['perl', '-e',
            'my %h; $h{$_} = "x" x $_ for 1..500; print scalar keys %h'],
            ['python3', '-c', 'import json; print(len(json.dumps('
             '[{"a": str(i)} for i in range(3000)])))'],
            ['node', '-e', 'console.log(Buffer.alloc(99999).length)'],
            ['sqlite3', ':memory:', 'create table t(a); insert into t values '
             '(1),(2),(3); select sum(a) from t']]


def run(argv, settings):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    if settings is not None:
        env.update(settings, LD_PRELOAD=LIB)
    return subprocess.run(argv, env=env, capture_output=True, text=True,
                          timeout=HANG_S, check=False)


def misuse(settings, arguments, line, faults):
    r = run([PROGRAM, *arguments.split()], settings)
    ends = -signal.SIGSEGV if faults else -signal.SIGABRT
    first = r.stderr.split('\n')[0]
    if r.returncode != ends:
        return 'ended with %d: %s' % (r.returncode, r.stderr)
    if not re.match(r'mound: .*' + line, first):
        return 'said ' + first
    if not re.search(r'^    #0 0x[0-9a-f]+ \S+\+0x[0-9a-f]+$', r.stderr, re.M):
        return 'no stack: ' + r.stderr
    if settings is not LEVEL2 and settings is GUARD and \
            'sized' not in arguments and \
            not re.search(r'allocated by thread \d+:\n    #0 .*misuse2\+0x',
                          r.stderr):
        return 'not by whom: ' + r.stderr
    if not faults:
        again = run([PROGRAM, *arguments.split()],
                    {**settings, 'MOUND_MISUSE': 'report'})
        if again.returncode != 0 or first[:20] != again.stderr[:20]:
            return 'report: %d %s' % (again.returncode, again.stderr)
        silent = run([PROGRAM, *arguments.split()],
                     {**settings, 'MOUND_MISUSE': 'ignore'})
        if silent.returncode != 0 or silent.stderr != '':
            return 'ignore: %d %s' % (silent.returncode, silent.stderr)
    return None


def fine(settings, arguments):
    r = run([PROGRAM, *arguments.split()], settings)
    if r.returncode == 77:
        return None
    return None if r.returncode == 0 and 'mound:' not in r.stderr else \
        '%d %s' % (r.returncode, r.stderr)


def unchanged(settings, argv):
    if shutil.which(argv[0]) is None:
        return None
    plain, ours = run(argv, None), run(argv, settings)
    same = (plain.returncode, plain.stdout) == (ours.returncode, ours.stdout)
    return None if same and 'mound:' not in ours.stderr else ours.stderr


def consistent(settings):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'stats.json')
        run([PROGRAM, 'threads', 'malloc', '100'],
            {**settings, 'MOUND_STATS': path})
        with open(path, encoding='utf-8') as f:
            m = json.load(f)['memstats']
    if m['Mallocs'] - m['Frees'] != m['HeapObjects'] or m['Mallocs'] == 0:
        return str(m)
    return None


def main():
    named = {'level 2': LEVEL2, 'guard': GUARD, 'both': BOTH}

    def name(settings):
        return next(n for n, s in named.items() if s is settings)
    tests = [('%s: %s' % (name(m[0]), m[1]), misuse, m) for m in MISUSES]
    for settings in (LEVEL2, GUARD, BOTH):
        tests += [('%s: %s is fine' % (name(settings), a), fine,
                   (settings, a)) for a in FINE]
        tests.append(('%s: statistics add up' % name(settings), consistent,
                      (settings,)))
    for settings in (LEVEL2, {**GUARD, 'MOUND_PROFILE_RATE': '65536'}):
        tests += [('%s: %s' % ('guard' if 'MOUND_GUARD' in settings else
                               'level 2', p[0]), unchanged, (settings, p))
                  for p in PROGRAMS]
    print('1..%d' % len(tests))
    failed = 0
    for i, (title, test, arguments) in enumerate(tests):
        wrong = test(*arguments)
        failed += wrong is not None
        print('%s %d - %s' % ('ok' if wrong is None else 'not ok', i + 1,
                              title), flush=True)
        if wrong is not None:
            print('# ' + wrong.replace('\n', '\n# '))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
