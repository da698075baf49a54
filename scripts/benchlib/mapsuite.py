# mapsuite.py: mound's map and others. tests/bench/map has their programs; one
# run of one of them measures all operations on maps of one size and one kind of
# keys and elements, and says for each what the maps answered, so that it shows
# when two peers have not done the same work.

import json
import os
import re
import statistics

from . import launch, mappeers, peers, suite, table, tree
from .suite import Figure

TIMEOUT_S = 300
QUICK_ROUNDS, ROUNDS = 3, 5
LARGE_ROUNDS = 3           # of the largest maps: half of all the time is theirs
QUICK_MS, MS = 20, 100  # what one measure lasts at least

KINDS = {
    'u64': 'uint64_t -> uint64_t',
    'u32': 'uint32_t -> uint32_t',
    'str': 'strings of 8 to 24 characters, borrowed -> uint64_t',
    'wide': 'uint64_t -> 64 bytes',
}
SIZES = [8, 1_000, 100_000, 1_000_000, 10_000_000]
QUICK_SIZES = {kind: SIZES[:4 if kind == 'u64' else 3] for kind in KINDS}
SMALL_SIZE = 8
LATENCY_KIND = 'u64'
LATENCY_SIZE, QUICK_LATENCY_SIZE = SIZES[-1], SIZES[-2]
MEMORY = 450  # bytes that a run takes for each entry, at most

TIMED = {
    'insert': 'put new keys into a map made without a hint, ns a key',
    'insert-hint': 'the same into one made for so many',
    'hit': 'get keys that are there, in an order of their own',
    'miss': 'get keys that are not',
    'update': 'put keys that are there',
    'delete': 'delete keys, down to the last (of 10M: two million)',
    'churn': 'delete one, put another, at constant size; ns for either',
    'iterate': 'walk through the map, ns an entry',
    'small': 'make, fill and drop a map of 8 on the heap, ns a map',
    'small-local': 'the same with the map in a local variable',
}
SMALL = ('small', 'small-local')
OPERATIONS = {
    **TIMED,
    'bytes': 'memory a map holds, full, emptied and shrunk; one run',
    'latency': 'single puts while a u64 map grows: percentiles, the worst',
}
RIVALS = ('absl', 'boost')
# What could change a peer unseen.
ENVIRONMENT = re.compile(r'GO[A-Z]*|G_[A-Z]+|GLIBC_TUNABLES|MALLOC_.*|MOUND_.*')


def form_size(size):
    for unit, letter in ((1_000_000, 'M'), (1_000, 'k')):
        if size % unit == 0:
            return f'{size // unit}{letter}'
    return str(size)


def parse_size(text):
    match = re.fullmatch(r'([1-9][0-9]{0,7})([kM]?)', text)
    size = int(match[1]) * {'': 1, 'k': 1_000, 'M': 1_000_000}[match[2]] \
        if match else 0
    if not 1 <= size <= SIZES[-1]:
        raise tree.Refusal(f'--size {text}: not a size from 1 to '
                           f'{form_size(SIZES[-1])}, as 1000, 1k or 1M')
    return size


class Case:
    """What one run of a program measures."""

    def __init__(self, kind, size, operations):
        self.kind = kind
        self.size = size
        self.operations = operations

    @property
    def name(self):
        return f'{self.kind} {form_size(self.size)}'

    def rounds(self, rounds):
        """How many of the rounds it takes part in."""
        if self.is_bytes:
            return 1  # it would be the same once more
        if self.size == SIZES[-1] and not self.is_latency:
            return min(rounds, LARGE_ROUNDS)
        return rounds

    @property
    def is_bytes(self):
        return self.operations == ['bytes']

    @property
    def is_latency(self):
        return self.operations == ['latency']


def cases(operations, kinds, sizes_of, latency_size):
    made = []
    for kind in kinds:
        for size in sizes_of[kind]:
            timed = [op for op in operations if op in TIMED
                     and (op not in SMALL or size == SMALL_SIZE)]
            if timed:
                made.append(Case(kind, size, timed))
            if 'bytes' in operations:
                made.append(Case(kind, size, ['bytes']))
    if 'latency' in operations and LATENCY_KIND in kinds:
        made.append(Case(LATENCY_KIND, latency_size, ['latency']))
    return made


