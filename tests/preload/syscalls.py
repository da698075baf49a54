#!/usr/bin/env python3
"""Which system calls mound makes in each phase of a process, against the list of
tests/golden/syscalls.txt, by strace. TAP."""
import collections
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
HANG_S = 60


def golden():
    path = os.path.join(SOURCE, 'tests', 'golden', 'syscalls.txt')
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if line.strip() and line[0] != '#']
    return {phase: set(names.split())
            for phase, names in (line.split(':') for line in lines)}


def trace(folder, argv, **env):
    """The system calls of a command with all its threads, one a line."""
    path = os.path.join(folder, 'trace')
    settings = [x for k, v in env.items() for x in ('-E', '%s=%s' % (k, v))]
    r = subprocess.run(['strace', '-f', '-qq', '-o', path, *settings, *argv],
                       capture_output=True, timeout=HANG_S, check=False)
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        raise Skipped('strace cannot trace here', r.stderr)
    with open(path, encoding='utf-8', errors='replace') as f:
        return r, f.read()


def names(text):
    """How often each is called. By release, glibc's fstat is fstat or newfstatat."""
    text = re.sub(r'^(\d+ +)fstat\(', r'\1newfstatat(', text, flags=re.M)
    return collections.Counter(re.findall(r'^\d+ +(\w+)\(', text, re.M))


def added(folder, **env):
    """What /bin/true calls with the library more than without."""
    argv = ['/bin/true']
    without = names(trace(folder, argv)[1])
    r, text = trace(folder, argv, LD_PRELOAD=LIB, **env)
    must(r.returncode == 0, env, r.returncode, r.stderr)
    return set(names(text) - without)


def only(seen, *phases):
    known = set().union(*(golden()[p] for p in phases))
    must(seen, 'nothing was traced')
    must(seen <= known, 'not in', phases, ':', *sorted(seen - known))


def the_start(folder):
    only(added(folder), 'start')


def statistics_on_stderr(folder):
    only(added(folder, MOUND_STATS=1), 'start', 'stats')


def statistics_in_a_file(folder):
    path = os.path.join(folder, 'stats.json')
    only(added(folder, MOUND_STATS=path), 'start', 'file')
    must(os.path.exists(path), 'no statistics')


def a_profile(folder):
    path = os.path.join(folder, 'p.pb.gz')
    only(added(folder, MOUND_PROFILE=path, MOUND_UNWIND='fp'), 'start',
         'profile')
    must(os.path.exists(path), 'no profile')


def names_of_mappings(folder):
    only(added(folder, MOUND_NAMES=1), 'start', 'names')


def a_page(folder):
    seen = added(folder, MOUND_WATCH='1')
    only(seen, 'start', 'watch')
    must('fallocate' in seen, 'no page')


def the_life_after_the_start(folder):
    probe = os.path.join(os.environ['MOUND_PROBES'], 'contracts', 'syscalls')
    r, text = trace(folder, [probe, 'work', 'raw'], LD_PRELOAD=LIB)
    if r.returncode == 77:
        raise Skipped('no filters here')
    must(r.returncode == 0, r.returncode, r.stderr)
    life = text[text.index('seccomp('):].split('\n', 1)[1]
    only(set(names(life)) - {'exit_group'}, 'steady')


def threads_that_sleep_after_a_peak(folder):
    probe = os.path.join(os.environ['MOUND_PROBES'], 'sleeping_threads')
    known = set(names(trace(folder, [probe])[1]))
    r, text = trace(folder, [probe], LD_PRELOAD=LIB)
    must(r.returncode == 0, r.returncode, r.stderr)
    only(set(names(text)) - known, 'start', 'steady', 'helper')


def calls_that_a_helper_is_ended_for(folder):
    probe = os.path.join(os.environ['MOUND_PROBES'], 'rights')
    argv = [probe, 'spaces', 'any']  # whether there is a helper or not
    known = set(names(trace(folder, argv)[1]))
    r, text = trace(folder, argv, LD_PRELOAD=LIB)
    must(r.returncode == 0, r.returncode, r.stderr)
    must('tgkill' in names(text), 'its end was not waited for')
    only(set(names(text)) - known, 'start', 'steady', 'helper', 'pause')


TESTS = [
    the_start, statistics_on_stderr, statistics_in_a_file, a_profile,
    names_of_mappings, a_page, the_life_after_the_start, threads_that_sleep_after_a_peak,
    calls_that_a_helper_is_ended_for,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS, subprocess.TimeoutExpired))
