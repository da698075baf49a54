# scaling.py: how allocators scale: throughput of a server with 1 to 64 threads, and
# mound's locks if the library was built to count them.
#
# The work is the same for any number of threads (tests/bench/larson.c) and of cores; the
# model is the throughput of one thread for each core in use. A mound that counts writes
# its figures to the file that MOUND_LOCK_COUNTS names.
#

import json
import os
import tempfile
import time

from . import peers, releases, suite, table, tree
from .suite import Figure

THREADS = [1, 2, 4, 8, 16, 64]
STEPS = 20_000                                # in each generation of threads
GENERATIONS = {'quick': 64, 'normal': 256}    # of all threads together
ROUNDS = {'quick': 3, 'normal': 5}
TIMEOUT_S = 300
MILLION = 1e6


class Step:
    """A number of threads, as an item of a round."""

    def __init__(self, threads):
        self.threads = threads
        self.name = f'{threads} threads'


def run(build, step, peer, generations, directory):
    counts = os.path.join(directory, 'locks')
    result = suite.run(
        f'larson with {step.name} under {peer.name}', build,
        [tree.bench_program(build, 'larson'), str(step.threads),
         str(max(1, generations // step.threads)), str(STEPS)], TIMEOUT_S,
        environment=[*peer.environment(), f'MOUND_LOCK_COUNTS={counts}'])
    line = json.loads(result.stdout)
    figures = {'rate': 1e9 / line['ns_per_op'],
               'cpu_ns': line['cpu_ns'] / line['ops']}
    if os.path.exists(counts):
        with open(counts) as f:
            locks = json.load(f)  # {name of the lock: [taken, contended]}
        os.remove(counts)
        for i, name in enumerate(('taken', 'contended')):
            figures[name] = (sum(v[i] for v in locks.values()) * MILLION
                             / line['ops'])
        figures['locks'] = locks
    return figures


def form(rate):
    return f'{rate / MILLION:.2f}'


def print_rates(steps, chosen, samples, cores):
    print('\nmillions of operations a second; the model is one thread\'s '
          'throughput for each core in use\n')
    lines = [['threads', *(c for p in chosen for c in (p.name[:16], 'model'))],
             None]
    for step in steps:
        cells = [str(step.threads)]
        for p in chosen:
            first = Figure([s['rate'] for s in samples[p.name][1]]).median
            now = Figure([s['rate'] for s in samples[p.name][step.threads]])
            mark = '~' if now.spread > now.median / 2 else ''
            cells += [mark + form(now.median),
                      form(first * min(step.threads, cores))]
        lines.append(cells)
    table.print_table(lines)


def print_locks(steps, chosen, samples):
    for p in chosen:
        if 'taken' not in samples[p.name][1][0]:
            if p.is_mound:
                print('\nmound counts no locks; build one that does with: '
                      'meson setup build-locks -Dlock_counts=true '
                      '-Dtests=true && meson compile -C build-locks')
            continue
        print(f'\nlocks of {p.name} in a million operations\n')
        lines = [['threads', 'taken', 'contended'], None]
        for step in steps:
            rounds = samples[p.name][step.threads]
            lines.append([str(step.threads)] + [
                f'{Figure([s[what] for s in rounds]).median:.1f}'
                for what in ('taken', 'contended')])
        table.print_table(lines)


def bench(arguments):
    for option in ('resume', 'svg', 'workload', 'full', 'littered'):
        if getattr(arguments, option):
            raise tree.Refusal(f'--{option} does not go with --scaling')
    mode = 'quick' if arguments.quick else 'normal'
    rounds = suite.rounds_of(arguments, ROUNDS['quick'], ROUNDS['normal'])
    chosen = peers.select(arguments.peer, arguments.build)
    tree.bench_program(arguments.build, 'larson')
    today = time.strftime('%Y-%m-%d')
    releases.tell(arguments.build, chosen)
    versions = [(p.name, releases.version_of(p, today)) for p in chosen]
    steps = [Step(n) for n in THREADS]
    samples = {p.name: {n: [] for n in THREADS} for p in chosen}
    lock = suite.lock_machine()
    with tempfile.TemporaryDirectory(prefix='mound-bench-') as directory:
        for _, step, peer in suite.interleaved(rounds, steps, lambda s: chosen):
            samples[peer.name][step.threads].append(
                run(arguments.build, step, peer, GENERATIONS[mode], directory))
    os.close(lock)
    if arguments.json:
        suite.write_json(arguments.json, {
            'suite': 'malloc-scaling', 'machine': suite.machine(),
            'rounds': rounds, 'peers': {p.name: p.version for p in chosen},
            'samples': samples})
    suite.print_heading('malloc, scaling', versions, rounds, arguments.quick)
    print_rates(steps, chosen, samples, len(os.sched_getaffinity(0)))
    old = releases.warning([p.release for p in chosen], today)
    if old:
        print(old)
    print_locks(steps, chosen, samples)
