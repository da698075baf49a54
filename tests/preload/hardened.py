#!/usr/bin/env python3
"""MOUND_HARDENED=2: each misuse is reported by its exact line and the stack of
the call, what is no misuse is left alone, and real programs run unchanged. TAP.

guards.py and recipes.py share what is above the first test."""
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

sys.dont_write_bytecode = True
SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'preload', 'realprograms'))
from dumps import contradiction  # noqa: E402

LIB = os.environ['MOUND_LIB']
PROBES = os.environ['MOUND_PROBES']
MISUSE = os.path.join(PROBES, 'misuse2')
KIB, MIB = 1 << 10, 1 << 20
HEAP_PAGE = 8192
HANG_S = 120

ABORT, FAULT = -signal.SIGABRT, -signal.SIGSEGV
# No byte of a canary, nor what fills the slack, is one of these.
NUL, LETTER = 0, 0x40


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def must(condition, *what):
    if not condition:
        raise Failed(' '.join(str(w) for w in what))


def environment(settings):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    if settings is not None:
        env['LD_PRELOAD'] = LIB
        env.update({k: str(v) for k, v in settings.items()})
    return env


def run(argv, settings, stdin=None, folder=None, limit_bytes=None):
    """Runs a program to its end; settings None: without the library."""
    def limit():
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    r = subprocess.run([str(a) for a in argv], env=environment(settings),
                       text=True, capture_output=True, timeout=HANG_S,
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
        # At a fault it is the instruction itself, so it may be the first.
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
                                 r'([0-9a-f]+))?', line)
            head = re.fullmatch(r'  ((?:\w+ )?by)(?: thread \d+:)?', line)
            if line.startswith('mound: '):
                reports.append(Report(line))
                title = 'call'
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
    """What the program said it has, and what it is about to misuse."""
    said = re.findall(r'^(pointer|misused) 0x([0-9a-f]+)$', r.stdout, re.M)
    must(said, 'no pointer in', r.stdout, r.stderr)
    known = {kind: int(value, 16) for kind, value in said}
    return known['pointer'], known.get('misused', known['pointer'])


def expect_report(r, status, line, **stacks):
    """One report with this line, where POINTER stands for the pointer, SPAN for
    what is said of its span; by title, a function that its stack has."""
    must(r.returncode == status, r.args, 'ended with', r.returncode, r.stderr)
    reports = Report.all_of(r.stderr)
    must(len(reports) == 1, len(reports), 'reports:', r.stderr)
    pattern = line.replace('(', r'\(').replace(')', r'\)') \
        .replace('POINTER', '0x%x' % pointers(r)[1]).replace('SPAN', '(.*)')
    match = re.fullmatch('mound: ' + pattern, reports[0].line)
    must(match, r.args, 'not', pattern, 'but', reports[0].line)
    if match.groups():
        expect_span(match[1], pointers(r)[1])
    for title, function in stacks.items():
        stack = reports[0].stacks.get(title.replace('_', ' '))
        must(stack is not None, r.args, 'nothing', title, 'in', r.stderr)
        must(function is None or function in stack, r.args, function,
             'is not in the stack', title, stack, r.stderr)
    return reports[0]


def expect_span(text, pointer):
    """What is said of a span agrees with the pointer."""
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
    """What the process said of its heap at its end."""
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
my $s = join ",", sort map { "$_=$h{$_}" } keys %h; $s =~ s/x+/y/g;
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
GIT_ENVIRONMENT = {'GIT_CONFIG_NOSYSTEM': '1', 'GIT_AUTHOR_NAME': 'a',
                   'GIT_AUTHOR_EMAIL': 'a@b', 'GIT_COMMITTER_NAME': 'a',
                   'GIT_COMMITTER_EMAIL': 'a@b',
                   'GIT_AUTHOR_DATE': '2001-01-01T00:00:00Z',
                   'GIT_COMMITTER_DATE': '2001-01-01T00:00:00Z'}
