# workloads.py: the workloads of scripts/bench malloc that are programs of tests/bench,
# with their arguments. The real programs are in programs.py.

import json
import math

from . import suite, tree

KIB, MIB = 1024, 1024 * 1024
TIMEOUT_S = 300
THREADS = 2   # of the workloads with several
STARTS = 200  # of /bin/true in one run of startup
COUNT = object()
NOTE = 'note '
IDLE_S, IDLE_FULL_S = 10, 60

# The share of a long run's operations, by the kind of run.
SHARES = {'quick': 20, 'normal': 2, 'full': 1}


class Setting:
    """The circumstances of one run of a workload: build directory, peer, kind of run, the
    processor for one thread, a directory of its own for the inputs."""

    def __init__(self, build, mode, cpu, inputs):
        self.build = build
        self.mode = mode
        self.cpu = cpu
        self.inputs = inputs


def sample(ns, cpu_ns, result, operations=1, rate=None):
    """The figures of one run. ns and cpu_ns are of one operation; the rest is of the
    process, or of the largest of its processes. Figures that the program notes itself
    (bench_note) have their name after NOTE."""
    figures = {'ns': ns, 'cpu_ns': cpu_ns, 'rss_kib': result.maxrss_kib,
               'minor_faults': result.minor_faults / operations,
               'major_faults': result.major_faults / operations}
    if rate is not None:
        figures['rate'] = rate
    return figures


