#!/usr/bin/env python3
"""What of a process's memory is seen from outside: by the dump beside the kernel's
own figures. TAP."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
HANG_S = 60


def contract(name):
    return os.path.join(os.environ['MOUND_PROBES'], 'contracts', name)


def run(argv, **env):
    """Runs a program with the library; returns its stdout and stderr."""
    r = subprocess.run(argv, capture_output=True, text=True, timeout=HANG_S,
                       env={**os.environ, 'LD_PRELOAD': LIB, **env},
                       check=False)
    must(r.returncode == 0, argv, r.returncode, r.stderr)
    return r.stdout, r.stderr


def row(dump, name):
    """The bytes of a line of the table, 0 if it is not there."""
    for line in dump.splitlines():
        words = line.split()
        if words and words[0] == name:
            return int(words[3])
    return 0


def the_dump_tells_what_of_huge_pages_is_unused(_):
    _, dump = run([contract('huge_use')], MOUND_STATS='1')
    huge, unused = row(dump, 'HeapHuge'), row(dump, 'HeapHugeUnused')
    print('# HeapHuge %d, unused %d; AnonHugePages %d' % (
        huge, unused, row(dump, 'AnonHugePages')))
    if huge == 0:
        raise Skipped('no huge pages here')
    must(huge % (2 << 20) == 0, huge, 'is not whole regions')
    must(0.65 * huge < unused < 0.8 * huge, unused, 'of', huge)


def without_huge_pages_none_are_told_of(_):
    _, dump = run([contract('huge_use')], MOUND_STATS='1', MOUND_THP='never')
    must('HeapInuse' in dump, dump)
    must('HeapHuge' not in dump, dump)


def the_figures_in_json_are_those_of_the_table(folder):
    path = os.path.join(folder, 'stats.json')
    run([contract('huge_use')], MOUND_STATS=path)
    with open(path, encoding='utf-8') as f:
        stats = json.load(f)['memstats']
    must(0 <= stats['HeapHugeUnused'] <= stats['HeapHuge'] <= stats['HeapSys'],
         stats)
    if stats['HeapHuge'] == 0:
        raise Skipped('no huge pages here')
    must(stats['HeapHugeUnused'] > stats['HeapHuge'] // 2, stats)


TESTS = [
    the_dump_tells_what_of_huge_pages_is_unused,
    without_huge_pages_none_are_told_of,
    the_figures_in_json_are_those_of_the_table,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
