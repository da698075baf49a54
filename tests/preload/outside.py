#!/usr/bin/env python3
"""What of a process's memory is seen from outside: by the dump beside the kernel's
own figures, by the names of mappings, by the peaks of real programs. TAP."""
import ctypes
import json
import mmap
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
HANG_S = 60
PR_SET_VMA = 0x53564d41


def contract(name):
    return os.path.join(os.environ['MOUND_PROBES'], 'contracts', name)


def run(argv, **env):
    """Runs a program with the library; returns its stdout and stderr."""
    r = subprocess.run(argv, capture_output=True, text=True, timeout=HANG_S,
                       env={**os.environ, 'LD_PRELOAD': LIB, **env},
                       check=False)
    must(r.returncode == 0, argv, r.returncode, r.stderr)
    return r.stdout, r.stderr


def the_dump_tells_what_of_huge_pages_is_unused(_):
    _, dump = run([contract('huge_use')], MOUND_STATS='json')
    dump = json.loads(dump)
    huge = dump['memstats']['HeapHuge']
    unused = dump['memstats']['HeapHugeUnused']
    print('# HeapHuge %d, unused %d; AnonHugePages %d' % (
        huge, unused, dump['mound']['huge']))
    if huge == 0:
        raise Skipped('no huge pages here')
    _, text = run([contract('huge_use')], MOUND_STATS='1')
    must('  huge pages  ' in text, text)
    must(huge % (2 << 20) == 0, huge, 'is not whole regions')
    must(0.65 * huge < unused < 0.8 * huge, unused, 'of', huge)


def without_huge_pages_none_are_told_of(_):
    _, dump = run([contract('huge_use')], MOUND_STATS='1', MOUND_THP='never')
    must('  live objects  ' in dump, dump)
    must('  huge pages  ' not in dump, dump)


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


def kernel_names():
    """Whether this kernel has names for mappings."""
    libc = ctypes.CDLL(None, use_errno=True)
    with mmap.mmap(-1, mmap.PAGESIZE) as page:
        address = ctypes.c_char.from_buffer(page)
        ok = libc.prctl(PR_SET_VMA, ctypes.c_ulong(0),
                        ctypes.c_ulong(ctypes.addressof(address)),
                        ctypes.c_ulong(mmap.PAGESIZE), b'a name') == 0
        del address
    return ok


def mappings_bear_names(_):
    """The program runs as ever also where the kernel has none."""
    show = ['sh', '-c', 'exec cat /proc/self/maps']
    maps, said = run(show, MOUND_NAMES='1')
    must(not said, said)
    must('[anon:mound' not in run(show)[0], 'not asked for')
    if not kernel_names():
        raise Skipped('this kernel has no names for mappings')
    must('[anon:mound heap]' in maps and '[anon:mound metadata]' in maps, maps)


