"""What the runners of reports of misuse (preload/hardened.py, guards.py) share:
they start misuse2 and read its reports, and start real programs with and without
the library."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'preload',
                                'realprograms'))
import tap  # noqa: E402
from dumps import contradiction  # noqa: E402
from tap import Failed, Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
PROBES = os.environ['MOUND_PROBES']
MISUSE = os.path.join(PROBES, 'misuse2')
MIB = 1 << 20
HEAP_PAGE = 8192
HANG_S = 120

ABORT, FAULT = -signal.SIGABRT, -signal.SIGSEGV
# No byte of a canary and no fill byte of the slack is one of these.
NUL, LETTER = 0, 0x40


def environment(settings):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    if settings is not None:
        env['LD_PRELOAD'] = LIB
        env.update({k: str(v) for k, v in settings.items()})
    return env


def run(argv, settings, stdin=None, folder=None, limit_bytes=None,
        hang_s=HANG_S):
    """Runs a program to its end; settings None: without the library."""
    def limit():
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    r = subprocess.run([str(a) for a in argv], env=environment(settings),
                       text=True, capture_output=True, timeout=hang_s,
                       input=stdin, cwd=folder, preexec_fn=limit, check=False)
    if r.returncode == 77:
        raise Skipped(r.stderr.strip())
    return r


# Reports.

def read_functions():
    """[(start, end, name)] of the functions of misuse2."""
    text = subprocess.run(['nm', '-S', MISUSE], capture_output=True, text=True,
                          check=True).stdout
    return [(int(start, 16), int(start, 16) + int(size, 16), name)
            for start, size, name in
            re.findall(r'^(\w+) (\w+) [tT] (\w+)$', text, re.M)]


functions = []


def function_at(offset):
    """The function of misuse2 that a return address lies in."""
    if not functions:
        functions.extend(read_functions())
    for start, end, name in functions:
        # A call may be the last instruction of its function.
        if start < offset <= end:
            return name
    return None


class Report:
    """The first line, and stacks as {title: [function or None, ...]}."""

    def __init__(self, line):
        self.line = line
        self.stacks = {}

    @staticmethod
    def all_of(text):
        reports = []
        title = None
        for line in text.splitlines():
            frame = re.fullmatch(r'    #(\d+) 0x[0-9a-f]+(?: (\S+)\+0x'
                                 r'([0-9a-f]+)(?: \(\S+\))?)?', line)
            head = re.fullmatch(r'  ((?:\w+ )?by)(?: thread \d+:)?', line)
            if line.startswith('mound: '):
                reports.append(Report(line))
                title = 'call'
            elif re.match('    (addr2line -|a short stack: )', line):
                must(reports and title in reports[-1].stacks, line, text)
            elif not reports:
                raise Failed('not a report: ' + text)
            elif head:
                title = head[1]
                must(title not in reports[-1].stacks, title, 'twice in', text)
            elif frame:
                stack = reports[-1].stacks.setdefault(title, [])
                must(int(frame[1]) == len(stack), 'frames in', text)
                ours = frame[2] and os.path.basename(frame[2]) == 'misuse2'
                stack.append(function_at(int(frame[3], 16)) if ours else None)
            else:
                raise Failed('not a line of a report: ' + line)
        return reports


def pointers(r):
    """The pointers that the program printed, and the one it is about to misuse."""
    said = re.findall(r'^(pointer|misused) 0x([0-9a-f]+)$', r.stdout, re.M)
    must(said, 'no pointer in', r.stdout, r.stderr)
    known = {kind: int(value, 16) for kind, value in said}
    return known['pointer'], known.get('misused', known['pointer'])


def expect_report(r, status, line, **stacks):
    """One report with this line, where POINTER stands for the pointer, SPAN
    for what is said of its span; by title, a function that its stack has."""
    must(r.returncode == status, r.args, 'ended with', r.returncode, r.stderr)
    reports = Report.all_of(r.stderr)
    must(len(reports) == 1, len(reports), 'reports:', r.stderr)
    pattern = re.escape(line).replace('POINTER', '0x%x' % pointers(r)[1]) \
        .replace('SPAN', '(.*)')
    match = re.fullmatch('mound: ' + pattern, reports[0].line)
    must(match, r.args, 'not', line, 'but', reports[0].line)
    if match.groups():
        expect_span(match[1], pointers(r)[1])
    for title, function in stacks.items():
        stack = reports[0].stacks.get(title.replace('_', ' '))
        must(stack is not None, r.args, 'nothing', title, 'in', r.stderr)
        must(function is None or function in stack, r.args, function,
             'is not in the stack', title, stack, r.stderr)


def expect_span(text, pointer):
    """The description of the span matches the pointer."""
    if text == '(no span)':
        return
    m = re.fullmatch(r'\(span 0x([0-9a-f]+), (?:class \d+ of|large of) (\d+) '
                     r'bytes, slot (\d+), offset (\d+)\)', text)
    must(m, 'not a span:', text)
    base, size, slot, offset = int(m[1], 16), *map(int, m.groups()[1:])
    must(base % HEAP_PAGE == 0 and base + slot * size + offset == pointer,
         text, 'is not that of', hex(pointer))


def misuse(settings, *arguments):
    return run([MISUSE, *arguments], settings)


def fine(settings, *arguments, **options):
    """misuse2 with arguments that are no misuse."""
    r = run([MISUSE, *arguments], settings, **options)
    must(r.returncode == 0 and r.stdout.endswith('after\n') and r.stderr == '',
         arguments, settings, 'ended with', r.returncode, r.stdout, r.stderr)


def probe_passes(settings, *argv):
    r = run([os.path.join(PROBES, argv[0]), *argv[1:]], settings)
    must(r.returncode == 0 and r.stderr == '', argv, 'ended with',
         r.returncode, r.stderr)


def memstats_of(settings, folder, *argv):
    """The statistics of the process at its end."""
    path = os.path.join(folder, 'stats.json')
    r = run(argv, {**settings, 'MOUND_STATS': path})
    must(r.returncode == 0 and r.stderr == '', argv, r.returncode, r.stderr)
    with open(path, encoding='utf-8') as f:
        stats = json.load(f)['memstats']
    must(contradiction(stats) is None, argv, contradiction(stats))
    return stats


# Real programs, with and without.

CPP = '''#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
int main() {
  std::vector<std::thread> threads;
  int n[3] = {0, 0, 0};
  for (int t = 0; t < 3; t++) threads.emplace_back([&n, t] {
    std::map<int, std::string> m;
    for (int i = 0; i < 3000; i++) try {
      m[i % 500] += std::string(i % 90, 'x');
      if (i % 3 == 0) throw std::runtime_error(m[i % 500]);
    } catch (const std::exception &) { n[t]++; }
  });
  for (auto &t : threads) t.join();
  return n[0] + n[1] + n[2] != 3000;
}
'''
PYTHON = '''
import json, re, threading, subprocess, sys, zlib
def work(n):
    for i in range(n):
        x = json.loads(json.dumps([{"a": str(j), "b": [j] * (j % 7)}
                                   for j in range(50)]))
        re.sub("[0-9]+", lambda m: m[0] * 2, str(x))
threads = [threading.Thread(target=work, args=(15,)) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
print(len(zlib.compress(bytes(range(256)) * 4000)))
print(subprocess.run(["/bin/echo", "child"], capture_output=True).stdout)
'''
PERL = '''my %h; for my $i (1..5000) { $h{"k$i"} = "x" x ($i % 90) }
my $s = join ",", map { "$_=$h{$_}" } sort keys %h; $s =~ s/x+/y/g;
print length($s), "\\n"; print substr($s, 0, 60), "\\n"'''
NODE = '''const x = [];
for (let i = 0; i < 300; i++) x.push(Buffer.alloc(2000 + i, i));
console.log(JSON.parse(JSON.stringify(x.map(b => b.length))).length,
  require('zlib').gzipSync(Buffer.concat(x)).length)'''
SQL = '''create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
insert into t select i, 'row ' || i || hex(zeroblob(i % 50)) from n;
create index u on t(b); select count(*), sum(length(b)) from t;
select * from t order by b desc limit 3; delete from t where a % 3 = 0;
vacuum; select count(*) from t;
'''
GIT = '''git init -q . && for i in 1 2 3 4 5 6; do
  seq $i 400 >file$i; git add . ; git commit -q -m "commit $i"; done
git gc -q; git log --stat --oneline; git diff HEAD~3 | wc; git fsck 2>&1'''
GIT_SETTINGS = {'GIT_CONFIG_NOSYSTEM': '1', 'HOME': '/nonexistent',
                'GIT_AUTHOR_NAME': 'a', 'GIT_AUTHOR_EMAIL': 'a@b',
                'GIT_COMMITTER_NAME': 'a', 'GIT_COMMITTER_EMAIL': 'a@b',
                'GIT_AUTHOR_DATE': '2001-01-01T00:00:00Z',
                'GIT_COMMITTER_DATE': '2001-01-01T00:00:00Z'}
LINES = ''.join('%d line\n' % (i * 7919 % 20011) for i in range(20000))


def same(settings, argv, needs=None, stdin=None, files=None):
    """The program's output is the same with and without mound, which prints nothing."""
    for tool in needs or argv[:1]:
        if shutil.which(tool) is None:
            raise Skipped('no ' + tool)
    results = []
    for with_it in (None, settings):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (files or {}).items():
                with open(os.path.join(folder, name), 'w',
                          encoding='utf-8') as f:
                    f.write(text)
            r = run(argv, with_it, stdin=stdin, folder=folder)
            results.append((r.returncode, r.stdout, r.stderr))
    must(results[0][0] == 0, 'without the library:', results[0])
    must(results[0] == results[1], argv[0], 'without:', results[0],
         'with:', results[1])