LINES = ''.join('%d line\n' % (i * 7919 % 20011) for i in range(20000))


def same(settings, argv, stdin=None, prepare=None):
    """The program says the same with and without, and mound nothing."""
    if shutil.which(argv[0]) is None:
        raise Skipped('no ' + argv[0])
    results = []
    for with_it in (None, settings):
        with tempfile.TemporaryDirectory() as folder:
            if prepare is not None:
                prepare(folder)
            r = run(argv, with_it, stdin=stdin, folder=folder)
            results.append((r.returncode, r.stdout, r.stderr))
    must(results[0][0] == 0, 'without the library:', results[0])
    must(results[0] == results[1], argv[0], 'without:', results[0],
         'with:', results[1])


def run_sort(settings):
    same(settings, ['sort', '-n'], stdin=LINES)


def run_ls(settings):
    same(settings, ['ls', '-lR', '/usr/share/doc/bash', '/etc'])


def run_python(settings):
    for allocator in ('malloc', 'pymalloc'):
        same({**settings, 'PYTHONMALLOC': allocator},
             ['/usr/bin/python3', '-c', PYTHON])


def run_perl(settings):
    same(settings, ['perl', '-e', PERL.replace('keys %h', 'sort keys %h')])


def run_git(settings):
    def prepare(folder):
        os.environ.update(GIT_ENVIRONMENT, HOME=folder)
    home = os.environ.get('HOME', '/')
    try:
        same(settings, ['sh', '-c', GIT], prepare=prepare)
    finally:
        os.environ['HOME'] = home


def run_sqlite(settings):
    same(settings, ['sqlite3', 'a.db'], stdin=SQL)


def run_gxx(settings):
    def prepare(folder):
        with open(os.path.join(folder, 'a.cc'), 'w', encoding='utf-8') as f:
            f.write(CPP)
    same(settings, ['sh', '-c', 'g++ -O1 -pthread a.cc -o a && ./a'],
         prepare=prepare)


def run_node(settings):
    same(settings, ['node', '-e', NODE])


def run_redis(settings):
    """A server under load for a moment, which then ends as it is asked to."""
    if shutil.which('redis-server') is None:
        raise Skipped('no redis-server')
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


def main(tests):
    wanted = [t for t in tests if len(sys.argv) < 2 or t.__name__ in sys.argv]
    print('1..%d' % len(wanted))
    failed = 0
    for i, test in enumerate(wanted):
        name = '%d - %s' % (i + 1, test.__name__.replace('_', ' '))
        begin = time.time()
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(folder)
                print('ok', name, flush=True)
            except Skipped as why:
                print('ok', name, '# SKIP', why, flush=True)
            except (Failed, OSError, ValueError, KeyError,
                    subprocess.SubprocessError) as why:
                failed += 1
                print('not ok', name, flush=True)
                print('#', str(why).replace('\n', '\n# '), flush=True)
        print('# %.1f s' % (time.time() - begin), flush=True)
    return failed > 0


# The tests of level 2.

LEVEL2 = {'MOUND_HARDENED': 2}
OVERWRITTEN = ': heap overflow: its end was overwritten: POINTER SPAN'
DOUBLE = ': double free or never allocated: POINTER SPAN'
INTERIOR = ': interior pointer: POINTER SPAN'
SIZES = (1, 7, 8, 15, 16, 17, 20, 24, 33, 40, 100, 1000, 5000, 32760, 32761,
         33000, 57336, 100000, 500000)


def an_overflow_by_one_byte(_):
    for size in SIZES:
        for value in (NUL, LETTER):
            expect_report(
                misuse(LEVEL2, 'write_free', 'malloc', size, size, value),
                ABORT, 'free()' + OVERWRITTEN, call='release')


