# suite.py: shared by the suites of scripts/bench: interleaved rounds that do not run at
# the same time as others, figures with their spread, the machine's name.

import fcntl
import fnmatch
import json
import math
import os
import re
import statistics
import sys
import tempfile

from . import launch, tree


class Failure(Exception):
    pass


def select(what, names, known):
    """The known names that match one of names or patterns; all without any."""
    chosen = []
    for name in names or ['*']:
        matching = fnmatch.filter(known, name)
        if not matching:
            raise tree.Refusal(f'unknown {what} {name}; there are '
                               + ', '.join(known))
        chosen += [k for k in matching if k not in chosen]
    return chosen


def rounds_of(arguments, quick, full):
    if arguments.rounds is None:
        return quick if arguments.quick else full
    if arguments.rounds < 1:
        raise tree.Refusal('--rounds takes a number of at least 1')
    return arguments.rounds


def check_json(path, option='--json'):
    """Refuses a file that cannot be written, before the work is done."""
    if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise tree.Refusal(f'{option} {path}: no such directory')


def write_json(path, document):
    with open(path, 'w') as f:
        json.dump(document, f, indent=1)
        f.write('\n')


def lock_machine():
    """Takes the lock that keeps two runs from running at the same time."""
    path = os.path.join(tempfile.gettempdir(), 'mound-bench.lock')
    # Opened without O_CREAT if it exists: another user's file could not be opened so.
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise tree.Refusal(f'another run holds {path}; two at a time would '
                           'only measure each other')
    return descriptor


def progress(text=''):
    """Shows the present step on a terminal; an empty text clears it."""
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def interleaved(rounds, items, peers_of):
    """Yields (round, item, peer); the order of peers rotates each round."""
    for i in range(rounds):
        for j, item in enumerate(items):
            progress(f'round {i + 1} of {rounds}: {item.name}')
            chosen = peers_of(item)
            turn = (i + j) % len(chosen)
            for peer in chosen[turn:] + chosen[:turn]:
                yield i, item, peer
    progress()


def run(where, build, argv, timeout, quiet=True, **options):
    """The result of a program that must succeed and, if quiet, print nothing."""
    result = launch.run(build, argv, timeout=timeout, **options)
    if result is None:
        raise Failure(f'{where}: not done after {timeout} s')
    if not result.ok or (quiet and result.stderr):
        text = result.stderr.decode(errors='replace').strip()
        raise Failure(f'{where}: {result.outcome()} {text}'.strip())
    return result


class Figure:
    """The median of the rounds, and the spread of their middle half, so that one disturbed
    round of five neither counts nor hides the rest."""

    def __init__(self, values):
        self.median = statistics.median(values)
        self.spread = math.inf  # unknown from one round
        if len(values) > 1:
            low, _, high = statistics.quantiles(values, n=4, method='inclusive')
            self.spread = high - low


def form_time(ns):
    for unit, size in (('ms', 1e6), ('us', 1e3)):
        if ns >= size:
            return f'{ns / size:.2f} {unit}'
    return f'{ns:.2f} ns'


def cpu_model():
    with open('/proc/cpuinfo') as f:
        match = re.search(r'^model name\s*:\s*(.+)$', f.read(), re.MULTILINE)
    return match.group(1) if match else os.uname().machine


def kernel_version():
    return re.match(r'[0-9.]*[0-9]', os.uname().release).group()


def machine():
    return {'cpu': cpu_model(), 'cores': len(os.sched_getaffinity(0)),
            'kernel': kernel_version()}


def print_heading(suite, versions, rounds, quick, more=(), m=None):
    """Prints the run, the machine and the peers. versions and the further arguments are
    pairs."""
    m = m or machine()
    print(f'{suite}: medians of {rounds} rounds' + (', short' if quick else ''))
    for name, value in (('CPU', f'{m["cpu"]}, {m["cores"]} cores'),
                        ('kernel', m['kernel']), *more,
                        *(('peer', f'{peer}: {version}')
                          for peer, version in versions)):
        print(f'{name:<7} {value}')