def run_sort(settings):
    same(settings, ['sort', '-n'], stdin=LINES)


def run_ls(settings):
    same(settings, ['ls', '-lR', '/etc'])


def run_python(settings):
    for allocator in ('malloc', 'pymalloc'):
        same({**settings, 'PYTHONMALLOC': allocator},
             ['/usr/bin/python3', '-c', PYTHON])


def run_perl(settings):
    same(settings, ['perl', '-e', PERL])


def run_git(settings):
    variables = ' '.join("%s='%s'" % v for v in GIT_SETTINGS.items())
    same(settings, ['sh', '-c', 'export ' + variables + '; ' + GIT],
         needs=['git'])


def run_sqlite(settings):
    same(settings, ['sqlite3', 'a.db'], stdin=SQL)


def run_gxx(settings):
    same(settings, ['sh', '-c', 'g++ -O1 -pthread a.cc -o a && ./a'],
         needs=['g++'], files={'a.cc': CPP})


def run_node(settings):
    same(settings, ['node', '-e', NODE])


def run_redis(settings):
    """A server under load for a moment, which is then asked to end."""
    for tool in ('redis-server', 'redis-benchmark'):
        if shutil.which(tool) is None:
            raise Skipped('no ' + tool)
    with tempfile.TemporaryDirectory() as folder:
        sock = os.path.join(folder, 'sock')
        with subprocess.Popen(['redis-server', '--port', '0', '--unixsocket',
                               sock, '--save', '', '--dir', folder],
                              env=environment(settings), text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as server:
            try:
                deadline = time.time() + HANG_S
                while not os.path.exists(sock) and server.poll() is None and \
                        time.time() < deadline:
                    time.sleep(0.02)
                r = subprocess.run(
                    ['redis-benchmark', '-s', sock, '-q', '-n', '2000', '-c',
                     '20', '-d', '300', '-r', '500', '-t',
                     'set,get,lpush,lpop,sadd,hset,lrange_100'],
                    capture_output=True, text=True, timeout=HANG_S,
                    check=False)
                must(r.returncode == 0 and server.poll() is None, 'the load:',
                     r.stderr)
            finally:
                server.terminate()
                out, err = server.communicate(timeout=HANG_S)
        must(server.returncode == 0 and 'mound:' not in out + err,
             'redis ended with', server.returncode, err, out[-2000:])


def real_programs(settings):
    """A test for each of the programs above."""
    def test_of(run_it):
        def test(_):
            run_it(settings)
        test.__name__ = run_it.__name__.replace('run_', '') + '_runs_unchanged'
        return test
    return [test_of(f) for f in (
        run_ls, run_sort, run_python, run_perl, run_git, run_sqlite, run_gxx,
        run_node, run_redis)]


def main(tests):
    return tap.main(tests, ValueError, KeyError)