def an_overflow_anywhere_in_the_slack(_):
    # The slots are of 48, 1024 and 57344 bytes.
    for size, offsets in ((33, range(33, 48)), (900, range(900, 1024, 11)),
                          (50000, (50001, 53000, 57335, 57336, 57343))):
        for offset in offsets:
            expect_report(
                misuse(LEVEL2, 'write_free', 'malloc', size, offset, LETTER),
                ABORT, 'free()' + OVERWRITTEN, call='release')


def an_overflow_with_zeros_is_no_double_free(_):
    for size, count in ((24, 8), (20, 12), (20, 40), (1000, 24)):
        expect_report(misuse(LEVEL2, 'write_free', 'malloc', size, size, NUL,
                             count),
                      ABORT, 'free()' + OVERWRITTEN, call='release')


def an_overflow_however_it_was_allocated(_):
    for how in ('calloc', 'grown', 'shrunk', 'aligned8', 'aligned64',
                'aligned4096', 'valloc'):
        for size in (5, 100, 5000, 40000):
            expect_report(misuse(LEVEL2, 'write_free', how, size, size, NUL),
                          ABORT, 'free()' + OVERWRITTEN, call='release')


def an_overflow_of_objects_aligned_to_16(_):
    for size in (5, 15, 100):
        expect_report(
            misuse(LEVEL2, 'write_free', 'aligned16', size, size, NUL),
            ABORT, 'free()' + OVERWRITTEN, call='release')


def an_overflow_is_seen_by_each_call(_):
    for what, call in (('write_realloc', 'realloc'),
                       ('write_usable', 'malloc_usable_size'),
                       ('write_free_sized', 'free_sized')):
        for size in (24, 100, 50000):
            expect_report(misuse(LEVEL2, what, 'malloc', size, size, NUL),
                          ABORT, call + '()' + OVERWRITTEN, call=what)


def a_write_after_free_at_exit(_):
    for size, offset in ((1, 0), (100, 0), (100, 57), (100, 99), (5000, 4999),
                         (50000, 0), (100000, 99999)):
        # By then the program has returned from main.
        r = misuse(LEVEL2, 'free_write', 'malloc', size, offset, LETTER)
        expect_report(r, ABORT, 'free(): use after free: byte %d was written '
                      'since: POINTER SPAN' % offset, call=None)
        must(r.stdout.endswith('after\n'), r.stdout)


def a_write_after_free_when_the_memory_is_wanted_again(_):
    for size, offset in ((1, 0), (100, 57), (5000, 4999), (50000, 30000)):
        r = misuse(LEVEL2, 'free_write_churn', 'malloc', size, offset, LETTER)
        expect_report(r, ABORT, 'free(): use after free: byte %d was written '
                      'since: POINTER SPAN' % offset, call='churn')
        must('churned' not in r.stdout, r.stdout)


def a_write_to_where_realloc_moved_from(_):
    expect_report(misuse(LEVEL2, 'realloc_write_old', 'malloc', 100, 99, 1),
                  ABORT, 'free(): use after free: byte 99 was written since: '
                  'POINTER SPAN', call=None)


def a_double_free(_):
    for what in ('double_free', 'double_free_thread'):
        for size in (1, 24, 100, 5000, 50000, 100000):
            expect_report(misuse(LEVEL2, what, 'malloc', size), ABORT,
                          'free()' + DOUBLE, call='release_again')
        # It does not wait.
        expect_report(misuse(LEVEL2, what, 'malloc', 500000), ABORT,
                      'free(): freed span: POINTER SPAN', call='release_again')


def a_double_free_much_later(_):
    for size in (24, 100, 5000):
        expect_report(misuse(LEVEL2, 'double_free_churn', 'malloc', size),
                      ABORT, 'free()' + DOUBLE, call='release_again')


def use_of_a_freed_object_by_other_calls(_):
    for what, call in (('realloc_freed', 'realloc'),
                       ('usable_freed', 'malloc_usable_size')):
        for size in (24, 100, 50000):
            expect_report(misuse(LEVEL2, what, 'malloc', size), ABORT,
                          call + '()' + DOUBLE, call=what)