def check_memory(chosen_cases):
    need = MEMORY * max(c.size for c in chosen_cases)
    with open('/proc/meminfo') as f:
        match = re.search(r'MemAvailable:\s*(\d+)', f.read())
    if match and int(match[1]) * 1024 < need:
        raise tree.Refusal(
            f'{need / 1e9:.1f} GB of free memory are needed; choose smaller '
            'maps with --size')


class Samples:
    """What was measured: for a kind, a size and an operation, the figures of
    each peer's rounds, as its program wrote them."""

    def __init__(self):
        self._all = {}
        self._checks = {}

    def add(self, case, peer, line):
        for operation, figures in line.items():
            key = case.kind, case.size, operation
            self._all.setdefault(key, {}).setdefault(peer, []).append(figures)
            check = figures.get('check')
            first, expected = self._checks.setdefault(key, (peer, check))
            if check != expected:
                raise suite.Failure(
                    f'{operation} {case.name}: {peer} answers {check}, '
                    f'{first} {expected}: not the same work')

    def of(self, operation):
        """(kind, size), {peer: [figures]} of one operation, in order."""
        for (kind, size, op), by_peer in self._all.items():
            if op == operation:
                yield (kind, size), by_peer

    def rows(self):
        """{(kind, operation, size): Row} of what is timed."""
        return {(kind, op, size): Row(by_peer)
                for op in TIMED for (kind, size), by_peer in self.of(op)}

    def document(self):
        return [{'type': kind, 'size': size, 'operation': op, 'peers': by_peer}
                for (kind, size, op), by_peer in self._all.items()]


class Row:
    """One operation on maps of one kind and size: the peers' figures."""

    def __init__(self, by_peer):
        self.figures = {peer: Figure([r['ns'] for r in rounds])
                        for peer, rounds in by_peer.items()}

    def best(self, names):
        """The fastest of these, None if none was measured."""
        there = [n for n in names if n in self.figures]
        return min(there, key=lambda n: self.figures[n].median, default=None)

    def ratio(self, other):
        """mound's time as a ratio to the other's, None without one of them."""
        if 'mound' not in self.figures or other not in self.figures:
            return None
        return self.figures['mound'].median / self.figures[other].median

    def concludes(self, other, limit=1):
        """Whether mound's time and limit times the other's are further apart
        than the rounds of either spread."""
        a, b = self.figures['mound'], self.figures[other]
        return abs(a.median - limit * b.median) >= max(a.spread,
                                                       limit * b.spread)


def measure(build, chosen, chosen_cases, rounds, ms, malloc):
    cpu = max(os.sched_getaffinity(0))
    base = {name: value for name, value in launch.plain_environment().items()
            if not ENVIRONMENT.fullmatch(name)}
    samples = Samples()

    def peers_of(case):
        return chosen + [mappeers.APPEND] if case.is_latency else chosen

    for i, case, peer in suite.interleaved(rounds, chosen_cases, peers_of):
        if i >= case.rounds(rounds):
            continue
        environment = list(peer.environment)
        if case.is_bytes:
            if peer.name != 'go':
                environment.append('LD_PRELOAD='
                                   + mappeers.COUNTER.program(build))
        elif peer.name != 'go':
            environment += malloc.environment()
        result = suite.run(
            f'{case.name} of {peer.name}', build,
            [os.path.abspath(peer.program(build)), ','.join(case.operations),
             case.kind, str(case.size), str(ms)],
            TIMEOUT_S, environment=environment, cpu=cpu, base_environment=base)
        samples.add(case, peer.name, json.loads(result.stdout))
    return samples


# Tables.

def form_ns(ns):
    return f'{ns:.1f}' if ns < 1000 else f'{ns:.0f}'


