#!/usr/bin/env python3
"""The experiments of map/examples, small: what they print is what is so, and
what Go prints beside it is what Go's maps are known to be. Times are not
compared. And the programs build by the commands at their tops.

    examples.py BUILD
"""
import collections
import glob
import json
import os
import random
import re
import subprocess
import sys
import tempfile

EXAMPLES = os.path.join(os.environ['MOUND_SOURCE'], 'map', 'examples')
LIMIT_S = 600


class Results:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, ok, name, detail=''):
        self.count += 1
        self.failed += not ok
        print('%s %d - %s' % ('ok' if ok else 'not ok', self.count, name))
        if not ok:
            for line in str(detail).splitlines():
                print('# ' + line[:400])
        sys.stdout.flush()

    def skip(self, name, why):
        self.count += 1
        print('ok %d - %s # SKIP %s' % (self.count, name, why))

    def done(self):
        print('1..%d' % self.count)
        return 1 if self.failed else 0


def run(argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S,
                          **more)


def column(experiments, name, which):
    """{label: number} of one experiment: 0 for ours, 1 for Go's."""
    return {label: float(pair[which])
            for label, pair in experiments[name].items()
            if pair[which] is not None}


def check_ours(results, experiments):
    def check(fact, name, rows):
        results.check(fact, name, json.dumps(rows, indent=1))

    rows = column(experiments, 'memstats', 0)
    check(rows['make with 0, HeapAlloc (B)'] == 48 and
          rows['make with 0, Mallocs'] == 1,
          'make with 0 allocates the header and no bucket', rows)
    check(rows['make with 1000, Mallocs'] == 2 and 40000 <
          rows['make with 1000, TotalAlloc (B)'] < 48000,
          'make with 1000 allocates the header and 256 buckets', rows)
    check(rows['make with 0, left after free (B)'] == 0 and
          rows['make with 1000, left after free (B)'] == 0,
          'free gives back what make took', rows)

    rows = column(experiments, 'hints', 0)
    check(all(rows['hint %d, B at the end' % hint] == 8
              for hint in (0, 8, 64, 512)),
          'a map of 1000 has 256 buckets, whatever the hint was', rows)
    check(all(rows['hint 512, ' + what] < rows['hint 0, ' + what]
              for what in ('bytes allocated', 'allocations')),
          'a hint saves allocations', rows)
    check(all(rows['hint %d, bytes held at the end' % hint] <
              rows['hint %d, bytes allocated' % hint]
              for hint in (0, 8, 64, 512)),
          'arrays that the map outgrew have been freed', rows)
    check(all(rows['hint %d, HeapInuse (B)' % hint] <=
              rows['hint %d, HeapSys (B)' % hint] for hint in (0, 8, 64, 512)),
          'HeapSys is at least HeapInuse', rows)

    rows = column(experiments, 'sizes', 0)
    check(rows['a map variable'] == 8, 'a map variable has 8 bytes', rows)
    check(rows['its header, by make'] == 48, 'a header has 48 bytes', rows)
    check(rows['a bucket, by the first entry'] == 144 and
          rows['more, by entries 2 to 8'] == 0,
          'the first entry makes a bucket, which is enough for eight', rows)

    rows = column(experiments, 'shrink', 0)
    check(rows['full: B'] == 16, '300000 entries have 2^16 buckets', rows)
    check(rows['all but 1000 deleted: the map (B)'] == rows['full: the map (B)']
          and rows['all but 1000 deleted: HeapAlloc (B)'] ==
          rows['full: HeapAlloc (B)'], 'deleting keeps memory', rows)
    check(rows['full again, all deleted: B'] == 16,
          'deleting everything keeps the buckets', rows)
    check(rows['shrunk: B'] == 8 and
          rows['shrunk: the map (B)'] < rows['full: the map (B)'] / 100,
          'shrinking leaves 2^8 for 1000', rows)
    check(rows['shrunk: HeapAlloc (B)'] < rows['full: HeapAlloc (B)'] / 100,
          'malloc gets back what shrinking frees', rows)
    check(rows['shrunk again: the map (B)'] == 48 and
          rows['shrunk again: HeapAlloc (B)'] == 48,
          'an empty map shrinks to its header, and nothing else is held', rows)

    rows = column(experiments, 'growth', 0)
    check(0 < rows['slowest insert (us)'] <= 1000 * rows['all inserts (ms)'] and
          rows['inserts above 1 ms'] <= rows['inserts above 100 us'],
          'growth prints times that fit together', rows)

    rows = column(experiments, 'attack', 0)
    check(rows['unseeded, attack keys: longest chain'] == 2000,
          'keys made for an unseeded hash all fall into one bucket', rows)
    check(rows['seeded, attack keys: longest chain'] < 40,
          'they are ordinary keys for a seeded one', rows)
    # Above what a random hash makes of 2000 keys in 512 buckets or less.
    check(rows['unseeded, ordinary keys: longest chain'] < 200 and
          rows['seeded, ordinary keys: longest chain'] < 200,
          'ordinary keys do not fall into one bucket', rows)


