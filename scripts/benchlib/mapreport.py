# mapreport.py: the tables of a run of the map suite, and its targets.

import statistics

from . import mappeers, suite, table
from .mapcases import (KINDS, LATENCY_KIND, QUICK_LATENCY_SIZE, RIVALS, SMALL,
                       TIMED, form_size)


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


# Targets. Each is judged by the row that is furthest from meeting it.

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
