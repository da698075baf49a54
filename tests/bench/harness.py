# harness.py: tests of scripts/bench itself: what it refuses, and that a run of
# few operations gives its tables. Argument: the build directory.
#
# Each run has a temporary directory of its own, so that a benchmark under way
# on the machine does not hold its lock.

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = None


def bench(directory, *arguments, cores=None):
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, 'scripts', 'bench'), *arguments],
        env={**os.environ, 'TMPDIR': directory}, cwd=directory,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=cores and (lambda: os.sched_setaffinity(0, cores)))


class Harness(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def malloc(self, *arguments, **options):
        return bench(self.directory, 'malloc', '--build', BUILD, *arguments,
                     **options)

    def assert_refused(self, run, word):
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertEqual(run.stdout, '')
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertIn(word, run.stderr)

    def test_refuses_names_it_does_not_know(self):
        self.assert_refused(self.malloc('--peer', 'nosuch'), 'nosuch')
        self.assert_refused(self.malloc('--peer', './no.so'), 'no.so')
        self.assert_refused(
            self.malloc('--peer', 'glibc', '--workload', 'nosuch'), 'nosuch')
        self.assert_refused(bench(self.directory, 'nosuch'), 'nosuch')

    def test_refuses_a_build_directory_without_the_programs(self):
        run = bench(self.directory, 'malloc', '--build', self.directory,
                    '--peer', 'glibc')
        self.assert_refused(run, 'not built')

    def test_refuses_two_threads_on_one_core(self):
        core = {min(os.sched_getaffinity(0))}
        run = self.malloc('--peer', 'glibc', '--workload', 'handoff',
                          cores=core)
        self.assert_refused(run, 'cores')

    def test_refuses_a_second_run_beside_the_first(self):
        path = os.path.join(self.directory, 'mound-bench.lock')
        with open(path, 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run = self.malloc('--peer', 'glibc', '--workload', 'pair-16')
        self.assert_refused(run, 'another run')

    def test_refuses_a_library_that_does_not_bring_a_malloc(self):
        library = os.path.join(self.directory, 'empty.so')
        subprocess.run(['cc', '-shared', '-o', library, '-x', 'c', '/dev/null'],
                       check=True)
        run = self.malloc('--peer', 'glibc', '--peer', library)
        self.assert_refused(run, 'malloc still comes from')

    def test_a_short_run_gives_both_tables_and_every_figure(self):
        figures = os.path.join(self.directory, 'figures.json')

        run = self.malloc('--quick', '--rounds', '1', '--peer', 'glibc',
                          '--workload', 'growth', '--json', figures)

        self.assertEqual((run.returncode, run.stderr), (0, ''))
        self.assertEqual(run.stdout.count('geometric mean'), 2)
        with open(figures) as f:
            rounds = json.load(f)['workloads']['growth']['peers']['glibc']
        self.assertEqual({k: len(v) for k, v in rounds.items()},
                         {'ns': 1, 'cpu_ns': 1, 'rss_kib': 1, 'faults': 1})
        self.assertGreater(rounds['rss_kib'][0], 100 * 1000)


if __name__ == '__main__':
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
