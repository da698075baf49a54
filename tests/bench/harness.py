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

    def map(self, *arguments, **options):
        return bench(self.directory, 'map', '--build', BUILD, *arguments,
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

    def test_map_refuses_what_it_does_not_know(self):
        for option in ('--peer', '--workload', '--type', '--size', '--malloc',
                       '--nosuch'):
            with self.subTest(option):
                self.assert_refused(self.map('--peer', 'mound', option,
                                             'nosuch'), 'nosuch')
        for size in ('0', '-1', '1.5', '20M', '', '1kk', '100000000000'):
            with self.subTest(size):
                self.assert_refused(self.map(f'--size={size}'), '--size')

    def test_map_refuses_workloads_without_a_case(self):
        self.assert_refused(self.map('--workload', 'small*', '--size', '1k'),
                            'nothing to do')
        self.assert_refused(self.map('--workload', 'latency', '--type', 'u32'),
                            'nothing to do')

    def test_both_suites_list_their_workloads(self):
        for name, workload in (('malloc', 'pair-16'), ('map', 'insert-hint')):
            run = bench(self.directory, name, '--list')
            self.assertEqual((run.returncode, run.stderr), (0, ''))
            self.assertIn(workload + ' ', run.stdout)

    def test_refuses_rounds_and_files_that_cannot_be(self):
        for suite in (self.malloc, self.map):
            self.assert_refused(suite('--rounds', '0'), '--rounds')
            self.assert_refused(suite('--rounds', 'many'), '--rounds')
            self.assert_refused(suite('--json', 'nosuch/file'), 'nosuch')

    def test_refuses_a_build_directory_without_the_programs(self):
        run = bench(self.directory, 'malloc', '--build', self.directory,
                    '--peer', 'glibc')
        self.assert_refused(run, 'not built')
        run = bench(self.directory, 'map', '--build', self.directory, '--peer',
                    'mound')
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
            beside = self.map('--peer', 'mound', '--size', '8')
        self.assert_refused(run, 'another run')
        self.assert_refused(beside, 'another run')

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

    def test_a_short_run_of_the_map_gives_all_tables_and_every_figure(self):
        figures = os.path.join(self.directory, 'figures.json')

        run = self.map('--quick', '--rounds', '1', '--peer', 'mound', '--size',
                       '8', '--size', '1k', '--type', 'u64', '--type', 'str',
                       '--json', figures)

        self.assertEqual((run.returncode, run.stderr), (0, ''))
        for title in ('u64: ', 'str: ', 'bytes an entry of', 'single ',
                      'targets, '):
            self.assertEqual(run.stdout.count('\n' + title), 1, run.stdout)
        self.assertLessEqual(max(map(len, run.stdout.splitlines()[7:])), 100)
        with open(figures) as f:
            document = json.load(f)
        measured = {(s['type'], s['size'], s['operation'])
                    for s in document['samples']}
        for kind in ('u64', 'str'):
            for size in (8, 1000):
                for operation in ('insert', 'insert-hint', 'hit', 'miss',
                                  'update', 'delete', 'churn', 'iterate',
                                  'bytes'):
                    self.assertIn((kind, size, operation), measured)
            self.assertIn((kind, 8, 'small-local'), measured)
        self.assertIn(('u64', 1000, 'latency'), measured)
        sample = next(s for s in document['samples']
                      if (s['type'], s['size'], s['operation'])
                      == ('u64', 1000, 'hit'))
        measured, = sample['peers']['mound']
        self.assertGreater(measured['ns'], 0)
        self.assertNotEqual(measured['check'], 0)


if __name__ == '__main__':
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