def check_gos(results, experiments, version):
    if version is None:
        results.skip("Go's figures", 'go is not installed')
        return
    gos = {name: column(experiments, name, 1) for name in experiments}
    results.check(all(gos.values()), 'every experiment has figures of Go', gos)
    rows = gos['memstats']
    results.check(rows['make with 0, HeapAlloc (B)'] == 48,
                  'Go: make with 0 allocates 48 bytes', rows)
    rows = gos['shrink']
    results.check(rows['all but 1000 deleted: HeapAlloc (B)'] >
                  rows['full: HeapAlloc (B)'] * 0.99,
                  'Go: deleting keeps memory', rows)
    results.check(gos['sizes']['a map variable'] == 8,
                  'Go: a map variable has 8 bytes', gos['sizes'])
    if not re.match(r'go1\.19(\.|$)', version):
        results.skip('Go 1.19: buckets', 'this is ' + version)
        return
    rows = {**gos['memstats'], **gos['sizes'], **gos['hints']}
    results.check(rows['make with 1000, HeapAlloc (B)'] == 41032 and
                  rows['make with 1000, Mallocs'] == 3 and
                  rows['a bucket, by the first entry'] == 144 and
                  rows['an iterator'] == 96 and
                  80000 < rows['hint 0, bytes allocated'] < 100000,
                  'Go 1.19: buckets', rows)


def check_without_go(results, build):
    done = run([os.path.join(EXAMPLES, 'run'), '--quick', '--build', build,
                'sizes'], env={**os.environ, 'GO': '/nonexistent/go'})
    results.check(done.returncode == 0 and
                  re.search(r'^a map variable +8 +-$', done.stdout, re.M) and
                  'go is not installed' in done.stderr,
                  "without Go its column is dashes", done)


def command(source):
    """The first line of commands at the top of a source file."""
    with open(source, encoding='utf-8') as f:
        return re.search(r'^//     ((?:cc|c\+\+) .*)$', f.read(),
                         re.M)[1].split(' && ')[0]


def check_builds(results, env, folder):
    sources = sorted(glob.glob(os.path.join(EXAMPLES, '*.c')) +
                     glob.glob(os.path.join(EXAMPLES, '*.cc')))
    for source in sources:
        name = os.path.basename(source)
        program = os.path.join(folder, name + '.out')
        # As it stands there, and with warnings as errors.
        for more in ('', ' -Wall -Wextra -Werror'):
            line = command(source)
            done = run(['sh', '-c', 'cd "$1" && %s -o "$2"%s' % (line, more),
                        'sh', EXAMPLES, program], env=env)
            results.check(done.returncode == 0 and not done.stderr,
                          'builds by: ' + line + more, done.stderr)
    return [os.path.join(folder, name) for name in ('words.c.out',
                                                    'words.cc.out')]


def check_words(results, programs, env):
    seed = 20260730
    chance = random.Random(seed)
    words = ['w%d' % int(chance.paretovariate(0.5)) for _ in range(50000)]
    wanted = collections.Counter(words)
    for program in programs:
        done = run([program], env=env, input=' '.join(words) + '\n')
        counts = {word: int(n) for n, word in
                  (line.split() for line in done.stdout.splitlines())}
        results.check(done.returncode == 0 and counts == wanted,
                      '%s counts %d words, %d different (seed %d)' %
                      (os.path.basename(program)[:-4], len(words), len(wanted),
                       seed))


def main():
    build, = sys.argv[1:]
    env = {**os.environ,
           'PKG_CONFIG_PATH': os.path.join(build, 'meson-uninstalled'),
           'LD_LIBRARY_PATH': ':'.join(os.path.join(build, name)
                                       for name in ('preload', 'map'))}
    results = Results()
    done = run([os.path.join(EXAMPLES, 'run'), '--quick', '--json', '--build',
                build])
    results.check(done.returncode == 0, 'map/examples/run --quick', done.stderr)
    if done.returncode == 0:
        printed = json.loads(done.stdout)
        check_ours(results, printed['experiments'])
        check_gos(results, printed['experiments'], printed['go'])
    check_without_go(results, build)
    with tempfile.TemporaryDirectory() as folder:
        check_words(results, check_builds(results, env, folder), env)
    return results.done()


if __name__ == '__main__':
    sys.exit(main())