def form_bytes(n):
    for unit, letter in ((1 << 20, 'M'), (1 << 10, 'K')):
        if n >= 10 * unit:
            return f'{n / unit:.0f}{letter}'
    return f'{n:.0f}'


def form_ratio(row, other):
    ratio = row.ratio(other)
    if ratio is None:
        return '-'
    return ('' if row.concludes(other) else '~') + f'{ratio:.2f}'


def print_times(kind, rows, chosen):
    mine = [(op, size, row) for (k, op, size), row in rows.items() if k == kind]
    if not mine:
        return
    sizes = {size for _, size, _ in mine}
    print(f'\n{kind}: {KINDS[kind]}; nanoseconds\n')
    lines = [['operation', 'size', *(p.name for p in chosen), 'to go',
              'to a/b']]
    before = None
    for op, size, row in mine:
        if not before or (op != before and len(sizes) > 1):
            lines.append(None)
        lines.append([
            op if op != before else '', form_size(size),
            *(form_ns(row.figures[p.name].median) if p.name in row.figures
              else '-' for p in chosen),
            form_ratio(row, 'go'), form_ratio(row, row.best(RIVALS))])
        before = op
    table.print_table(lines)


def print_bytes(samples, chosen):
    found = sorted(samples.of('bytes'),
                   key=lambda item: list(KINDS).index(item[0][0]))
    if not found:
        return
    for title, field, form, more in (
            ('bytes an entry of a full map', 'full',
             lambda n: f'{n:.1f}', []),
            ('bytes a map holds when all its entries were deleted',
             'deleted_map', form_bytes,
             [('shrunk', 'shrunk_map'), ('new', 'empty_map')])):
        print(f'\n{title}\n')
        lines = [['type', 'size', *(p.name for p in chosen),
                  *(name for name, _ in more)], None]
        for (kind, size), by_peer in found:
            lines.append([kind, form_size(size),
                          *(form(by_peer[p.name][0][field]) for p in chosen),
                          *(form(by_peer['mound'][0][f]) if 'mound' in by_peer
                            else '-' for _, f in more)])
        table.print_table(lines)
    print('shrunk, new: mound after shrink, and before the first entry')


def least_worst(rounds):
    return min(r['max'] for r in rounds)


def median_of(rounds, field):
    return statistics.median(r[field] for r in rounds)


def print_latency(samples):
    for (kind, size), by_peer in samples.of('latency'):
        print(f'\nsingle inserts while a {kind} map grows to '
              f'{form_size(size)} entries\n')
        fields = ['p50', 'p99', 'p99.9', 'p99.99']
        lines = [['', *fields, 'worst', 'median worst'], None]
        for peer, rounds in sorted(by_peer.items(), key=lambda item: (
                item[0] == 'append', peer_index(item[0]))):
            lines.append([
                peer,
                *(suite.form_time(median_of(rounds, f)) for f in fields),
                suite.form_time(least_worst(rounds)),
                suite.form_time(median_of(rounds, 'max'))])
        table.print_table(lines)
        print('worst: the least of the rounds, for interrupts only add; '
              'append: to an array, no map')


def peer_index(name):
    names = [p.name for p in mappeers.PEERS]
    return names.index(name) if name in names else len(names)


# Targets. Each is judged by the row that is furthest from it.

class Verdict:
    def __init__(self, what, kind, figure='-', at='', verdict='not measured'):
        self.what = what
        self.kind = kind
        self.figure = figure
        self.at = at
        self.verdict = verdict

    def cells(self):
        return [self.what, self.kind, self.figure, self.at, self.verdict]


def compare(what, kind, rows, others, limit, operations, sizes=None,
            form=lambda ratio: f'{ratio:.2f}'):
    """mound's time is at most limit times the best of the others."""
    found = []
    for (k, op, size), row in rows.items():
        if k == kind and op in operations and (not sizes or size in sizes):
            other = row.best(others)
            if other is not None and row.ratio(other) is not None:
                found.append((row.ratio(other), op, size,
                              row.concludes(other, limit)))
    if not found:
        return Verdict(what, kind)
    failing = [f for f in found if f[0] > limit]
    sure = [f for f in failing if f[3]]
    ratio, op, size, _ = max(sure or failing or found)
    if sure:
        verdict = f'not met in {len(failing)} of {len(found)}'
    else:
        verdict = '~ not decided' if failing else 'met'
    return Verdict(what, kind, form(ratio), f'{op} {form_size(size)}', verdict)


