#!/usr/bin/env python3
"""What each mode sees of the misuses in battery.c: the table of preload/misuse.md, tested. A
process that dies by abort or a fault has seen it; where old data is read, a process
that gets none. TAP."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import must  # noqa: E402

BATTERY = os.path.join(os.environ['MOUND_PROBES'], 'battery')
STALE = 3
HANG_S = 20

# What may go unseen, by the beginning of the name. An underflow of the first
# object of a mapping faults in any mode; pthread_create may get what was freed.
LEVEL1 = ('over_', 'under_', 'sized_by_1', 'twice_in_a_thread')
LEVEL1_SMALL = ('late_first', 'late_last', 'late_middle', 'late_null')
DEFAULT = LEVEL1 + LEVEL1_SMALL + (
    'late_read', 'new_holds_old', 'no_bytes_read', 'no_bytes_write',
    'freed_realloc_smaller', 'freed_usable')


def run(name, level):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    env['LD_PRELOAD'] = os.environ['MOUND_LIB']
    env['MOUND_HARDENED'] = str(level)
    return subprocess.run([BATTERY] + ([name] if name else []), env=env,
                          text=True, capture_output=True, timeout=HANG_S,
                          check=False)


def seen(name, level):
    r = run(name, level)
    must(r.returncode in (0, STALE) or r.returncode < 0, name, r)
    must('twice' not in r.stdout and 'misaligned' not in r.stdout, name,
         level, r.stdout, r.stderr)
    if name.startswith(('late_read', 'new_holds_old')):
        return r.returncode != STALE
    return r.returncode < 0


def unseen(level, may_be):
    missed = [name for name in run(None, 0).stdout.split()
              if not may_be(name) and not seen(name, level)]
    must(not missed, 'not seen in level', level, missed)


def by_default_frees_are_seen(_):
    unseen(0, lambda name: name.startswith(DEFAULT))


def level_1_sees_frees_and_use_of_large_objects(_):
    unseen(1, lambda name: name.startswith(LEVEL1) or
           (name.startswith(LEVEL1_SMALL) and not name.endswith('_large')))


def level_2_sees_all(_):
    unseen(2, lambda name: False)


if __name__ == '__main__':
    sys.exit(tap.main([by_default_frees_are_seen,
                       level_1_sees_frees_and_use_of_large_objects,
                       level_2_sees_all], ValueError))