class Workload:
    """One program with its arguments. count is the number of repetitions, which replaces
    COUNT in the arguments; a short run does fewer, but at least `least`, or all if the
    result depends on it (whole)."""

    group = 'written'
    timed_inside = True  # the process's preparation is not measured
    most_rounds = math.inf
    can_be_littered = True

    def __init__(self, name, what, program, arguments, count, threads=1,
                 whole=False, least=1, modes=tuple(SHARES)):
        self.name = name
        self.what = what
        self.program = program
        self.arguments = arguments
        self.count = count
        self.threads = threads
        self.whole = whole
        self.least = least
        self.modes = modes  # kinds of run that include it without being named

    def missing(self):
        return []

    def check_built(self, build):
        """Refuses a build directory without the program."""
        self.argv(build, 1)

    def prepare(self, setting):
        """Makes the inputs, if there are any."""

    def argv(self, build, share):
        count = self.count if self.whole else max(self.least,
                                                  self.count // share)
        return [tree.bench_program(build, self.program),
                *(str(count if a is COUNT else a) for a in self.arguments)]

    def run(self, setting, where, environment):
        result = suite.run(
            where, setting.build, self.argv(setting.build,
                                            SHARES[setting.mode]),
            TIMEOUT_S, environment=environment,
            cpu=setting.cpu if self.threads == 1 else None)
        line = json.loads(result.stdout)
        figures = sample(line['ns_per_op'], line['cpu_ns'] / line['ops'],
                         result)
        figures.update((NOTE + name, value)
                       for name, value in line['notes'].items())
        return figures


class Idle(Workload):
    """Most of its time is sleep, and all rounds are alike."""

    most_rounds = 2

    def __init__(self, how, what):
        super().__init__(f'idle-{how}', '128 MiB of small objects are made and '
                         f'nearly all freed; then {IDLE_S} s {what} '
                         f'({IDLE_FULL_S} s with --full)', 'idle',
                         [128, COUNT, how], IDLE_FULL_S,
                         modes=('normal', 'full'))

    def argv(self, build, share):
        self.count = IDLE_FULL_S if share == SHARES['full'] else IDLE_S
        return super().argv(build, 1)


class Startup(Workload):
    timed_inside = False
    can_be_littered = False  # it would measure the litter only

    def __init__(self):
        super().__init__('startup', '/bin/true from start to end', None, [],
                         STARTS, least=40)

    def argv(self, build, share):
        return ['/bin/true']

    def run(self, setting, where, environment):
        times = max(self.least, self.count // SHARES[setting.mode])
        result = suite.run(where, setting.build, ['/bin/true'], TIMEOUT_S,
                           environment=environment, times=times,
                           cpu=setting.cpu)
        # What was done ahead (see bounds) is a sum over all starts.
        figures = sample(result.wall_ns / times, result.cpu_ns / times, result,
                         times)
        figures['operations'] = times
        return figures


def pair(name, what, size, touch, count):
    return Workload(name, what, 'pair', [size, COUNT, touch], count)


def batch(name, what, least, greatest, nobjects, order, count, touch='first',
          at_least=1):
    return Workload(name, what, 'batch',
                    [least, greatest, nobjects, order, COUNT, touch], count,
                    least=at_least)


WRITTEN = [
    *(pair(f'pair-{size}', f'malloc and free of {size} bytes in turn', size,
           'first', 30_000_000) for size in (16, 64, 256, 1024)),
    *(Workload(f'burst-{order}', '1 000 objects of 64 bytes made, then freed, '
               f'{order} first', 'burst', [64, COUNT, order], 16_000)
      for order in ('newest', 'oldest')),
    *(batch(f'batch-{order}', '1 000 objects of 8 bytes to 32 KiB made, then '
            f'freed, {order} first', 8, 32 * KIB, 1_000, order, 3_000)
      for order in ('newest', 'oldest', 'mixed')),
    batch('batch-tiny', '10 000 objects of 1 to 64 bytes made, then freed, '
          'mixed', 1, 64, 10_000, 'mixed', 1_000),
    batch('batch-large', '32 objects of 32 KiB to 1 MiB made, then freed, '
          'mixed, untouched', 32 * KIB, MIB, 32, 'mixed', 2_000),
    *(batch(f'list-{name}', f'100 objects of {words} made, then freed, oldest '
            'first', size, size, 100, 'oldest', count)
      for name, words, size, count in (
          ('64', '64 bytes', 64, 600_000), ('4k', '4 KiB', 4 * KIB, 30_000),
          ('256k', '256 KiB', 256 * KIB, 3_000), ('1m', '1 MiB', MIB, 3_000))),
    *(batch(f'list-{name}-touch', f'the same of {words}, a byte of each page '
            'written', size, size, 100, 'oldest', count, 'pages', at_least=10)
      for name, words, size, count in (('256k', '256 KiB', 256 * KIB, 100),
                                       ('1m', '1 MiB', MIB, 30))),
    Workload('random-1k', 'random sizes of 16 to 1 023 bytes, 1 000 live',
             'random', [1_000, COUNT], 12_000_000),
    Workload('random-100k', 'random sizes of 16 to 1 023 bytes, 100 000 live',
             'random', [100_000, COUNT], 6_000_000),
    Workload('growth', 'a fresh heap grows by 100 MB of 512-byte objects',
             'growth', [512, COUNT], 204_800, whole=True),
    Workload('phases', 'a heap grows to 64 MiB, shrinks to a tenth and grows '
             'with other sizes', 'phases', [64, COUNT], 8, least=4),
    Workload('lifetimes', 'short, long and very long lives mixed', 'lifetimes',
             [COUNT], 10_000_000, least=1_500_000),
    Workload('requests', f'{THREADS} threads make and free the objects of a '
             'request, one of 100 stays', 'requests', [THREADS, COUNT], 25_000,
             THREADS),
    Workload('handoff', 'one thread makes objects, another frees them',
             'handoff', [COUNT], 2_000_000, THREADS),
    Workload('chain', 'three threads that each free what comes and hand on '
             'anew', 'pipeline', ['chain', 3, 16, KIB, COUNT], 600_000,
             THREADS),
    Workload('fan-out', 'one thread makes buffers of 64 bytes to 16 KiB, three '
             'free them', 'pipeline', ['out', 3, 64, 16 * KIB, COUNT],
             1_000_000, THREADS),
    Workload('fan-in', 'three threads make buffers of 64 bytes to 16 KiB, one '
             'frees them', 'pipeline', ['in', 3, 64, 16 * KIB, COUNT],
             1_000_000, THREADS),
    pair('large-64k', 'pairs of 64 KiB, untouched', 64 * KIB, 'none',
         2_000_000),
    pair('large-64k-touch', 'pairs of 64 KiB, a byte of each page written',
         64 * KIB, 'pages', 400_000),
    pair('large-1m', 'pairs of 1 MiB, untouched', MIB, 'none', 1_000_000),
    pair('large-1m-touch', 'pairs of 1 MiB, a byte of each page written', MIB,
         'pages', 40_000),
    Workload('realloc-step', 'a block grows to 64 KiB by 16 bytes at a time',
             'realloc', [16, 64 * KIB, COUNT], 600),
    Workload('realloc-page', 'a block grows to 16 MiB by 4 KiB at a time',
             'realloc', [4 * KIB, 16 * MIB, COUNT], 6),
    Workload('realloc-double', 'a block doubles from 16 bytes to 16 MiB',
             'realloc', ['double', 16 * MIB, COUNT], 24),
    Workload('calloc-all', 'calloc of 16 bytes to 64 KiB and free, eight live',
             'calloc', [16, 64 * KIB, COUNT], 100_000),
    *(Workload(f'calloc-{name}', f'calloc of {size // KIB} KiB and free, eight '
               'live, a byte of each page written', 'calloc',
               [size, size, COUNT], count)
      for name, size, count in (('4k', 4 * KIB, 4_000_000),
                                ('64k', 64 * KIB, 20_000),
                                ('1m', MIB, 2_000))),
    Workload('threads-short', 'threads that make 100 objects and end',
             'threads', [COUNT], 3_000),
    Workload('larson', f'{THREADS} threads replace objects at random and hand '
             'them on to their successors', 'larson', [THREADS, COUNT, 20_000],
             200, THREADS),
    Workload('larson-short', 'the same, each thread for 500 objects', 'larson',
             [THREADS, COUNT, 500], 2_000, THREADS),
    Workload('leak', f'{THREADS} threads that make 4 000 objects of 16 bytes to '
             '8 KiB, free half and end, again and again', 'leak',
             [THREADS, COUNT, 4_000], 600, THREADS, least=30),
    *(Workload(name, f'{threads} threads replace objects at random, each in '
               'its own set; small sizes common, 32 KiB rare', 'local',
               [threads, COUNT], count, THREADS)
      for name, threads, count in (('local', 2, 16_000_000),
                                   ('local-8', 8, 4_000_000))),
    *(Workload(name, f'{threads} threads make sets of objects to 1 MiB, free '
               'some, pass some on, leave some to the next', 'stress',
               [threads, COUNT, 1_000], count, THREADS)
      for name, threads, count in (('stress', 2, 160), ('stress-8', 8, 40))),
    Workload('cross', f'{THREADS} threads make objects of 16 bytes to 16 KiB '
             'and free their own or send them away', 'cross',
             [THREADS, COUNT, 16, 16 * KIB], 100_000, THREADS),
    *(Workload(name, f'{2 * makers} threads, half make objects, half free '
               'them; a bounded queue of batches between', 'queue',
               [makers, COUNT], count, THREADS)
      for name, makers, count in (('queue', 1, 8_000), ('queue-8', 4, 2_000))),
    Workload('bulk', '20 filled objects of 5 to 25 MiB, replaced at random',
             'bulk', [20, 5, 25, COUNT], 160),
    Workload('latency', f'{THREADS} threads replace objects to 1 MiB at random;'
             ' each call is timed by itself', 'latency', [THREADS, COUNT],
             2_000_000, THREADS),
    Idle('still', 'of sleep'),
    Idle('pulse', 'of sleep, but for 1 000 calls a second'),
    *(Workload(f'sharing-{who}', f'{THREADS} threads write to objects of 8 '
               f'bytes, {made}', 'sharing', [who, THREADS, COUNT], 600_000,
               THREADS)
      for who, made in (('active', 'each makes its own'),
                        ('passive', 'the first of which another made'))),
    Startup(),
]