def pages(start, nbytes):
    return set(range(start // mmap.PAGESIZE,
                     -(-(start + nbytes) // mmap.PAGESIZE)))


def trace_as_if_named(folder, probe, *arguments):
    """The calls of a probe on a kernel that has names: strace answers prctl."""
    path = os.path.join(folder, 'trace')
    r = subprocess.run(
        ['strace', '-qq', '-o', path, '-e',
         'trace=prctl,seccomp,mmap,munmap,mremap', '-e',
         'inject=prctl:retval=0', '-E', 'LD_PRELOAD=' + LIB, '-E',
         'MOUND_NAMES=1', contract(probe), *arguments],
        capture_output=True, text=True, timeout=HANG_S, check=False)
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        raise Skipped('strace cannot trace here', r.stderr)
    if r.returncode == 77:
        raise Skipped('this machine cannot run', probe)
    must(r.returncode == 0, r.returncode, r.stderr)
    with open(path, encoding='utf-8') as f:
        return f.read()


def what_is_named(folder, *probe):
    """The pages that a probe has mapped and not named, and the names."""
    lines = trace_as_if_named(folder, *probe).split(
        'prctl(PR_SET_VMA', 1)[1].splitlines()
    unnamed, names = set(), set()
    for line in ['prctl(PR_SET_VMA' + lines[0], *lines[1:]]:
        called = re.match(r'(\w+)\((.*)\) += (\S+)', line)
        if not called or called[3] == '-1':
            continue
        name, arguments = called[1], called[2].split(', ')
        if name == 'mmap' and arguments[4] == '-1':
            unnamed |= pages(int(called[3], 16), int(arguments[1]))
        elif name == 'munmap':
            unnamed -= pages(int(arguments[0], 16), int(arguments[1]))
        elif name == 'prctl':
            unnamed -= pages(int(arguments[2], 16), int(arguments[3]))
            names.add(arguments[4].strip('"'))
    return unnamed, names


def every_mapping_of_ours_is_given_a_name(folder):
    for probe in ['huge_use'], ['usable']:
        unnamed, names = what_is_named(folder, *probe)
        must(names == {'mound heap', 'mound metadata'}, names)
        must(not unnamed, probe, len(unnamed), 'pages without a name, first',
             hex(min(unnamed, default=0) * mmap.PAGESIZE))


def nothing_is_named_once_a_filter_comes(folder):
    """The filter kills for prctl."""
    before, _, after = trace_as_if_named(
        folder, 'syscalls', 'work', 'prctl').partition('seccomp(')
    must('PR_SET_VMA' in before, 'nothing was named')
    must('mmap' in after and 'PR_SET_VMA' not in after, after)


# Real programs and what they do; all of it through malloc.
PYTHON = """
import json
rows = [{'id': i, 'name': 'x%d' % i, 'tags': [str(i * j) for j in range(6)]}
        for i in range(25000)]
text = json.dumps(rows)
back = json.loads(text)
del rows
more = [s[::-1] for s in text.split(',')]
"""
PERL = """
my %h;
for my $i (1 .. 80000) { $h{'k' . ($i * 7919 % 80000)} = [$i, "v$i"]; }
my @sorted = sort { $h{$a}[0] <=> $h{$b}[0] } keys %h;
my $text = join ',', map { "$_=$h{$_}[1]" } @sorted;
delete $h{$_} for @sorted[0 .. 40000];
my @parts = split /,/, $text;
"""
JQ = ('[range(200000) | {a: ., b: "x\\(.)"}] | group_by(.a % 1000) | '
      'map(length) | add')
SQL = """
pragma cache_size = -60000;
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n
                        where i < 200000)
insert into t select i, 'row ' || (i * 7919 % 200000), i * 1.5 from n;
create index tb on t(b);
"""


def peak_kib(argv, **env):
    """The peak of a program's memory (VmHWM)."""
    if not shutil.which(argv[0]):
        raise Skipped(argv[0] + ' is not there')
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                             env={**os.environ, **env})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    must(child.returncode == 0, argv[0], child.returncode)
    return usage.ru_maxrss


def within(percent, argv, **env):
    """Whether a program stays within so much more than glibc's peak, if that is
    its limit. What a control group would count beside it, page tables and pages
    of files that it can drop, is left out on both sides."""
    glibc = peak_kib(argv, **env)
    limit = glibc * (100 + percent) // 100
    mound = peak_kib(argv, LD_PRELOAD=LIB, MOUND_MEMLIMIT='%dKiB' % limit,
                     **env)
    print('# %s: glibc %d KiB, limit %d, mound %d (%.3f)' % (
        os.path.basename(argv[0]), glibc, limit, mound, mound / glibc))
    must(mound <= limit, argv[0], mound, 'KiB, glibc', glibc)


def programs_run_in_the_peak_of_glibc_and_5_percent(_):
    within(5, ['/usr/bin/python3', '-c', PYTHON], PYTHONMALLOC='malloc')
    within(5, ['/usr/bin/perl', '-e', PERL])
    within(5, ['/usr/bin/jq', '-n', JQ])


def where_rounding_takes_more_it_is_no_more_than_that(_):
    """SQLite's pages of 4.3 KiB are in slots of 4.75."""
    within(15, ['/usr/bin/sqlite3', ':memory:', SQL])


TESTS = [
    the_dump_tells_what_of_huge_pages_is_unused,
    without_huge_pages_none_are_told_of,
    the_figures_in_json_are_those_of_the_table,
    mappings_bear_names,
    every_mapping_of_ours_is_given_a_name,
    nothing_is_named_once_a_filter_comes,
    programs_run_in_the_peak_of_glibc_and_5_percent,
    where_rounding_takes_more_it_is_no_more_than_that,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
