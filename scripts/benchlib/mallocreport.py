# mallocreport.py: the tables of scripts/bench malloc, from the document with the
# measurements.
#
# Each table has ratios to the best peer in the row, mound excluded, and a lower bound
# as ratio to the same: the time of the allocator that is only fast, or the live bytes.
#

import math
import re
import statistics

from . import releases, suite, table
from .bounds import LIFO
from .suite import Figure
from .workloads import NOTE

KIB = 1024
WIDEST = 16  # a column's name


def form_memory(kib):
    return f'{kib / KIB:.1f} MiB'


def form_ratio(ratio):
    """Four digits are enough, and keep the columns narrow."""
    if ratio is None:
        return '-'
    return f'{ratio:.2f}' if ratio < 100 else f'{ratio:.0f}'


class Row:
    """One workload of one table. compared is mound, or without it the second
    best; the row is conclusive if that differs enough from the best."""

    def __init__(self, figures, mound, bound=None):
        self.figures = figures  # of the peers that did not fail
        others = [name for name in figures if name not in mound] \
            or list(figures)
        order = sorted(others, key=lambda name: figures[name].median)
        self.best = order[0]
        compared = ([name for name in mound if name in figures
                     and name != self.best] + order[1:2] + order)[0]
        a, b = figures[self.best], figures[compared]
        self.spread = max(a.spread, b.spread)
        self.concludes = (len(figures) == 1
                          or abs(a.median - b.median) >= self.spread)
        self.bound = bound

    @property
    def best_median(self):
        return self.figures[self.best].median

    def ratio(self, name):
        figure = self.figures.get(name)
        return figure and figure.median / self.best_median

    @property
    def bound_ratio(self):
        return self.bound and self.bound / self.best_median

    @property
    def spread_text(self):
        """The wider spread of the two that are compared, relative to the best figure."""
        if math.isinf(self.spread):
            return '-'
        return f'{min(999, 100 * self.spread / self.best_median):.0f}%'


def geometric_mean(ratios):
    ratios = [r for r in ratios if r]
    return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None


