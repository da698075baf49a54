# mallocsuite.py: malloc and free under mound and other allocators.
#
# Each workload, a program of tests/bench or a real one, runs under each allocator in a
# process of its own. All measurements are in one document, which is written after each
# run; an interrupted run continues from it. Tables and pictures are made from the
# document alone.

import hashlib
import json
import os
import shutil
import signal
import tempfile
import time

from . import (bounds, launch, mallocreport, peers, picture, releases, scaling,
               suite, table, tree)
from .programs import PROGRAMS
from .workloads import NOTE, TIMEOUT_S, WRITTEN, Setting

WORKLOADS = WRITTEN + PROGRAMS
FORMAT = 3
MODES = {'quick': 3, 'normal': 5, 'full': 11}  # number of rounds
ROUNDS = MODES['normal']
CHECK_PAIRS = '1000'
SAVE_EVERY_S = 5
FIELDS = ('ns', 'cpu_ns', 'rss_kib', 'minor_faults', 'major_faults', 'rate')


def check_preload(build, peer):
    """Refuses a peer if a program with it preloaded gets another malloc."""
    argv = [tree.bench_program(build, 'pair'), '16', CHECK_PAIRS, 'first']
    result = launch.run(build, argv, timeout=TIMEOUT_S,
                        environment=peer.environment())
    if result is None or not result.ok:
        raise tree.Refusal(f'{peer.name}: a program that uses it fails')
    origin = json.loads(result.stdout)['malloc']
    if not peer.serves(origin):
        raise tree.Refusal(f'{peer.name}: malloc still comes from {origin}')