def an_interior_pointer(_):
    for size, offset in ((100, 16), (100, 1), (100, 99), (5000, 4096),
                         (50000, 16), (500000, 8192)):
        expect_report(misuse(LEVEL2, 'interior', 'malloc', size, offset),
                      ABORT, 'free()' + INTERIOR, call='release')
    for size, offset in ((100, 16), (5000, 4096), (50000, 16)):
        expect_report(misuse(LEVEL2, 'interior_freed', 'malloc', size, offset),
                      ABORT, 'free()' + INTERIOR, call='release_again')


def any_size_but_the_one_asked_for(_):
    for size in (1, 24, 100, 5000, 100000):
        for given in {0, size - 1, size + 1, size * 2, 10 ** 12}:
            line = ': size mismatch (given %d): POINTER SPAN' % given
            expect_report(misuse(LEVEL2, 'sized', 'malloc', size, given),
                          ABORT, 'free_sized()' + line, call='sized')
            expect_report(
                misuse(LEVEL2, 'aligned_sized', 'aligned64', size, given),
                ABORT, 'free_aligned_sized()' + line, call='aligned_sized')


WAYS = ('malloc', 'calloc', 'grown', 'shrunk', 'aligned8', 'aligned64',
        'aligned4096')


def the_usable_size_is_what_was_asked_for(_):
    for how in WAYS:
        fine(LEVEL2, 'usable_exact', how, 300000)


def the_right_size_is_right(_):
    for how in WAYS:
        fine(LEVEL2, 'sized_right', how, 300000)


def the_size_of_objects_aligned_to_16(_):
    fine(LEVEL2, 'usable_exact', 'aligned16', 5000)
    fine(LEVEL2, 'sized_right', 'aligned16', 5000)


def the_usable_size_in_a_handler_leaves_the_canary_out(_):
    fine(LEVEL2, 'usable_in_handler')


def freed_memory_reads_as_zero(_):
    for size in (1, 24, 100, 5000, 50000, 100000):
        fine(LEVEL2, 'free_read', 'malloc', size)
    fine(LEVEL2, 'freed_is_zero')


def realloc_keeps_contents_and_canaries(_):
    for seed in (0, 1, 2):
        fine(LEVEL2, 'realloc_keeps', 'malloc', seed)


def what_is_no_misuse(_):
    for what in ('no_bytes', 'calloc_zero', 'nothing_is_lost', 'handler_frees',
                 'many_live'):
        fine(LEVEL2, what)


def threads_pass_objects_on(_):
    fine(LEVEL2, 'threads')


def children_free_and_allocate_while_objects_wait(_):
    fine(LEVEL2, 'forks', 'plain')
    fine(LEVEL2, 'forks', 'busy', 5000, 20)
    fine(LEVEL2, 'forks', 'bare')


def out_of_memory_is_an_answer(_):
    for size in (100, 1000, 100000):
        fine(LEVEL2, 'memory_ends', 'malloc', size, limit_bytes=200 * MIB)


def what_was_never_touched_is_not_touched(_):
    fine(LEVEL2, 'sparse', 'malloc', 1 << 30)


GOES_ON = (('write_free', 'malloc', 24, 24, NUL),
           ('write_free', 'malloc', 500000, 500000, NUL),
           ('write_realloc', 'malloc', 100, 100, NUL),
           ('write_usable', 'malloc', 100, 100, NUL),
           ('write_free_sized', 'malloc', 100, 100, NUL),
           ('free_write', 'malloc', 100, 3, LETTER),
           ('free_write_churn', 'malloc', 100, 3, LETTER),
           ('double_free', 'malloc', 24), ('double_free', 'malloc', 50000),
           ('double_free', 'malloc', 500000),
           ('double_free_churn', 'malloc', 24),
           ('realloc_freed', 'malloc', 24), ('usable_freed', 'malloc', 24),
           ('interior', 'malloc', 100, 16),
           ('interior', 'malloc', 50000, 16), ('sized', 'malloc', 100, 99),
           ('aligned_sized', 'aligned64', 100, 99))


