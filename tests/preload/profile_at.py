#!/usr/bin/env python3
"""Profiles of a moment (MOUND_PROFILE_AT): that of the peak, and that of the limit. TAP."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import pprof_read  # noqa: E402
import tap  # noqa: E402
from tap import must  # noqa: E402

LIB = os.environ['MOUND_LIB']
MIB = 1 << 20
HANG_S = 60

# 200 MiB at once, of which 20 stay; then 100 more; it ends as argv[1] says.
PROGRAM = '''
import os, signal, sys
kept = [bytearray(1 << 20) for _ in range(20)]
gone = [bytearray(1 << 20) for _ in range(180)]
del gone
more = [bytearray(1 << 20) for _ in range(100)]
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "fork":
    if os.fork() == 0:
        much = [bytearray(1 << 20) for _ in range(400)]
        del much
        sys.exit()
    os.wait()
del more, kept
'''


def run(folder, how, said='', **variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    path = variables.pop('path', 'heap.pb.gz')
    env.update(LD_PRELOAD=LIB, PYTHONMALLOC='malloc', MOUND_PROFILE_RATE='256KiB',
               MOUND_PROFILE=os.path.join(folder, path), **variables)
    r = subprocess.run(['/usr/bin/python3', '-S', '-c', PROGRAM, how], env=env,
                       text=True, capture_output=True, timeout=HANG_S, check=False)
    must(r.returncode == (-9 if how == 'kill' else 0), r.returncode, r.stderr)
    must(said in r.stderr if said else r.stderr == '', r.stderr)


def inuse(folder, name):
    """MiB in use in a profile."""
    profile = pprof_read.read(os.path.join(folder, name))
    at = profile['types'].index('inuse_space/bytes')
    return sum(s['values'][at] for s in profile['samples']) / MIB


def near(mib, wanted):
    must(abs(mib - wanted) < 0.1 * wanted, mib, 'MiB, not', wanted)


def files(folder):
    return sorted(os.listdir(folder))


def the_peak_is_written_beside_the_profile_of_the_end(folder):
    run(folder, 'end', MOUND_PROFILE_AT='peak')
    must(files(folder) == ['heap.pb.gz', 'heap.peak.pb.gz'], files(folder))
    near(inuse(folder, 'heap.peak.pb.gz'), 200)
    must(inuse(folder, 'heap.pb.gz') < 50, 'the end')


def a_killed_process_leaves_it(folder):
    run(folder, 'kill', MOUND_PROFILE_AT='peak')
    must(files(folder) == ['heap.peak.pb.gz'], files(folder))
    near(inuse(folder, 'heap.peak.pb.gz'), 200)


def its_file_is_one_whatever_the_name(folder):
    for path in ('%p.pb.gz', 'heap.%n.pb.gz'):
        run(folder, 'end', path=path, MOUND_PROFILE_AT='peak')
        peaks = [f for f in files(folder) if '.peak.' in f]
        must(len(peaks) == 1, files(folder))
        near(inuse(folder, peaks[0]), 200)
        for name in files(folder):
            os.unlink(os.path.join(folder, name))


def a_child_has_a_peak_of_its_own(folder):
    run(folder, 'fork', MOUND_PROFILE_AT='peak')
    near(inuse(folder, 'heap.peak.pb.gz'), 200)
    child = [f for f in files(folder) if f.startswith('heap.peak.pb.gz.')]
    must(len(child) == 1, files(folder))
    near(inuse(folder, child[0]), 520)


def the_text_form_has_it_too(folder):
    run(folder, 'end', path='heap.heap', MOUND_PROFILE_AT='peak')
    with open(os.path.join(folder, 'heap.peak.heap'), encoding='ascii') as f:
        first = f.readline()
    # heap profile: N: BYTES [...: those sampled, of a mebibyte nearly all
    near(int(first.split()[3]) / MIB, 200)


def the_limit_is_passed_once(folder):
    run(folder, 'end', MOUND_PROFILE_AT='90%', MOUND_MEMLIMIT='100MiB')
    must(files(folder) == ['heap.limit.pb.gz', 'heap.pb.gz'], files(folder))
    near(inuse(folder, 'heap.limit.pb.gz'), 90)


def both_and_neither(folder):
    run(folder, 'end', MOUND_PROFILE_AT='peak,50%', MOUND_MEMLIMIT='100MiB')
    must(len(files(folder)) == 3, files(folder))
    near(inuse(folder, 'heap.limit.pb.gz'), 50)
    run(folder, 'end', said='mound: MOUND_PROFILE_AT=top: not understood',
        MOUND_PROFILE_AT='top')
    run(folder, 'end', said='no effect without MOUND_MEMLIMIT',
        MOUND_PROFILE_AT='90%')


TESTS = [
    the_peak_is_written_beside_the_profile_of_the_end,
    a_killed_process_leaves_it,
    its_file_is_one_whatever_the_name,
    a_child_has_a_peak_of_its_own,
    the_text_form_has_it_too,
    the_limit_is_passed_once,
    both_and_neither,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