def digest(peer):
    """A hash that distinguishes two builds of a library."""
    with open(peer.preloaded or peers.c_library(), 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def copy_libraries(chosen, directory):
    """Copies libraries that are not from packages: every user can read the copy, and a
    build meanwhile does not change it."""
    os.chmod(directory, 0o755)
    for peer in chosen:
        if peer.preloaded and peer.name not in peers.DEBIAN:
            path = os.path.join(directory, peer.name)
            os.mkdir(path)
            path = os.path.join(path, os.path.basename(peer.preloaded))
            shutil.copy(peer.preloaded, path)
            os.chmod(path, 0o755)
            peer.preloaded = path


class Document:
    """The settings and the measurements; path is None or a file."""

    def __init__(self, content, path):
        self.content = content
        self.path = path
        self._saved = time.monotonic()

    @staticmethod
    def new(mode, rounds, littered, workloads, chosen, skipped, path):
        return Document({
            'suite': 'malloc', 'format': FORMAT, 'machine': suite.machine(),
            'date': time.strftime('%Y-%m-%d'),
            'mode': mode, 'rounds': rounds, 'littered': littered,
            'complete': False,
            'peers': {p.name: {'version': p.version, 'mound': p.is_mound,
                               'library': p.preloaded, 'sha256': digest(p),
                               'release': p.release}
                      for p in chosen},
            'skipped': skipped,
            'workloads': {
                w.name: {'group': w.group, 'live_kib': None, 'failed': {},
                         'peers': {name: {} for name in
                                   (*(p.name for p in chosen), bounds.LIFO)}}
                for w in workloads},
        }, path)

    @staticmethod
    def read(path):
        try:
            with open(path) as f:
                content = json.load(f)
        except (OSError, ValueError) as error:
            raise tree.Refusal(f'--resume {path}: {error}')
        if (not isinstance(content, dict) or content.get('suite') != 'malloc'
                or content.get('format') != FORMAT):
            raise tree.Refusal(f'--resume {path}: it was not written by this '
                               'scripts/bench malloc')
        return Document(content, path)

    def save(self, now=True):
        """Writes the file, as a whole or not at all."""
        if self.path and (now or time.monotonic() - self._saved
                          > SAVE_EVERY_S):
            scratch = self.path + '.new'
            suite.write_json(scratch, self.content)
            os.replace(scratch, self.path)
            self._saved = time.monotonic()

    def done(self, workload, peer):
        """The number of complete rounds."""
        return len(self.content['workloads'][workload]['peers'][peer]
                   .get('ns', []))

    def add(self, workload, peer, figures):
        rounds = self.content['workloads'][workload]['peers'][peer]
        for field in figures:
            if field in FIELDS or field.startswith(NOTE):
                rounds.setdefault(field, []).append(figures[field])

    def fail(self, workload, peer, why):
        w = self.content['workloads'][workload]
        w['failed'][peer] = why
        w['peers'][peer] = {}

    def failed(self, workload, peer):
        return peer in self.content['workloads'][workload]['failed']


def measure(document, setting, workloads, chosen, directory):
    """Measures what is missing in the document."""
    content = document.content
    live = {}
    document.save()
    for workload in workloads:
        workload.prepare(setting)
    for workload in workloads:
        w = content['workloads'][workload.name]
        if w['live_kib'] is None:
            suite.progress(f'counting live bytes: {workload.name}')
            try:
                w['live_kib'] = bounds.peak_live_kib(setting, workload,
                                                     directory)
            except suite.Failure:
                w['live_kib'] = 0  # unknown
            document.save(now=False)
        live[workload.name] = w['live_kib']
    runners = [*chosen, bounds.lifo(setting.build)]
    litter = content['littered'] and bounds.copy_litter(setting.build,
                                                        directory)
    for i, workload, peer in suite.interleaved(content['rounds'], workloads,
                                               lambda w: runners):
        if (document.done(workload.name, peer.name) > i
                or i >= workload.most_rounds
                or document.failed(workload.name, peer.name)):
            continue
        try:
            if peer.name == bounds.LIFO:
                figures = bounds.run_lifo(setting, workload, peer,
                                          live[workload.name], directory)
            elif content['littered']:
                figures = bounds.run_littered(setting, workload, peer, litter,
                                              directory)
            else:
                figures = workload.run(
                    setting, f'{workload.name} under {peer.name}',
                    peer.environment())
            document.add(workload.name, peer.name, figures)
        except suite.Failure as failure:
            document.fail(workload.name, peer.name, str(failure))
        document.save(now=False)


def select_workloads(names, mode, littered=False):
    """The workloads to run and those to skip, with the packages they need. A workload
    that is requested by its own name is refused instead of skipped."""
    known = {w.name: w for w in WORKLOADS}
    chosen = [known[name] for name in suite.select('workload', names, known)]
    if not names:
        chosen = [w for w in chosen if mode in w.modes]
    if littered:
        for w in chosen:
            if w.name in names and not w.can_be_littered:
                raise tree.Refusal(f'{w.name} has no heap to litter')
        chosen = [w for w in chosen if w.can_be_littered]
    skipped = {w.name: w.missing() for w in chosen if w.missing()}
    for name in names:
        if name in skipped:
            raise tree.Refusal(f'{name}: {", ".join(skipped[name])} missing; '
                               'install it with: scripts/needs bench')
    chosen = [w for w in chosen if w.name not in skipped]
    if not chosen:
        raise tree.Refusal('nothing is left to run; install what is missing '
                           'with: scripts/needs bench')
    return chosen, skipped


def mode_of(arguments):
    if arguments.quick and arguments.full:
        raise tree.Refusal('--quick or --full, not both')
    return ('quick' if arguments.quick else 'full' if arguments.full
            else 'normal')


def begin(arguments):
    """A document and the objects needed to fill it."""
    mode = mode_of(arguments)
    workloads, skipped = select_workloads(arguments.workload, mode,
                                          arguments.littered)
    chosen = peers.select(arguments.peer, arguments.build)
    releases.tell(arguments.build, chosen)
    if any(p.name == bounds.LIFO for p in chosen):
        raise tree.Refusal(f'{bounds.LIFO} is the name of the bound of time')
    path = arguments.json
    if path is None and mode == 'full':
        path = os.path.join(arguments.build, 'bench-malloc.json')
    document = Document.new(mode, suite.rounds_of(arguments, MODES['quick'],
                                                  MODES[mode]),
                            arguments.littered, workloads, chosen, skipped, path)
    return document, workloads, chosen


def resume(arguments):
    for option, value in (('--peer', arguments.peer), ('--full', arguments.full),
                          ('--workload', arguments.workload),
                          ('--quick', arguments.quick),
                          ('--littered', arguments.littered),
                          ('--rounds', arguments.rounds),
                          ('--json', arguments.json)):
        if value:
            raise tree.Refusal(f'--resume goes on as the run began; {option} '
                               'does not go with it')
    document = Document.read(arguments.resume)
    content = document.content
    if content['complete']:
        return document, [], []
    known = {w.name: w for w in WORKLOADS}
    gone = [name for name in content['workloads'] if name not in known]
    if gone:
        raise tree.Refusal(f'--resume: there is no workload {gone[0]} any more')
    workloads = [known[name] for name in content['workloads']]
    chosen = peers.select([
        name if name == 'mound' or name in peers.DEBIAN else p['library']
        for name, p in content['peers'].items()], arguments.build)
    releases.tell(arguments.build, chosen)
    for peer in chosen:
        if peer.name not in content['peers'] or \
                digest(peer) != content['peers'][peer.name]['sha256']:
            raise tree.Refusal(f'--resume: {peer.name} is not the library the '
                               'run began with; begin anew')
    if content['machine'] != suite.machine():
        raise tree.Refusal('--resume: the run began on another machine; begin '
                           'anew')
    return document, workloads, chosen


def check_cores(workloads):
    cores = len(os.sched_getaffinity(0))
    needed = max(w.threads for w in workloads)
    if cores < needed:
        raise tree.Refusal(f'{needed} cores are needed, there is {cores}; '
                           'choose single-threaded ones with --workload')


def fill(document, arguments, workloads, chosen):
    check_cores(workloads)
    setting = Setting(arguments.build, document.content['mode'],
                      max(os.sched_getaffinity(0)),
                      os.path.join(os.path.abspath(arguments.build),
                                   'bench-inputs'))
    with tempfile.TemporaryDirectory(prefix='mound-bench-') as directory:
        copy_libraries(chosen, directory)
        for peer in [*chosen, bounds.lifo(arguments.build)]:
            check_preload(arguments.build, peer)
        lock = suite.lock_machine()
        # From here on, work could be lost.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            measure(document, setting, workloads, chosen, directory)
            document.content['complete'] = True
        except KeyboardInterrupt:
            suite.progress()
            document.save()
            kept = (f'; what was done is kept, go on with: scripts/bench malloc'
                    f' --resume {document.path}' if document.path else '')
            raise suite.Failure('interrupted' + kept)
        finally:
            signal.signal(signal.SIGTERM, before)
            os.close(lock)


def bench(arguments):
    suite.check_json(arguments.json)
    suite.check_json(arguments.svg, '--svg')
    if arguments.scaling:
        scaling.bench(arguments)
        return
    document, workloads, chosen = (
        resume(arguments) if arguments.resume else begin(arguments))
    if workloads:
        for workload in workloads:
            workload.check_built(arguments.build)
        fill(document, arguments, workloads, chosen)
        report = mallocreport.Report(document.content)
        document.content['summary'] = report.summary()
        document.save()
    report = mallocreport.Report(document.content)
    report.print()
    if arguments.svg:
        picture.draw(report, arguments.svg)
    failures = report.failures()
    if failures:
        raise suite.Failure('\nbench: '.join(failures))


def add_arguments(parser):
    parser.add_argument('--full', action='store_true',
                        help='11 rounds of everything, 90 minutes; progress '
                        'is kept in BUILD/bench-malloc.json or --json FILE')
    parser.add_argument('--resume', metavar='FILE',
                        help='go on with an interrupted run, or print a '
                        'complete one again')
    parser.add_argument('--svg', metavar='FILE', help='draw a picture')
    parser.add_argument('--scaling', action='store_true',
                        help='throughput and locks of 1 to 64 threads instead')
    parser.add_argument('--littered', action='store_true',
                        help='each heap is fragmented before its workload')
    parser.add_argument('--peer', action='append', default=[],
                        metavar='NAME|PATH', help='mound, '
                        + ', '.join(peers.DEBIAN)
                        + ', or the path of a library (default all by name)')
    parser.add_argument('--workload', action='append', default=[],
                        metavar='NAME', help="a name, or a pattern as 'pair-*'"
                        ' (default all; --list shows them)')


def print_list():
    table.print_table([[w.name, w.what] for w in WORKLOADS], left=2)