def after_a_report_the_program_goes_on_if_told_so(_):
    for arguments in GOES_ON:
        r = misuse({**LEVEL2, 'MOUND_MISUSE': 'report'}, *arguments)
        must(r.returncode == 0 and 'after\n' in r.stdout, arguments, r)
        must(len(Report.all_of(r.stderr)) == 1, arguments, r.stderr)


def ignored_misuse_is_silent(_):
    for arguments in GOES_ON:
        r = misuse({**LEVEL2, 'MOUND_MISUSE': 'ignore'}, *arguments)
        must(r.returncode == 0 and 'after\n' in r.stdout and r.stderr == '',
             arguments, r)


def probes_pass(_):
    for argv in (['signal_storm'], ['signal_storm', 'threads'],
                 ['fatal_signal', 'segv'], ['fatal_signal', 'abort'],
                 ['fork_signal'], ['thread_exit'], ['small_stack'], ['cancel'],
                 ['keys'], ['busy_calls'], ['loaded_late'], ['plugin_loop'],
                 ['constructors'], ['atfork'], ['first_call', 'free'],
                 ['contracts/sized'], ['contracts/usable']):
        probe_passes(LEVEL2, *argv)


def figures_add_up(folder):
    for argv in (['leave_some', 'malloc', 500], ['threads', 'malloc', 3000]):
        stats = memstats_of(LEVEL2, folder, MISUSE, *argv)
        must(stats['HeapObjects'] > 0, stats)


def ls_and_sort_run_unchanged(_):
    run_ls(LEVEL2)
    run_sort(LEVEL2)


def python_runs_unchanged(_):
    run_python(LEVEL2)


def perl_runs_unchanged(_):
    run_perl(LEVEL2)


def git_runs_unchanged(_):
    run_git(LEVEL2)


def sqlite_runs_unchanged(_):
    run_sqlite(LEVEL2)


def gxx_and_what_it_makes_run_unchanged(_):
    run_gxx(LEVEL2)


def node_runs_unchanged(_):
    run_node(LEVEL2)


def redis_runs_under_load(_):
    run_redis(LEVEL2)


TESTS = [
    an_overflow_by_one_byte, an_overflow_anywhere_in_the_slack,
    an_overflow_with_zeros_is_no_double_free,
    an_overflow_however_it_was_allocated, an_overflow_of_objects_aligned_to_16,
    an_overflow_is_seen_by_each_call, a_write_after_free_at_exit,
    a_write_after_free_when_the_memory_is_wanted_again,
    a_write_to_where_realloc_moved_from, a_double_free,
    a_double_free_much_later, use_of_a_freed_object_by_other_calls,
    an_interior_pointer, any_size_but_the_one_asked_for,
    the_usable_size_is_what_was_asked_for, the_right_size_is_right,
    the_size_of_objects_aligned_to_16,
    the_usable_size_in_a_handler_leaves_the_canary_out,
    freed_memory_reads_as_zero, realloc_keeps_contents_and_canaries,
    what_is_no_misuse, threads_pass_objects_on,
    children_free_and_allocate_while_objects_wait, out_of_memory_is_an_answer,
    what_was_never_touched_is_not_touched,
    after_a_report_the_program_goes_on_if_told_so, ignored_misuse_is_silent,
    probes_pass, figures_add_up, ls_and_sort_run_unchanged,
    python_runs_unchanged, perl_runs_unchanged, git_runs_unchanged,
    sqlite_runs_unchanged, gxx_and_what_it_makes_run_unchanged,
    node_runs_unchanged, redis_runs_under_load,
]

if __name__ == '__main__':
    sys.exit(main(TESTS))
