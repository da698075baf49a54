# mapsuite.py: mound's map and others. Their programs are in tests/bench/map. One run of a
# program measures all operations on maps of one size and one kind of keys and elements,
# and prints a sum of the results for each, which shows when two peers have not done the
# same work.

import json
import os
import re

from . import launch, mappeers, peers, suite, table, tree
from .mapcases import (KINDS, LARGE_ROUNDS, LATENCY_KIND, LATENCY_SIZE,
                       OPERATIONS, QUICK_LATENCY_SIZE, QUICK_SIZES, SIZES,
                       SMALL, SMALL_SIZE, Samples, cases, check_memory,
                       form_size, parse_size)
from .mapreport import (print_bytes, print_latency, print_times,
                        print_verdicts, verdicts)

TIMEOUT_S = 300
QUICK_ROUNDS, ROUNDS = 3, 5
QUICK_MS, MS = 20, 100  # minimum duration of one measurement
# Variables that could change a peer unseen.
ENVIRONMENT = re.compile(r'GO[A-Z]*|G_[A-Z]+|GLIBC_TUNABLES|MALLOC_.*|MOUND_.*')


# glibc gives nothing back to the system, so that no page faults in again.
WARM = ('GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296:'
        'glibc.malloc.trim_threshold=17179869184')


def measure(build, chosen, chosen_cases, rounds, ms, malloc, modes):
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
            if not isinstance(peer, mappeers.Go):
                environment.append('LD_PRELOAD='
                                   + mappeers.COUNTER.program(build))
        elif not isinstance(peer, mappeers.Go):
            environment += malloc.environment()
            if 'warm' in modes:
                environment.append(WARM)
        result = suite.run(
            f'{case.name} of {peer.name}', build,
            [os.path.abspath(peer.program(build)), ','.join(case.operations),
             case.kind, str(case.size), str(ms), ','.join(modes)],
            TIMEOUT_S, environment=environment, cpu=cpu, base_environment=base)
        samples.add(case, peer.name, json.loads(result.stdout))
    return samples


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
    chosen = mappeers.select(arguments.peer, build, arguments.go)
    modes = [*(['wall'] if arguments.clock == 'wall' else []),
             *(['warm'] if arguments.warm else [])]
    if arguments.warm and malloc.name != 'glibc':
        raise tree.Refusal("--warm raises the thresholds of glibc's malloc; "
                           'leave --malloc out')
    check_memory(chosen_cases)

    lock = suite.lock_machine()
    mappeers.build_all([*chosen, mappeers.APPEND, mappeers.COUNTER], build)
    samples = measure(build, chosen, chosen_cases, rounds,
                      QUICK_MS if arguments.quick else MS, malloc, modes)
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
            'malloc': malloc.name, 'clock': arguments.clock,
            'warm': arguments.warm, 'samples': samples.document(),
            'targets': [v.__dict__ for v in judged]})
    fewer = []
    if SIZES[-1] in sizes_of[kinds[0]] and rounds > LARGE_ROUNDS:
        fewer = [('rounds', f'{LARGE_ROUNDS} for {form_size(SIZES[-1])}')]
    suite.print_heading('map', versions.items(), rounds, arguments.quick, [
        *fewer,
        ('cc', mappeers.compiler_version()),
        ('malloc', f'{malloc.name}: {malloc.version}'),
        ('time', {'cpu': 'of the CPUs, by the process', 'wall': 'that passes'}[
            arguments.clock]),
        ('memory', 'used before, never given back' if arguments.warm
         else 'as malloc has it'),
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
    parser.add_argument('--peer', action='append', default=[],
                        metavar='NAME[=DIR]',
                        help=', '.join(p.name for p in mappeers.PEERS)
                        + ' (default those that are packages); with a folder '
                        'of headers, or where a package was unpacked, one '
                        'more')
    parser.add_argument('--go', metavar='PATH',
                        help='the go command of a second version, to compare '
                        'its map too')
    parser.add_argument('--clock', choices=['cpu', 'wall'], default='cpu',
                        help="the process's time on the CPUs, or the time "
                        'that passes (default cpu); single puts are always '
                        'timed by the clock')
    parser.add_argument('--warm', action='store_true',
                        help='insert into memory that was used before: one '
                        'more map is filled and dropped first, and malloc '
                        'keeps what is freed')
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