class Report:
    def __init__(self, content):
        self.content = content
        self.names = list(content['peers'])
        self.mound = [n for n, p in content['peers'].items()
                      if p['mound'] and len(self.names) > 1]
        self.workloads = content['workloads']
        self.old = releases.warning(
            [p['release'] for p in content['peers'].values()], content['date'])
        self.time = self.rows('ns', lambda w: self.median(w, LIFO, 'ns'))
        self.cpu = self.rows('cpu_ns', lambda w: self.median(w, LIFO,
                                                             'cpu_ns'))
        self.rss = self.rows('rss_kib', lambda w: w['live_kib'])

    @staticmethod
    def median(workload, name, field):
        rounds = workload['peers'].get(name, {}).get(field)
        return statistics.median(rounds) if rounds else None

    def version(self, name):
        """The name of a peer, and its release if it is not ours."""
        peer = self.content['peers'][name]
        if peer['mound']:
            return peer['version']
        release = releases.describe(peer['release'], self.content['date'])
        return f'{peer["version"]} ({release})'

    def rows(self, field, bound):
        rows = {}
        for name, workload in self.workloads.items():
            figures = {peer: Figure([max(v, 1e-9) for v in
                                     workload['peers'][peer][field]])
                       for peer in self.names
                       if workload['peers'][peer].get(field)}
            if figures:
                rows[name] = Row(figures, self.mound, bound(workload))
        return rows

    def means(self, rows, group=None):
        chosen = [row for name, row in rows.items()
                  if group in (None, self.workloads[name]['group'])]
        return ({n: geometric_mean([r.ratio(n) for r in chosen])
                 for n in self.names},
                geometric_mean([r.bound_ratio for r in chosen]))

    def groups(self, rows):
        found = []
        for name in rows:
            if self.workloads[name]['group'] not in found:
                found.append(self.workloads[name]['group'])
        return found

    def summary(self):
        """The conclusions, for the machine-readable result."""
        summary = {}
        for title, rows in (('time', self.time), ('cpu', self.cpu),
                            ('rss', self.rss)):
            means, bound = self.means(rows)
            summary[title] = {
                'geometric_mean': means, 'bound_geometric_mean': bound,
                'rows': {name: {
                    'best': row.best, 'concludes': row.concludes,
                    'bound': row.bound_ratio,
                    'ratios': {n: row.ratio(n) for n in self.names}}
                    for name, row in rows.items()}}
        return summary

    def failures(self):
        return [why for w in self.workloads.values()
                for peer, why in w['failed'].items() if peer != LIFO]

    def print_ratios(self, title, rows, bound_name, form_best):
        print(f'\n{title}\n')
        lines = [['workload', '', *(n[:WIDEST] for n in self.names), bound_name,
                  'best', 'its figure', 'spread'], None]
        for name, row in rows.items():
            lines.append([
                name, ' ' if row.concludes else '~',
                *(form_ratio(row.ratio(n)) for n in self.names),
                form_ratio(row.bound_ratio), row.best[:WIDEST],
                form_best(row.best_median), row.spread_text])
        lines.append(None)
        groups = self.groups(rows)
        for group in [*(groups if len(groups) > 1 else []), None]:
            means, bound = self.means(rows, group)
            lines.append(['geometric mean' + (f', {group}' if group else ''),
                          '', *(form_ratio(means[n]) for n in self.names),
                          form_ratio(bound)])
        table.print_table(lines, left=2)
        unsure = sum(not row.concludes for row in rows.values())
        if unsure:
            print(f'~ {unsure} of {len(rows)} rows do not conclude: the rounds '
                  'spread wider than the difference')
        if self.old:
            print(self.old)

    def print_figures(self, title, field, form):
        """Medians as they are, of the workloads with that field."""
        lines = [['workload', *(n[:WIDEST] for n in self.names)], None]
        for name, w in self.workloads.items():
            medians = [self.median(w, n, field) for n in self.names]
            if any(m is not None for m in medians):
                lines.append([name, *('-' if m is None else form(m)
                                      for m in medians)])
        if len(lines) > 2:
            print(f'\n{title}\n')
            table.print_table(lines)

    def notes(self, workload):
        """The names of a workload's own figures, in its order."""
        names = [field for n in self.names
                 for field in workload['peers'][n] if field.startswith(NOTE)]
        return list(dict.fromkeys(names))

    def tails(self, workload):
        """The figures for the durations of single calls: for each call the fields of
        its shares, in order."""
        found = {}
        for field in self.notes(workload):
            match = re.fullmatch(NOTE + r'([a-z]+)_(p[0-9.]+|on-core|worst)_ns',
                                 field)
            if match:
                found.setdefault(match[1], {})[match[2]] = field
        return found

    def print_tails(self):
        lines = []
        for name, w in self.workloads.items():
            for call, fields in self.tails(w).items():
                lines.append([name, call, 'allocator', *fields])
                for n in self.names:
                    medians = [self.median(w, n, f) for f in fields.values()]
                    lines.append(['', '', n[:WIDEST],
                                  *('-' if m is None else suite.form_time(m)
                                    for m in medians)])
        if lines:
            print('\nhow long single calls take: half of them, 99 of 100 and so on '
                  'at most that. worst:\nmostly of the machine, which took the '
                  'core away. on-core: the worst in which the\nkernel did not; a '
                  'hypervisor may have\n')
            table.print_table(lines, left=3)

    def print_notes(self):
        lines = [['workload', 'its own figure',
                  *(n[:WIDEST] for n in self.names)], None]
        for name, w in self.workloads.items():
            tails = {field for fields in self.tails(w).values()
                     for field in fields.values()}
            for field in self.notes(w):
                if field in tails:
                    continue
                what, _, unit = field.removeprefix(NOTE).rpartition('_')
                form = form_memory if unit == 'kib' else suite.form_time
                medians = [self.median(w, n, field) for n in self.names]
                lines.append([name, what.replace('_', ' '),
                              *('-' if m is None else form(m)
                                for m in medians)])
        if len(lines) > 2:
            print('\nmemory and processor time at given moments, as the workloads '
                  'note them\n')
            table.print_table(lines, left=2)

    def print_faults(self):
        lines = [['workload', *(n[:WIDEST] for n in self.names)], None]
        for name, w in self.workloads.items():
            cells = []
            for n in self.names:
                minor = self.median(w, n, 'minor_faults')
                major = self.median(w, n, 'major_faults') or 0
                cells.append('-' if minor is None else
                             f'{minor + major:.4g}'
                             if minor + major < 1 else f'{minor + major:.0f}')
            lines.append([name, *cells])
        print('\npage faults of a run, minor and major (of a start, of a '
              'command for servers)\n')
        table.print_table(lines)

    def print(self):
        content = self.content
        suite.print_heading(
            'malloc, littered heaps' if content['littered'] else 'malloc',
            [(n, self.version(n)) for n in self.names],
            content['rounds'], content['mode'] == 'quick',
            m=content['machine'])
        for name, packages in content['skipped'].items():
            print(f'skipped {name}: {", ".join(packages)} missing; install it '
                  'with: scripts/needs bench')
        self.print_ratios(
            'time from begin to end of an operation, as ratio to the best peer',
            self.time, LIFO, suite.form_time)
        self.print_ratios(
            'processor time (user and system) of an operation, as ratio to the '
            'best peer', self.cpu, LIFO, suite.form_time)
        self.print_ratios(
            'peak memory (RSS) of the largest process, as ratio to the best '
            'peer', self.rss, 'live', form_memory)
        self.print_figures('operations a second, as the client counts them',
                           'rate', lambda r: f'{r:.0f}')
        self.print_tails()
        self.print_notes()
        self.print_faults()
        print(f'\n{LIFO}: an allocator that is only fast; live: the bytes asked '
              'for and not given back at their peak'
              + ('; both without litter' if content['littered'] else ''))
