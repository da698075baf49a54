# harness.py: tests of scripts/bench itself: what it refuses, and that a run of
# few operations gives its tables. Argument: the build directory.
#
# Each run has a temporary directory of its own, so that a benchmark under way
# on the machine does not hold its lock.

import fcntl
import importlib.machinery
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, 'scripts', 'bench')
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'scripts'))
from benchlib import releases  # noqa: E402
BUILD = None


def bench(directory, *arguments, cores=None):
    return subprocess.run(
        [sys.executable, BENCH, *arguments],
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

    def test_map_refuses_paths_without_a_peer(self):
        for options, named in (
                (['--peer', 'absl=/nosuch'], '/nosuch'),
                (['--peer', f'ankerl={self.directory}'], 'unordered_dense.h'),
                (['--peer', f'mound={self.directory}'], 'mound'),
                (['--peer', 'mound', '--go', '/nosuch'], '/nosuch'),
                (['--peer', 'mound', '--warm', '--malloc', 'mound'], '--warm')):
            with self.subTest(named):
                self.assert_refused(self.map(*options), named)

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

    def shared_object(self, name, code):
        """A library of a few lines of C that passes malloc on."""
        path = self.path(name)
        with open(path + '.c', 'w') as f:
            f.write('#include <stddef.h>\nvoid *__libc_malloc(size_t);'
                    'void *malloc(size_t n) { return __libc_malloc(n); }'
                    + code)
        subprocess.run(['cc', '-shared', '-fPIC', '-o', path, path + '.c'],
                       check=True)
        return path

    def test_says_which_release_a_library_is_and_how_old(self):
        for code, said in (
                ('int mi_version(void) { return 20401; }',
                 'mimalloc 2.4.1 of 2026-07, '),
                ('int mi_version(void) { return 99901; }',
                 'mimalloc 9.99.1, unknown age'),
                ('const char *tc_version(int *a, int *b, const char **p) '
                 '{ return "gperftools 2.18.1"; }',
                 'tcmalloc 2.18.1 of 2026-03, '),
                ('', 'unknown release and age')):
            with self.subTest(said):
                run = self.malloc('--quick', '--rounds', '1', '--workload',
                                  'pair-16', '--peer',
                                  self.shared_object('some.so', code))
                self.assertEqual((run.returncode, run.stderr), (0, ''))
                self.assertIn(f'({said}', run.stdout)
                self.assertNotIn('old releases', run.stdout)

    def test_a_table_that_compares_with_an_old_release_says_so(self):
        run = self.malloc('--quick', '--rounds', '1', '--workload', 'pair-16',
                          '--peer', self.shared_object('some.so', 'int mi_version('
                                                 'void) { return 209; }'))
        self.assertEqual((run.returncode, run.stderr), (0, ''))
        self.assertEqual(run.stdout.count(
            'old releases, of which newer ones may be better: mimalloc 2.0.9 '
            'of 2022-12'), 3)

    def test_knows_the_numbers_and_the_ages_of_releases(self):
        for said, version in ((209, '2.0.9'), (315, '3.1.5'),
                              (3010, '3.0.10'), (3208, '3.2.8'),
                              (20401, '2.4.1'), (30700, '3.7.0')):
            self.assertEqual(releases.parse(f'mimalloc {said}\n'),
                             ('mimalloc', version))
            self.assertIsNotNone(releases.published('mimalloc', version))
        self.assertEqual(
            releases.parse('jemalloc 5.3.1-0-g81034ce1f1373e37dc865038e1bc8eee'
                           'cf559ce8'), ('jemalloc', '5.3.1'))
        self.assertIsNone(releases.parse('unknown'))
        release = {'name': 'glibc', 'version': '2.36', 'date': '2022-08'}
        self.assertFalse(releases.is_old(release, '2024-08-30'))
        self.assertTrue(releases.is_old(release, '2024-09-01'))
        self.assertFalse(releases.is_old({**release, 'date': None},
                                         '2024-09-01'))

    @staticmethod
    def script(name):
        """A program of scripts/ as a module."""
        loader = importlib.machinery.SourceFileLoader(
            name, os.path.join(ROOT, 'scripts', name))
        module = importlib.util.module_from_spec(
            importlib.util.spec_from_loader(name, loader))
        loader.exec_module(module)
        return module

    def check(self):
        """scripts/check as a module."""
        return self.script('check')

    def test_files_that_include_one_another_are_refused(self):
        check = self.check()
        ring = {'a': {'b'}, 'b': {'c'}, 'c': {'a', 'd'}, 'd': set()}
        for graph, known, refused in (
                ({'a': {'b', 'c'}, 'b': {'c'}, 'c': set()}, [], 0),
                ({'a': {'b'}, 'b': {'a'}}, [], 1),
                (ring, [], 1), # over a third
                (ring, ['a', 'b'], 1),
                (ring, ['a', 'b', 'c'], 0),
                (ring, ['a', 'b', 'c', 'd'], 1), # of d it is not true any more
                ({**ring, 'e': {'f'}, 'f': {'e'}}, [], 2)):
            with self.subTest(graph=graph, known=known):
                self.assertEqual(len(check.refused_circles(graph, known)),
                                 refused)

    def test_a_header_and_its_source_are_one_file_of_the_graph(self):
        graph = self.check().include_graph(
            ['alloc/base/mutex.c', 'alloc/base/mutex.h', 'alloc/os/sys.h',
             'alloc/os/sys_linux.c'])

        self.assertEqual(set(graph), {'alloc/base/mutex', 'alloc/os/sys'})
        self.assertIn('alloc/base/compiler', graph['alloc/base/mutex'])
        self.assertNotIn('alloc/base/mutex', graph['alloc/base/mutex'])

    def test_what_leads_up_by_its_name_is_found(self):
        symbols = [('os/sys.c', 'T', 'sys_pid'),
                   ('heap/mheap.c', 'U', 'sys_pid'),
                   ('heap/mheap.c', 'T', 'mheap_grow'),
                   ('os/sys.c', 'U', 'mheap_grow'),
                   ('os/sys.c', 'U', 'getpid'),
                   ('malloc.c', 'U', 'mheap_grow'),
                   ('malloc.c', 'T', 'malloc'),
                   ('watch/dump.c', 'U', 'malloc')]

        check = self.check()

        self.assertEqual(check.calls_upwards(check.calls_of(symbols)),
                         [('os/sys.c', 'heap/mheap.c', 'mheap_grow'),
                          ('watch/dump.c', 'malloc.c', 'malloc')])

    def test_long_files_are_refused(self):
        check = self.check()
        lengths = {'short.c': check.LINES_MAX, 'long.c': check.LINES_MAX + 1}
        for known, refused in (([], 1), (['long.c'], 0),
                               (['long.c', 'short.c'], 1),
                               (['long.c', 'gone.c'], 1)):
            with self.subTest(known):
                self.assertEqual(len(check.refused_lengths(lengths, known)),
                                 refused)

    def test_the_readme_may_not_be_ahead_of_a_peer_of_unknown_release(self):
        check = self.check()
        for text, refused in (
                ('It is ahead of\njemalloc. Fine.', 1),
                ('mound beats all peers', 1),
                ('- Faster than mimalloc 2.0.9 and tcmalloc of 2022.', 1),
                ('Faster than mimalloc 2.0.9.', 1),
                ('Faster than mimalloc 2.0.9 of 2022.', 0),
                ('Faster than before. On mimalloc it is 1.2.', 0),
                ('```\nahead of jemalloc\n```\n', 0),
                ('| ahead of | jemalloc |\n', 0),
                ('tcmalloc is ahead by 1.2.', 0)):
            with self.subTest(text):
                self.assertEqual(len(check.prose.claims_without_release(text)),
                                 refused)

    def test_wording_that_personifies_or_overstates_is_found(self):
        wording = self.check().prose.WORDING
        for text, found in (('mound stands aside', True),
                            ('statistics however it ends', True),
                            ('a table is looked at', True),
                            ('wait so long', True),
                            ('one in the place of another', True),
                            ('whoever may connect', True),
                            ('an iterator must be ended', False),
                            ('symbolic links are replaced', False)):
            with self.subTest(text):
                self.assertEqual(wording.search(text) is not None, found)

    def test_a_link_of_a_document_must_lead_to_a_file_and_a_heading(self):
        check = self.check()
        there = {'README.md': '# Top\n## Two words, `x`!\n', 'map/a.md': ''}
        for text, refused in (
                ('[a](map/a.md) [b](https://x/y) [c](#two-words-x)', 0),
                ('[a](map/b.md)', 1),
                ('[a](#three-words) `map/b.md`', 2),
                ('[a](map/b.md "title") <a href="map/c.md">', 2),
                ('[a][b]\n\n[b]: map/b.md\n', 1),
                ('[a](#two-words-x-1)', 1),
                ('```\n[a](map/b.md)\n```\n`map/a.md`', 0)):
            with self.subTest(text):
                self.assertEqual(len(check.prose.broken_links(
                    'README.md', text, there.__contains__,
                    lambda name: check.prose.headings(there[name]))), refused)

    def test_the_anchors_of_headings_are_those_of_github(self):
        headings = self.check().prose.headings
        self.assertEqual(headings('# A b\n## A b\n## [x](y.md) & `z_1`\n'),
                         {'a-b', 'a-b-1', 'x--z_1'})

    def test_figures_have_a_command(self):
        without = self.check().prose.figures_without_command
        for text, n in (('## A\n| a | 1.5 |\n', 1), ('## A\n| a | b |\n', 0),
                        ('## A\n`scripts/bench map`\n\n| a | 1.5 |\n', 0)):
            with self.subTest(text):
                self.assertEqual(len(without(text)), n)

    def test_a_block_says_whether_it_runs(self):
        unmarked = self.check().prose.unmarked_blocks
        for text, n in (('<!-- run -->\n```sh\nls\n```\n', 0), ('```sh\nls\n```\n', 1),
                        ('<!-- runs -->\n```sh\nls\n```\n', 1),
                        ('- a\n\n  ```sh\n  ls\n  ```\n', 2), ('~~~\nls\n~~~\n', 2)):
            with self.subTest(text):
                self.assertEqual(len(unmarked('a.md', text)), n)

    def test_what_the_code_has_and_the_documents_lack_is_found(self):
        check = self.check()
        facts = check.documented
        for function, name, old, new in (
                (facts.variables, 'preload/README.md', '| `MOUND_GUARD` |',
                 '| `MOUND_GARD` |'),
                (facts.variables, 'preload/libmound.7', '.B MOUND_GUARD\n',
                 '.B MOUND_GARD\n'),
                (facts.variables, 'preload/README.md', '`libunwind`,', ''),
                (facts.variables, 'preload/README.md', '| `auto` |', '| `never` |'),
                (facts.variables, 'preload/libmound.7', '.B clear\n', '.B gone\n'),
                (facts.variables, 'alloc/runtime/options.c', '512 << 10', '256 << 10'),
                (facts.variables, 'alloc/heap/mheap.h', '1000 * 1000 * 1000',
                 '500 * 1000 * 1000'),
                (facts.variables, 'preload/README.md', '| `512KiB` |', '| `1MiB` |'),
                (lambda read: facts.marks(read, ['README.md']), 'README.md',
                 '<!-- run -->', '<!-- runs -->'),
                (lambda read: facts.marks(read, ['preload/mound.3']),
                 'preload/mound.3', '.\\" file: trim.c\n', ''),
                (lambda read: facts.reached(read, ['README.md', 'preload/rss.md']),
                 'README.md', '(preload/rss.md)', '(preload/tuning.md)'),
                (facts.functions, 'preload/mound.3', 'mound_verify(void)',
                 'mound_verify(int)'),
                (facts.functions, 'tests/golden/exports.txt', 'mound_version',
                 'mound_edition'),
                (facts.functions, 'map/libmoundmap.3', '_shrink(', '_pack('),
                (facts.functions, 'map/libmoundmap.3', 'MAP_F64', 'MAP_FLOAT'),
                (facts.messages, 'alloc/prof/summary.c', '"idle pages"',
                 '"free pages"'),
                (facts.messages, 'preload/misuse.md', 'already freed', 'free'),
                (lambda read: facts.names(read, ['README.md']), 'README.md',
                 'MOUND_STATS', 'MOUND_STAT_')):
            with self.subTest(new):
                def changed(path):
                    text = check.read(path)
                    return text.replace(old, new) if path == name else text

                self.assertIn(old, check.read(name))
                self.assertEqual(function(check.read), [])
                self.assertNotEqual(function(changed), [])

    def test_a_table_is_replaced_where_its_mark_is(self):
        figures = self.script('figures')
        text = ('# Top\n## One\n<!-- figures: 1a2b alloc map; true; false -->\n'
                '```\nold 1\n```\n\n## Two\n<!-- figures: 3c map; by hand -->\n'
                '| a |\n')

        one, two = figures.marks(text)

        self.assertEqual(one[:4], ('One', '1a2b', ['alloc', 'map'], 'true; false'))
        self.assertEqual(two[:4], ('Two', '3c', ['map'], 'by hand'))
        self.assertEqual(
            figures.replaced(text, one[4], '5d', '\nnew 2\n'),
            text.replace('1a2b', '5d').replace('old 1', 'new 2'))
        self.assertEqual(
            figures.replaced(text + '\nafter | it\n', two[4], '5d', '| b |\n| c |\n'),
            text.replace('3c', '5d').replace('| a |', '| b |\n| c |') +
            '\nafter | it\n')
        with self.assertRaises(ValueError):
            figures.replaced(text.replace('| a |', 'a'), two[4], '5d', 'new')

    def short(self, *more):
        """A run of a few seconds that leaves figures.json."""
        return ('--quick', '--rounds', '2', '--peer', 'glibc', '--workload',
                'growth', '--workload', 'startup', '--workload', 'sharing-*',
                '--json', self.path('figures.json'), *more)

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def test_a_short_run_gives_all_tables_every_figure_and_a_picture(self):
        run = self.malloc(*self.short('--svg', self.path('picture.svg')))

        self.assertEqual((run.returncode, run.stderr), (0, ''))
        self.assertEqual(run.stdout.count('geometric mean'), 3)
        self.assertLessEqual(max(map(len, run.stdout.splitlines())), 120)
        document = json.loads(self.read('figures.json'))
        growth = document['workloads']['growth']
        rounds = growth['peers']['glibc']
        self.assertEqual({k: len(v) for k, v in rounds.items()},
                         dict.fromkeys(('ns', 'cpu_ns', 'rss_kib',
                                        'minor_faults', 'major_faults'), 2))
        self.assertGreater(rounds['rss_kib'][0], 100 * 1000)
        self.assertAlmostEqual(growth['live_kib'], 102_400, delta=100)
        self.assertLess(min(growth['peers']['lifo']['minor_faults']), 100_000)
        self.assertTrue(document['complete'])
        picture = xml.etree.ElementTree.fromstring(self.read('picture.svg'))
        self.assertTrue(picture.tag.endswith('svg'))
        self.assertIn('growth', self.read('picture.svg'))

    def test_a_complete_run_is_printed_again_from_its_file(self):
        first = self.malloc(*self.short())
        figures = self.read('figures.json')

        again = self.malloc('--resume', self.path('figures.json'))

        self.assertEqual((again.returncode, again.stderr), (0, ''))
        self.assertEqual(again.stdout, first.stdout)
        self.assertEqual(self.read('figures.json'), figures)

    def test_every_program_runs_and_what_it_notes_is_printed(self):
        names = ('list-64', 'list-256k-touch', 'leak', 'local-8', 'stress-8',
                 'cross', 'queue-8', 'bulk', 'latency')
        run = self.malloc('--quick', '--rounds', '1', '--peer', 'glibc',
                          *(word for n in names for word in ('--workload', n)),
                          '--json', self.path('figures.json'))

        self.assertEqual((run.returncode, run.stderr), (0, ''))
        self.assertLessEqual(max(map(len, run.stdout.splitlines())), 120)
        workloads = json.loads(self.read('figures.json'))['workloads']
        self.assertEqual(tuple(workloads), names)
        for name in names:
            self.assertGreater(workloads[name]['peers']['glibc']['cpu_ns'][0],
                               0, name)
        figures = {name: value[0] for name, value in
                   workloads['latency']['peers']['glibc'].items()}
        for call in ('malloc', 'free'):
            tail = [figures[f'note {call}_{share}_ns'] for share in (
                'p50', 'p99', 'p99.9', 'p99.99', 'worst')]
            self.assertEqual(tail, sorted(tail))
            self.assertGreater(tail[0], 0)
            on_core = figures[f'note {call}_on-core_ns']
            self.assertTrue(tail[1] <= on_core <= tail[4], (on_core, tail))
            self.assertRegex(run.stdout, rf'latency +{call} +allocator +p50 +p99 '
                             r'+p99.9 +p99.99 +on-core +worst\n +glibc +\d')
        self.assertIn('leak      rss at the end ', run.stdout)
        # 20 live objects of 15 MiB on average, and what comes beside them
        self.assertGreater(workloads['bulk']['live_kib'], 200 * 1024)
        self.assertLess(workloads['bulk']['live_kib'], 400 * 1024)

    def test_a_process_that_sleeps_tells_what_it_holds(self):
        run = subprocess.run(
            [os.path.join(BUILD, 'tests', 'bench', 'bench-idle'), '32', '1',
             'pulse'],
            stdout=subprocess.PIPE, check=True)
        notes = json.loads(run.stdout)['notes']
        self.assertEqual(list(notes), [
            'rss_at_the_peak_kib', 'rss_after_the_frees_kib',
            'rss_after_1_s_kib', 'cpu_in_the_sleep_ns'])
        self.assertGreater(notes['rss_at_the_peak_kib'], 32 * 1024)

    def test_after_a_longer_sleep_it_tells_moments_in_between(self):
        run = subprocess.run(
            [os.path.join(BUILD, 'tests', 'bench', 'bench-idle'), '32', '2',
             'still'],
            stdout=subprocess.PIPE, check=True)
        notes = json.loads(run.stdout)['notes']
        self.assertEqual(list(notes), [
            'rss_at_the_peak_kib', 'rss_after_the_frees_kib',
            'rss_after_1_s_kib', 'rss_after_2_s_kib', 'cpu_in_the_sleep_ns'])
        self.assertGreater(notes['rss_at_the_peak_kib'], 32 * 1024)

    def test_littered_heaps_hold_litter_and_its_cost_is_taken_off(self):
        run = self.malloc('--quick', '--rounds', '1', '--littered', '--peer',
                          'glibc', '--workload', 'pair-16', '--workload',
                          'sort', '--json', self.path('figures.json'))

        self.assertEqual((run.returncode, run.stderr), (0, ''))
        self.assertIn('malloc, littered heaps: ', run.stdout)
        document = json.loads(self.read('figures.json'))
        self.assertTrue(document['littered'])
        pair, program = (document['workloads'][name]['peers']['glibc']
                         for name in ('pair-16', 'sort'))
        self.assertGreater(pair['rss_kib'][0], 30 * 1024)
        self.assertLess(pair['minor_faults'][0], 2000)  # litter: 11 000
        self.assertGreater(program['ns'][0], 1e6)
        self.assertGreater(program['cpu_ns'][0], 1e6)

    def test_refuses_litter_where_there_is_no_heap(self):
        self.assert_refused(self.malloc('--littered', '--workload', 'startup',
                                        '--peer', 'glibc'), 'startup')
        self.assert_refused(self.malloc('--littered', '--scaling', '--peer',
                                        'glibc'), '--littered')

    def interrupt(self, signum, arguments):
        """Starts a long run, stops it once some figures are in its file."""
        process = subprocess.Popen(
            [sys.executable, BENCH, 'malloc', '--build', BUILD, *arguments],
            env={**os.environ, 'TMPDIR': self.directory}, cwd=self.directory,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if os.path.exists(self.path('figures.json')):
                break
            time.sleep(0.05)
        process.send_signal(signum)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def test_an_interrupted_run_goes_on_and_keeps_what_was_done(self):
        for signum in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signum.name):
                arguments = ['--quick', '--rounds', '40', '--peer', 'glibc',
                             '--workload', 'growth', '--workload',
                             'pair-16', '--json', self.path('figures.json')]
                status, out, err = self.interrupt(signum, arguments)
                self.assertEqual((status, out), (1, ''), err)
                self.assertIn('--resume', err)
                before = json.loads(self.read('figures.json'))
                self.assertFalse(before['complete'])
                self.shorten(before, 5)

                run = self.malloc('--resume', self.path('figures.json'))

                self.assertEqual((run.returncode, run.stderr), (0, ''))
                after = json.loads(self.read('figures.json'))
                self.assertTrue(after.pop('complete'))
                self.assertFalse(before.pop('complete'))
                del after['summary']
                self.assert_continues(before, after, 5)
                os.remove(self.path('figures.json'))

    def shorten(self, document, rounds):
        """Makes do with fewer rounds, or the test would take a minute."""
        document['rounds'] = rounds
        for workload in document['workloads'].values():
            for fields in workload['peers'].values():
                for name in fields:
                    del fields[name][rounds:]
        with open(self.path('figures.json'), 'w') as f:
            json.dump(document, f)

    def assert_continues(self, before, after, rounds):
        """The same document, but for the rounds that were added."""
        for name, workload in after['workloads'].items():
            for peer, fields in workload['peers'].items():
                had = before['workloads'][name]['peers'][peer]
                for field in fields:
                    self.assertEqual(len(fields[field]), rounds)
                    kept = had.setdefault(field, [])
                    self.assertEqual(fields[field][:len(kept)], kept)
                    had[field] = fields[field]
            before['workloads'][name]['live_kib'] = workload['live_kib']
        self.assertEqual(before, after)

    def test_refuses_to_go_on_where_that_would_mix_runs(self):
        run = self.malloc('--resume', self.path('nosuch.json'))
        self.assert_refused(run, 'nosuch.json')
        with open(self.path('other.json'), 'w') as f:
            json.dump({'suite': 'map'}, f)
        self.assert_refused(self.malloc('--resume', self.path('other.json')),
                            'not written')
        self.malloc(*self.short())
        self.assert_refused(self.malloc('--resume', self.path('figures.json'),
                                        '--quick'), '--quick')
        document = json.loads(self.read('figures.json'))
        document['complete'] = False
        document['peers']['glibc']['sha256'] = '0'
        with open(self.path('figures.json'), 'w') as f:
            json.dump(document, f)
        self.assert_refused(self.malloc('--resume',
                                        self.path('figures.json')), 'anew')

    def test_refuses_options_that_exclude_each_other(self):
        self.assert_refused(self.malloc('--quick', '--full'), 'not both')
        self.assert_refused(self.malloc('--svg', 'nosuch/file'), '--svg')

    def test_says_what_installs_a_program_that_is_missing(self):
        missing = 'from benchlib import programs as p; p.shutil.which = ' \
            'lambda *a, **k: None; from benchlib import mallocsuite as m; '
        for call, word in (
                ("m.select_workloads(['jq'], 'quick')", 'needs bench'),
                ("print(m.select_workloads(['jq', 'pair-16'][1:], 'quick')[1],"
                 " m.select_workloads([], 'quick')[1])", "'jq': ['jq']")):
            run = subprocess.run(
                [sys.executable, '-B', '-c', missing + call],
                cwd=os.path.join(ROOT, 'scripts'), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertIn(word, run.stdout)

    def test_a_failing_workload_is_a_dash_and_the_others_go_on(self):
        library = self.path('broken.so')
        with open(self.path('broken.c'), 'w') as f:
            # It has a malloc, but not for long.
            f.write('#include <stddef.h>\nvoid *__libc_malloc(size_t);'
                    'static int n; void *malloc(size_t s) {'
                    'return n++ < 5000 ? __libc_malloc(s) : NULL; }')
        subprocess.run(['cc', '-shared', '-fPIC', '-o', library,
                        self.path('broken.c')], check=True)

        run = self.malloc('--quick', '--rounds', '2', '--peer', 'glibc',
                          '--peer', library, '--workload', 'pair-16',
                          '--workload', 'startup')

        self.assertEqual(run.returncode, 1)
        self.assertIn('pair-16 under broken.so', run.stderr)
        self.assertIn('geometric mean', run.stdout)
        row = next(line for line in run.stdout.splitlines()
                   if line.startswith('pair-16'))
        self.assertIn(' - ', row)

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


    def test_a_peer_by_path_and_both_maps_of_mound_do_the_same_work_warm(self):
        headers = os.path.join(self.directory, 'usr', 'include', 'ankerl')
        os.makedirs(headers)
        with open(os.path.join(headers, 'unordered_dense.h'), 'w') as f:
            f.write('#include <unordered_map>\n'
                    'namespace ankerl { namespace unordered_dense {\n'
                    'template <class K, class V>\n'
                    'using map = std::unordered_map<K, V>; } }\n')
        figures = os.path.join(self.directory, 'figures.json')

        run = self.map('--quick', '--rounds', '1', '--peer', 'mound', '--peer',
                       'swiss', '--peer', f'ankerl={self.directory}', '--size',
                       '1k', '--type', 'u64', '--workload', 'insert',
                       '--workload', 'hit', '--warm', '--clock', 'wall',
                       '--json', figures)

        self.assertEqual((run.returncode, run.stderr), (0, ''))
        with open(figures) as f:
            document = json.load(f)
        self.assertEqual((document['warm'], document['clock']), (True, 'wall'))
        for sample in document['samples']:
            self.assertEqual(set(sample['peers']), {'mound', 'swiss', 'ankerl@'})


if __name__ == '__main__':
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
