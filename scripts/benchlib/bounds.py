# bounds.py: libraries that are preloaded beside the peers and write numbers to a slip
# file (tests/bench/bound.h): two lower bounds, an allocator that is only fast
# (tests/bench/lifo.c) and the live bytes (tests/bench/live.c); and litter, which
# fragments a peer's heap first (tests/bench/litter.c).

import os
import shutil
import struct
import tempfile

from . import peers, suite, tree

SLIP = '4Q'
LIFO = 'lifo'
# What lifo allocates ahead, relative to the peak of live bytes: rounding up to classes,
# and a batch of each class in use.
READY_MIB, READY_FACTOR, READY_MAX_MIB = 4, 1.5, 1024


class Slip:
    """A file for the numbers, which any user may write."""

    def __init__(self, directory):
        descriptor, self.path = tempfile.mkstemp(dir=directory)
        os.write(descriptor, bytes(struct.calcsize(SLIP)))
        os.fchmod(descriptor, 0o666)
        os.close(descriptor)

    def environment(self):
        return [f'BENCH_SLIP={self.path}']

    def take(self):
        """Reads the numbers and removes the file."""
        with open(self.path, 'rb') as f:
            words = struct.unpack(SLIP, f.read(struct.calcsize(SLIP)))
        os.remove(self.path)
        return words


def lifo(build):
    return peers.Peer(LIFO, tree.bench_preload(build, 'lifo'),
                      'bound of time: per-thread lists, nothing given back')


def peak_live_kib(setting, workload, directory):
    slip = Slip(directory)
    library = tree.bench_preload(setting.build, 'live')
    workload.run(setting, f'{workload.name} counting live bytes',
                 [f'LD_PRELOAD={library}', *slip.environment()])
    return slip.take()[0] / 1024


def run_lifo(setting, workload, peer, live_kib, directory):
    """A sample of lifo, minus the time for its preparation, unless that is before the
    workload begins to measure."""
    ready = READY_MIB + int(live_kib * READY_FACTOR / 1024)
    slip = Slip(directory)
    figures = workload.run(
        setting, f'{workload.name} under {peer.name}',
        [*peer.environment(), *slip.environment(),
         f'BENCH_LIFO_MIB={min(ready, READY_MAX_MIB)}'])
    wall, cpu, faults, _ = slip.take()
    take_off(figures, workload, wall, cpu, faults)
    return figures


def take_off(figures, workload, wall, cpu, faults):
    """Subtracts from a sample what was done before the workload began."""
    operations = figures.get('operations', 1)
    figures['minor_faults'] = max(0, figures['minor_faults']
                                  - faults / operations)
    if not workload.timed_inside:
        figures['cpu_ns'] = max(1, figures['cpu_ns'] - cpu / operations)
        if 'rate' not in figures:  # a client waits until the server is there
            figures['ns'] = max(1, figures['ns'] - wall / operations)


def copy_litter(build, directory):
    """Copies it to where every user can read it: servers run as other users."""
    path = shutil.copy(tree.bench_preload(build, 'litter'), directory)
    os.chmod(path, 0o755)
    return path


def run_littered(setting, workload, peer, litter, directory):
    """A sample of a peer whose heap was fragmented first."""
    slip = Slip(directory)
    figures = workload.run(
        setting, f'{workload.name} under {peer.name}',
        [f'LD_PRELOAD={peer.preloaded or peers.c_library()}:{litter}',
         *slip.environment()])
    wall, cpu, faults, _ = slip.take()
    if wall == 0:
        raise suite.Failure(f'{workload.name} under {peer.name}: the heap was '
                            'not littered')
    take_off(figures, workload, wall, cpu, faults)
    return figures