def limit_verdict(what, kind, value, limit, form, at=''):
    return Verdict(what, kind, form(value), at,
                   'met' if value <= limit else 'not met')


def time_verdicts(rows, kind):
    def speed(ratio):
        return f'{1 / ratio:.2f}x'

    looked_up = ('hit', 'miss')
    kept = (*looked_up, 'update', 'delete', 'churn')
    return [
        compare('at least 3x as fast as Go at 1k, 100k', kind, rows, ['go'],
                1 / 3, looked_up, (1_000, 100_000), speed),
        compare('at least 2x as fast as Go at 1M', kind, rows, ['go'], 1 / 2,
                looked_up, (1_000_000,), speed),
        compare('nowhere slower than Go', kind, rows, ['go'], 1, TIMED,
                form=speed),
        compare('within 1.25 of absl and boost, 1k to 1M', kind, rows, RIVALS,
                1.25, kept, (1_000, 100_000, 1_000_000)),
        compare('ahead of absl and boost: maps of 8', kind, rows, RIVALS, 1,
                SMALL),
        compare('ahead of absl and boost: iteration', kind, rows, RIVALS, 1,
                ('iterate',)),
    ]


def bytes_verdicts(samples, kind):
    no_more, nothing_kept = [], []
    for (k, size), by_peer in samples.of('bytes'):
        if k != kind or 'mound' not in by_peer:
            continue
        mound, = by_peer['mound']
        nothing_kept.append((mound['shrunk_map'] - mound['empty_map'], size))
        if 'go' in by_peer:
            no_more.append((mound['full'] / by_peer['go'][0]['full'], size))
    made = []
    for what, found, limit, form in (
            ('bytes an entry, to Go', no_more, 1, lambda r: f'{r:.3f}'),
            ('bytes kept after delete-all and shrink', nothing_kept, 0,
             form_bytes)):
        if found:
            value, size = max(found)
            made.append(limit_verdict(what, kind, value, limit, form,
                                      form_size(size)))
        else:
            made.append(Verdict(what, kind))
    return made


def latency_verdicts(samples):
    for (kind, size), by_peer in samples.of('latency'):
        if 'mound' in by_peer and size >= QUICK_LATENCY_SIZE:
            rounds = by_peer['mound']
            append = median_of(by_peer['append'], 'p99.99')
            at = form_size(size)
            return [
                limit_verdict('worst insert below 1 ms', kind,
                              least_worst(rounds), 1e6, suite.form_time, at),
                limit_verdict(
                    f'p99.99 at most append\'s {suite.form_time(append)}',
                    kind, median_of(rounds, 'p99.99'), append,
                    suite.form_time, at)]
    return [Verdict('worst insert below 1 ms', LATENCY_KIND),
            Verdict('p99.99 at most append\'s', LATENCY_KIND)]


def verdicts(samples, rows, kinds):
    by_kind = [time_verdicts(rows, kind) + bytes_verdicts(samples, kind)
               for kind in kinds]
    return [v for same in zip(*by_kind) for v in same] \
        + latency_verdicts(samples)


def print_verdicts(found):
    print('\ntargets, each with the figure furthest from it\n')
    lines = [['target', 'type', 'figure', 'at', 'verdict'], None]
    before = None
    for v in found:
        cells = v.cells()
        if v.what == before:
            cells[0] = ''
        lines.append(cells)
        before = v.what
    table.print_table(lines, left=5)
    met = sum(v.verdict == 'met' for v in found)
    measured = sum(v.verdict != 'not measured' for v in found)
    print(f'{met} met of {measured} that were measured')


