# mapcases.py: what is measured of maps, and the figures computed from it.

import re

from . import suite, tree
from .suite import Figure

LARGE_ROUNDS = 3  # of the largest maps, which take half of the time

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
    """One run of a program."""

    def __init__(self, kind, size, operations):
        self.kind = kind
        self.size = size
        self.operations = operations

    @property
    def name(self):
        return f'{self.kind} {form_size(self.size)}'

    def rounds(self, rounds):
        """The number of rounds that it is part of."""
        if self.is_bytes:
            return 1  # further rounds would give the same
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
    """The measurements: for a kind, a size and an operation, the figures of each peer's
    rounds, as its program wrote them."""

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
        """{(kind, operation, size): Row} of the timed operations."""
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
        there = [n for n in self.figures if n.split('@')[0] in names]
        return min(there, key=lambda n: self.figures[n].median, default=None)

    def ratio(self, other):
        """mound's time divided by the other's; None if one of them is missing."""
        if 'mound' not in self.figures or other not in self.figures:
            return None
        return self.figures['mound'].median / self.figures[other].median

    def concludes(self, other, limit=1):
        """Whether mound's time and limit times the other's differ by more than the
        spread of either's rounds."""
        a, b = self.figures['mound'], self.figures[other]
        return abs(a.median - limit * b.median) >= max(a.spread,
                                                       limit * b.spread)
