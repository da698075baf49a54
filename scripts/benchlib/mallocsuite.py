# mallocsuite.py: malloc and free under mound and other allocators.
#
# Each workload is a program of tests/bench; it runs under each allocator in a
# process of its own. The tables hold ratios to the best of the others in that
# row.

import json
import math
import os
import statistics

from . import launch, peers, suite, table, tree
from .suite import Figure

TIMEOUT_S = 120
QUICK_ROUNDS, ROUNDS = 3, 5
QUICK_SHARE = 4  # --quick does a fourth of the operations
THREADS = 2      # of the workloads that have several
STARTS = 200     # of /bin/true in one run of startup
CHECK_PAIRS = '1000'

KIB, MIB = 1024, 1024 * 1024


class Workload:
    """One program with its arguments. count is the number of repetitions, which
    stands at the place of COUNT in the arguments; a short run does fewer,
    unless what is measured depends on it (whole)."""

    def __init__(self, name, what, program, arguments, count, threads=1,
                 whole=False):
        self.name = name
        self.what = what
        self.program = program
        self.arguments = arguments
        self.count = count
        self.threads = threads
        self.whole = whole

    def argv(self, build, share):
        if self.program is None:
            return ['/bin/true']
        count = self.count if self.whole else max(1, self.count // share)
        return [tree.bench_program(build, self.program),
                *(str(count if a is COUNT else a) for a in self.arguments)]

    def times(self, share):
        return max(1, self.count // share) if self.program is None else 1


COUNT = object()


def pair(name, what, size, touch, count):
    return Workload(name, what, 'pair', [size, COUNT, touch], count)


WORKLOADS = [
    *(pair(f'pair-{size}', f'malloc and free of {size} bytes in turn', size,
           'first', 30_000_000) for size in (16, 64, 256, 1024)),
    *(Workload(f'burst-{order}', '1 000 objects of 64 bytes made, then freed, '
               f'{order} first', 'burst', [64, COUNT, order], 16_000)
      for order in ('newest', 'oldest')),
    Workload('random-1k', 'random sizes of 16 to 1 023 bytes, 1 000 live',
             'random', [1_000, COUNT], 12_000_000),
    Workload('random-100k', 'random sizes of 16 to 1 023 bytes, 100 000 live',
             'random', [100_000, COUNT], 6_000_000),
    Workload('growth', 'a fresh heap grows by 100 MB of 512-byte objects',
             'growth', [512, COUNT], 204_800, whole=True),
    Workload('handoff', 'one thread makes objects, another frees them',
             'handoff', [COUNT], 2_000_000, THREADS),
    pair('large-64k', 'pairs of 64 KiB, untouched', 64 * KIB, 'none',
         2_000_000),
    pair('large-64k-touch', 'pairs of 64 KiB, a byte of each page written',
         64 * KIB, 'pages', 400_000),
    pair('large-1m', 'pairs of 1 MiB, untouched', MIB, 'none', 1_000_000),
    pair('large-1m-touch', 'pairs of 1 MiB, a byte of each page written', MIB,
         'pages', 40_000),
    Workload('realloc-step', 'a block grows to 64 KiB by 16 bytes at a time',
             'realloc', ['step', 64 * KIB, COUNT], 600),
    Workload('realloc-double', 'a block doubles from 16 bytes to 16 MiB',
             'realloc', ['double', 16 * MIB, COUNT], 24),
    *(Workload(f'calloc-{name}', f'calloc of {size // KIB} KiB and free, eight '
               'live, a byte of each page written', 'calloc', [size, COUNT],
               count)
      for name, size, count in (('4k', 4 * KIB, 4_000_000),
                                ('64k', 64 * KIB, 20_000),
                                ('1m', MIB, 2_000))),
    Workload('threads-short', 'threads that make 100 objects and end',
             'threads', [COUNT], 3_000),
    Workload('larson', f'{THREADS} threads replace objects at random and hand '
             'them on to their successors', 'larson', [THREADS, COUNT, 20_000],
             200, THREADS),
    Workload('startup', '/bin/true from start to end', None, [], STARTS),
]


class Sample:
    """One run of one workload: time of an operation, peak memory, faults."""

    def __init__(self, result, times):
        if times > 1:
            self.ns = result.wall_ns / times
            self.cpu_ns = result.cpu_ns / times
        else:
            line = json.loads(result.stdout)
            self.ns = line['ns_per_op']
            self.cpu_ns = line['cpu_ns'] / line['ops']
        self.rss_kib = result.maxrss_kib
        self.faults = result.minor_faults / times


def take_sample(build, workload, peer, share, cpu):
    times = workload.times(share)
    result = suite.run(
        f'{workload.name} under {peer.name}', build,
        workload.argv(build, share), TIMEOUT_S,
        environment=peer.environment(), times=times,
        cpu=cpu if workload.threads == 1 else None)
    return Sample(result, times)


def check_preload(build, peer):
    """Refuses a peer whose malloc is not the one a program then gets."""
    argv = [tree.bench_program(build, 'pair'), '16', CHECK_PAIRS, 'first']
    result = launch.run(build, argv, timeout=TIMEOUT_S,
                        environment=peer.environment())
    if result is None or not result.ok:
        raise tree.Refusal(f'{peer.name}: a program that uses it fails')
    origin = json.loads(result.stdout)['malloc']
    if not peer.serves(origin):
        raise tree.Refusal(f'{peer.name}: malloc still comes from {origin}')


def measure(build, workloads, chosen, rounds, share):
    """{workload name: {peer name: [Sample of each round]}}"""
    cpu = max(os.sched_getaffinity(0))
    samples = {w.name: {p.name: [] for p in chosen} for w in workloads}
    for _, workload, peer in suite.interleaved(rounds, workloads,
                                               lambda w: chosen):
        samples[workload.name][peer.name].append(
            take_sample(build, workload, peer, share, cpu))
    return samples


class Row:
    """One workload of one table. compared is mound, or without it the second
    best, and the row concludes only if that differs enough from the best."""

    def __init__(self, figures, chosen):
        self.figures = figures
        others = [p.name for p in chosen if not p.is_mound] or list(figures)
        order = sorted(others, key=lambda name: figures[name].median)
        self.best = order[0]
        mound = [p.name for p in chosen if p.is_mound and len(chosen) > 1]
        compared = (mound + order[1:2] + order)[0]
        a, b = figures[self.best], figures[compared]
        self.concludes = len(chosen) == 1 or (
            abs(a.median - b.median) >= max(a.spread, b.spread))

    def ratio(self, name):
        return self.figures[name].median / self.figures[self.best].median


def rows_of(samples, chosen, field):
    return {
        workload: Row({peer: Figure([getattr(s, field) for s in rounds])
                       for peer, rounds in by_peer.items()}, chosen)
        for workload, by_peer in samples.items()
    }


def geometric_means(rows, chosen):
    return {
        p.name: math.exp(statistics.fmean(math.log(row.ratio(p.name))
                                          for row in rows.values()))
        for p in chosen
    }


def print_ratios(title, rows, chosen, form_best):
    print(f'\n{title}\n')
    lines = [['workload', '', *(p.name for p in chosen), 'best', 'its figure'],
             None]
    for name, row in rows.items():
        lines.append([
            name, ' ' if row.concludes else '~',
            *(f'{row.ratio(p.name):.2f}' for p in chosen), row.best,
            form_best(row.figures[row.best].median)])
    means = geometric_means(rows, chosen)
    lines += [None, ['geometric mean', '',
                     *(f'{means[p.name]:.2f}' for p in chosen)]]
    table.print_table(lines, left=2)
    unsure = sum(not row.concludes for row in rows.values())
    if unsure:
        print(f'~ {unsure} of {len(rows)} rows do not conclude: the rounds '
              'spread wider than the difference')


def form_memory(kib):
    return f'{kib / KIB:.1f} MiB'


def document(samples, chosen, rounds, quick, time_rows, rss_rows):
    return {
        'machine': suite.machine(), 'rounds': rounds, 'quick': quick,
        'peers': {p.name: p.version for p in chosen},
        'time_geometric_mean': geometric_means(time_rows, chosen),
        'rss_geometric_mean': geometric_means(rss_rows, chosen),
        'workloads': {
            name: {
                'time_concludes': time_rows[name].concludes,
                'rss_concludes': rss_rows[name].concludes,
                'peers': {
                    peer: {field: [getattr(s, field) for s in rounds_]
                           for field in ('ns', 'cpu_ns', 'rss_kib', 'faults')}
                    for peer, rounds_ in by_peer.items()},
            } for name, by_peer in samples.items()},
    }


def bench(arguments):
    names = suite.select('workload', arguments.workload,
                         [w.name for w in WORKLOADS])
    workloads = [w for name in names for w in WORKLOADS if w.name == name]
    chosen = peers.select(arguments.peer, arguments.build)
    cores = len(os.sched_getaffinity(0))
    needed = max(w.threads for w in workloads)
    if cores < needed:
        raise tree.Refusal(f'{needed} cores are needed, there is {cores}; '
                           'choose single-threaded ones with --workload')
    rounds = suite.rounds_of(arguments, QUICK_ROUNDS, ROUNDS)
    suite.check_json(arguments.json)
    for workload in workloads:
        workload.argv(arguments.build, 1)
    for peer in chosen:
        check_preload(arguments.build, peer)
    share = QUICK_SHARE if arguments.quick else 1

    lock = suite.lock_machine()
    samples = measure(arguments.build, workloads, chosen, rounds, share)
    os.close(lock)

    time_rows = rows_of(samples, chosen, 'ns')
    rss_rows = rows_of(samples, chosen, 'rss_kib')
    if arguments.json:
        suite.write_json(arguments.json,
                         document(samples, chosen, rounds, arguments.quick,
                                  time_rows, rss_rows))
    suite.print_heading('malloc', [(p.name, p.version) for p in chosen],
                        rounds, arguments.quick)
    print_ratios('time of an operation, as ratio to the best peer', time_rows,
                 chosen, suite.form_time)
    print_ratios('peak memory (RSS), as ratio to the best peer', rss_rows,
                 chosen, form_memory)


def add_arguments(parser):
    parser.add_argument('--peer', action='append', default=[],
                        metavar='NAME|PATH', help='mound, '
                        + ', '.join(peers.DEBIAN)
                        + ', or the path of a library (default all by name)')
    parser.add_argument('--workload', action='append', default=[],
                        metavar='NAME', help="a name, or a pattern as 'pair-*'"
                        ' (default all; --list shows them)')


def print_list():
    table.print_table([[w.name, w.what] for w in WORKLOADS], left=2)