def huge_pages():
    try:
        with open('/sys/kernel/mm/transparent_hugepage/enabled') as f:
            return re.search(r'\[(\w+)\]', f.read())[1]
    except OSError:
        return 'none'


def bench(arguments):
    operations = suite.select('workload', arguments.workload,
                              list(OPERATIONS))
    kinds = [k for k in KINDS if k in suite.select('type', arguments.type,
                                                   list(KINDS))]
    sizes = sorted({parse_size(s) for s in arguments.size})
    latency_size = QUICK_LATENCY_SIZE if arguments.quick else LATENCY_SIZE
    if sizes:
        sizes_of = {kind: sizes for kind in kinds}
        latency_size = sizes[-1]
    else:
        sizes_of = QUICK_SIZES if arguments.quick else \
            {kind: SIZES for kind in kinds}
    chosen_cases = cases(operations, kinds, sizes_of, latency_size)
    if not chosen_cases:
        raise tree.Refusal(
            f'nothing to do: {" and ".join(SMALL)} have maps of '
            f'{SMALL_SIZE}, latency has {LATENCY_KIND}')
    rounds = suite.rounds_of(arguments, QUICK_ROUNDS, ROUNDS)
    suite.check_json(arguments.json)
    build = arguments.build
    tree.bench_program(build, 'measure')
    malloc, = peers.select([arguments.malloc], build)
    chosen = mappeers.select(arguments.peer, build)
    check_memory(chosen_cases)

    lock = suite.lock_machine()
    mappeers.build_all([*chosen, mappeers.APPEND, mappeers.COUNTER], build)
    samples = measure(build, chosen, chosen_cases, rounds,
                      QUICK_MS if arguments.quick else MS, malloc)
    os.close(lock)

    rows = samples.rows()
    judged = []
    if any(p.is_mound for p in chosen):
        judged = verdicts(samples, rows, kinds)
    versions = {p.name: p.version(build) for p in chosen}
    if arguments.json:
        suite.write_json(arguments.json, {
            'machine': suite.machine(), 'rounds': rounds,
            'quick': arguments.quick, 'peers': versions,
            'malloc': malloc.name, 'samples': samples.document(),
            'targets': [v.__dict__ for v in judged]})
    fewer = []
    if SIZES[-1] in sizes_of[kinds[0]] and rounds > LARGE_ROUNDS:
        fewer = [('rounds', f'{LARGE_ROUNDS} for {form_size(SIZES[-1])}')]
    suite.print_heading('map', versions.items(), rounds, arguments.quick, [
        *fewer,
        ('cc', mappeers.compiler_version()),
        ('malloc', f'{malloc.name}: {malloc.version}'),
        ('THP', huge_pages())])
    for kind in kinds:
        print_times(kind, rows, chosen)
    if rows:
        print("\nto go, to a/b: mound's time as a ratio to Go's, and to the "
              'better of absl and boost;\nbelow 1.00 mound is ahead; ~ the '
              'rounds spread wider than the difference')
    print_bytes(samples, chosen)
    print_latency(samples)
    if judged:
        print_verdicts(judged)


def add_arguments(parser):
    parser.add_argument('--peer', action='append', default=[], metavar='NAME',
                        help=', '.join(p.name for p in mappeers.PEERS)
                        + ' (default all)')
    parser.add_argument('--workload', action='append', default=[],
                        metavar='NAME', help="an operation, or a pattern as "
                        "'insert*' (default all; --list shows them)")
    parser.add_argument('--type', action='append', default=[], metavar='NAME',
                        help=', '.join(KINDS) + ' (default all)')
    parser.add_argument('--size', action='append', default=[], metavar='N',
                        help='entries of a map, as 1000, 1k or 1M (default '
                        + ', '.join(map(form_size, SIZES)) + ')')
    parser.add_argument('--malloc', default='glibc', metavar='NAME|PATH',
                        help='what the peers in C and C++ allocate with, as '
                        'the peers of bench malloc (default glibc); bytes are '
                        "always glibc's")


def print_list():
    table.print_table([*OPERATIONS.items(), *KINDS.items()], left=2)
