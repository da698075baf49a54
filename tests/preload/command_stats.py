#!/usr/bin/env python3
"""mound stats and mound ps of programs without a page, whose memory is read, and of
cores. TAP."""
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from command import HANG_S, LIB, MOUND, as_nobody, mound, one_line  # noqa: E402
from tap import Skipped, must  # noqa: E402

MIB = 1 << 20
UNITS = {'KiB': 1 << 10, 'MiB': 1 << 20, 'GiB': 1 << 30}


@contextlib.contextmanager
def running(*argv, **env):
    """A program on mound that says a line when it is ready, and waits for its stdin to
    end."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env={**os.environ, 'LD_PRELOAD': LIB,
                                          **env}) as p:
        try:
            must(p.stdout.readline() != '', argv, 'did not start')
            yield p.pid
        finally:
            p.kill()


PYTHON = """
import sys
x = [str(i) * 5 for i in range(200000)]
print('ready', flush=True)
sys.stdin.read()
"""


def python(code=PYTHON, **env):
    return running('/usr/bin/python3', '-c', code, PYTHONMALLOC='malloc', **env)


def parts(out):
    """{name: bytes} of the lines that make up RSS."""
    found = {}
    for line in out.splitlines():
        m = re.match(r"  (RSS|mound's memory|live objects|rounding|free slots|caches"
                     r"|idle pages|records|not mound's|not in memory)"
                     r' +(-?)([\d.]+) (\w+) ', line)
        if m:
            found[m[1]] = float(m[2] + m[3]) * UNITS[m[4]]
    return found


def rss_of(pid):
    with open('/proc/%d/status' % pid, encoding='utf-8') as f:
        return int(re.search(r'VmRSS:\s+(\d+)', f.read())[1]) << 10


def check_sum(pid, out):
    found = parts(out)
    rss = found.pop('RSS')
    must(abs(sum(found.values()) - rss) < rss / 1000 + 1024, found, rss)
    must(abs(rss - rss_of(pid)) < rss / 50 + MIB, rss, rss_of(pid))
    return found


def the_parts_of_a_live_python_add_up_to_its_RSS(_):
    with python() as pid:
        out, said = mound('stats', str(pid))
        must(not said and 'python3, pid %d, running' % pid in out, out, said)
        found = check_sum(pid, out)
        must(found['live objects'] > 14 * MIB, found)
        must(found['records'] > 0, 'mound_layout says how many', found)
        must(re.search(r'Mostly live objects: mound profile %d ' % pid, out),
             out)
        must(mound('explain', str(pid))[0].splitlines()[1:3] ==
             out.splitlines()[1:3], 'explain is the same')


def the_figures_are_those_that_the_process_has_itself(_):
    own = """
import ctypes, json, sys
x = [str(i) * 5 for i in range(100000)]
lib = ctypes.CDLL(None)
print('ready', flush=True)
sys.stdin.readline()
lib.mound_write_memstats(1)
"""
    with subprocess.Popen(['/usr/bin/python3', '-c', own], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, 'LD_PRELOAD': LIB,
                               'PYTHONMALLOC': 'malloc'}) as p:
        p.stdout.readline()
        seen = json.loads(mound('stats', '--json', str(p.pid))[0])
        out, _ = p.communicate('\n', timeout=HANG_S)
    mallocs = int(re.search(r'mallocs? +(\d+)', out, re.I)[1])
    memstats = seen['memstats']
    must(0 <= mallocs - memstats['Mallocs'] < 200, mallocs, memstats)
    must(seen['mound']['program'] == 'python3', seen['mound'])
    must(memstats['HeapObjects'] == memstats['Mallocs'] - memstats['Frees'],
         memstats)


def classes_name_what_has_the_waste(_):
    with python('import sys\nx = [bytes(1500) for i in range(20000)]\n'
                'x = x[::10]\nprint(1, flush=True)\nsys.stdin.read()') as pid:
        out, _ = mound('stats', '--classes', '--during', '50ms', str(pid))
        must('Fragmentation, not a leak: live objects do not grow' in out and
             'in slots of 1536' in out, out)
        table = out.split('slot ')[1].splitlines()
        must(table[1].split()[0] == '1536', out)


def what_is_not_ours_is_named(folder):
    path = os.path.join(folder, 'mapped')
    code = """
import mmap, sys
f = open(sys.argv[1], 'w+b')
f.truncate(48 << 20)
m = mmap.mmap(f.fileno(), 48 << 20)
for i in range(0, 48 << 20, 4096): m[i] = 1
print(1, flush=True)
sys.stdin.read()
"""
    with running('/usr/bin/python3', '-c', code, path) as pid:
        out, _ = mound('stats', str(pid))
        must('mostly %s, with 48.0 MiB.' % path in out, out)


def what_has_no_name_is_added_up_beside_our_own(_):
    """The kernel makes one mapping of neighbours, of ours and of the program's."""
    code = """
import mmap, sys
m = [mmap.mmap(-1, 4 << 20, flags=0x22) for i in range(16)]
for one in m:
    for i in range(0, 4 << 20, 4096): one[i] = 1
print(1, flush=True)
sys.stdin.read()
"""
    with running('/usr/bin/python3', '-c', code) as pid:
        out, _ = mound('stats', str(pid))
        named = re.search(r'without a name.*, with ([\d.]+) MiB', out)
        must(named and 63 < float(named[1]) < 85, out)


def redis_is_read_and_answers_on(folder):
    if not shutil.which('redis-server'):
        raise Skipped('no redis-server')
    socket = os.path.join(folder, 'socket')
    with subprocess.Popen(['redis-server', '--port', '0', '--unixsocket', socket,
                           '--save', '', '--dir', folder],
                          stdout=subprocess.DEVNULL,
                          env={**os.environ, 'LD_PRELOAD': LIB}) as p:
        try:
            cli = ['redis-cli', '-s', socket]
            for _ in range(100):
                if os.path.exists(socket):
                    break
                time.sleep(0.05)
            fill = ("for i = 1, 50000 do redis.call('set', 'key' .. i, "
                    "string.rep('x', 100)) end")
            subprocess.run([*cli, 'eval', fill, '0'], check=True,
                           timeout=HANG_S, stdout=subprocess.DEVNULL)
            out, _ = mound('stats', str(p.pid))
            must('redis-server' in out, out)
            must(check_sum(p.pid, out)['live objects'] > 5 * MIB, out)
            must(mound('ps')[0].count(' redis-server ') >= 1, 'ps')
            asked = subprocess.run([*cli, 'ping'], capture_output=True,
                                   check=True, timeout=HANG_S)
            must(asked.stdout == b'PONG\n', asked.stdout)
        finally:
            p.kill()


CXX = """
#include <cstdio>
#include <map>
#include <string>
int main() {
    std::map<int, std::string> m;
    for (int i = 0; i < 100000; i++) m[i] = std::string(50, 'x');
    puts("ready"); fflush(stdout); getchar();
}
"""


def a_program_of_gxx_is_read(folder):
    source = os.path.join(folder, 'x.cc')
    with open(source, 'w', encoding='utf-8') as f:
        f.write(CXX)
    subprocess.run(['g++', '-o', folder + '/x', source], check=True,
                   timeout=HANG_S)
    with running(folder + '/x') as pid:
        found = check_sum(pid, mound('stats', str(pid))[0])
        must(10 * MIB < found['live objects'] < 20 * MIB, found)


def many_threads_are_all_counted(_):
    with python("""
import sys, threading
stop = threading.Event()
def work():
    x = [bytes(500) for i in range(100)]
    stop.wait()
for i in range(40): threading.Thread(target=work, daemon=True).start()
print(1, flush=True)
sys.stdin.read()
""") as pid:
        seen = json.loads(mound('stats', '-j', str(pid))[0])
        must(json.dumps(seen).count('"threads": 41') or
             json.dumps(seen).count('"Threads": 41'), seen['mound'])


def a_process_that_has_just_started_is_read(_):
    """It is mound itself, then loads its libraries, then makes its page."""
    for verb in (['stats'], ['profile', '--for=0'], ['stats'], ['release'], ['stats']):
        p = subprocess.Popen(
            [MOUND, 'run', '/usr/bin/python3', '-c',
             'while True: bytes(1000)'])
        try:
            done = subprocess.run([MOUND, *verb, str(p.pid)], capture_output=True,
                                  text=True, timeout=HANG_S, check=False)
            must(done.returncode == 0 and done.stderr == '', verb, done)
        finally:
            p.kill()
            p.wait(timeout=HANG_S)


def what_does_not_run_on_mound_is_one_line(_):
    with subprocess.Popen(['sleep', '60']) as p:
        said = one_line(mound('stats', str(p.pid), status=2)[1])
        must('%d (sleep): mound is not in it' % p.pid in said, said)
        p.kill()
    with running('sh', '-c', 'echo; read x', MOUND_OFF='1') as pid:
        out, _ = mound('stats', str(pid))
        must('malloc is served by the C library (MOUND_OFF' in out, out)
        must(out.count('\n') == 1, out)
    for what, why in (('999999999', 'No such process'), ('0', 'No such'),
                      ('99999999999999999999', 'No such process'),
                      ('/no/such', 'No such file'), ('', 'No such file'),
                      ('/etc/passwd', 'not a page'), ('/', 'not a regular'),
                      ('/dev/null', 'not a regular')):
        said = one_line(mound('stats', what, status=2)[1])
        must(why in said, said)


def what_may_not_be_read_says_who_may(_):
    with python() as pid:
        done = subprocess.run(as_nobody(MOUND, 'stats', str(pid)), text=True,
                              capture_output=True, check=False, timeout=HANG_S)
        must(done.returncode == 2 and 'sudo' in one_line(done.stderr), done)


def a_user_reads_his_own(folder):
    os.chmod(folder, 0o755)
    with running(*as_nobody('/usr/bin/python3', '-c', PYTHON)) as pid:
        done = subprocess.run(as_nobody(MOUND, 'stats', str(pid)), text=True,
                              capture_output=True, check=False, timeout=HANG_S)
        if done.returncode == 2 and 'ptrace_scope' in one_line(done.stderr):
            raise Skipped(done.stderr)
        must(done.returncode == 0, done)
        check_sum(pid, done.stdout)
        listed = json.loads(subprocess.run(
            as_nobody(MOUND, 'ps', '--json'), capture_output=True, check=True,
            timeout=HANG_S).stdout)
        own = [row for row in listed if row['pid'] == pid]
        must(len(own) == 1 and own[0]['live'] > MIB and own[0]['uid'] == 65534,
             listed)


def the_name_of_the_only_one_does_as_well(folder):
    name = os.path.join(folder, 'only-one-%d' % (os.getpid() % 100000))
    shutil.copy('/bin/sh', name)
    argv = name, '-c', 'echo ready; read x'
    with running(*argv) as one:
        must('pid %d' % one in mound('stats', os.path.basename(name))[0], name)
        with running(*argv) as two:
            said = one_line(mound('stats', os.path.basename(name),
                                  status=2)[1])
            must(str(one) in said and str(two) in said, said)
    one_line(mound('stats', os.path.basename(name), status=2)[1])


def ps_lists_what_runs(_):
    with python() as one, python(code='print(1, flush=True); input()') as two:
        listed = {row['pid']: row for row in json.loads(mound('ps', '-j')[0])}
        must(listed[one]['live'] > 14 * MIB > listed[two]['live'], listed)
        must(listed[one]['state'] == 'running', listed)
        out, _ = mound('ps', '--during', '100ms')
        rows = out.splitlines()
        must(rows[0].split() == ['PID', 'USER', 'PROGRAM', 'RSS', 'LIVE',
                                 'HOLES', 'IDLE', 'MALLOCS/S', 'STATE'], rows)
        order = [int(row.split()[0]) for row in rows[1:]]
        must(order.index(one) < order.index(two), 'largest first', rows)
        must(len({len(row.split('  running')[0]) for row in rows
                  if row.endswith('running')}) == 1, 'not aligned', rows)


FAKE = """
#include <stdio.h>
#include <stdlib.h>
#include "heap/heapstats.h"
struct heapstats mound_stats;
static uint64_t links[4]; // each a link of a ring, at its address
__attribute__((constructor)) static void fill(void) {
    int how = atoi(getenv("HOW"));
    struct heapstats *st = &mound_stats;
    *st = (struct heapstats){.magic = HEAPSTATS_MAGIC,
        .version = HEAPSTATS_VERSION, .nbytes = sizeof *st,
        .nclasses = NUM_SIZECLASSES, .page_bytes = 8192,
        .caches_head = (uintptr_t)&links[0], .magazine_bytes = 32,
        .magazine_bottom_offset = 24, .magazine_count_offset = 16};
    links[0] = (uintptr_t)&links[1];
    links[1] = (uintptr_t)&links[2];
    links[2] = (uintptr_t)(how == 1 ? &links[1] : &links[0]); // never back
    if (how == 2) links[1] = 8; // nowhere
    if (how == 3) st->cache_link_offset = st->cache_magazines_offset = -1;
    if (how == 4) st->magazine_bytes = 0;
    if (how == 5) st->page_bytes = 0;
    if (how == 6) st->version = 77;
    if (how == 7) st->magic = 12345;
    if (how == 8) st->cache_large_offset = 1ul << 60;
    if (how == 9)
        for (uint64_t *w = (uint64_t *)st->classes; w < (uint64_t *)(st + 1); w++)
            *w = 0x8080808080808080;
}
"""


def garbage_in_the_counters_is_one_line(folder):
    """Of a process that has something in the place of mound's counters."""
    library, source = folder + '/libmound.so.0', folder + '/fake.c'
    with open(source, 'w', encoding='utf-8') as f:
        f.write(FAKE)
    subprocess.run(['gcc', '-w', '-shared', '-fPIC', '-D_GNU_SOURCE', '-I',
                    os.path.join(os.environ['MOUND_SOURCE'], 'alloc'), '-o',
                    library, source], check=True, timeout=HANG_S)
    for how in range(10):
        with running('sh', '-c', 'echo; read x', LD_PRELOAD=library,
                     HOW=str(how)) as pid:
            done = subprocess.run([MOUND, 'stats', str(pid)], text=True,
                                  capture_output=True, timeout=HANG_S,
                                  check=False)
            if how == 0:  # it could be so
                must(done.returncode == 0, how, done)
            else:
                said = one_line(done.stderr)
                must(done.returncode == 2 and
                     ('damaged' in said or 'version' in said), how, done)


def a_core_has_what_the_process_had(folder):
    with open('/proc/sys/kernel/core_pattern', encoding='utf-8') as f:
        if f.read().startswith('|'):
            raise Skipped('cores go to a program')
    limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
    done = subprocess.run(
        ['/usr/bin/python3', '-c', 'import os\n'
         'x = [bytes(1000) for i in range(5000)]\nos.abort()'], cwd=folder,
        env={**os.environ, 'LD_PRELOAD': LIB, 'PYTHONMALLOC': 'malloc'},
        check=False, timeout=HANG_S, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_CORE, (limit, limit)))
    must(done.returncode == -6, done)
    cores = glob.glob(folder + '/core*')
    if not cores:
        raise Skipped('no core was written')
    out, _ = mound('stats', cores[0])
    must('python3' in out and 'ended by signal 6' in out, out)
    must(5 * MIB < parts(out)['live objects'] < 12 * MIB, out)
    cut = folder + '/cut'
    with open(cores[0], 'rb') as f, open(cut, 'wb') as g:
        g.write(f.read(100000))
    one_line(mound('stats', cut, status=2)[1])


def processor_seconds():
    """Of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def an_answer_takes_less_than_50_ms(_):
    """Of processor time, which what runs beside it changes little."""
    with python() as pid:
        took = []
        for _ in range(5):
            begin = processor_seconds()
            mound('stats', str(pid))
            took.append(processor_seconds() - begin)
        print('# %.1f ms' % (min(took) * 1000))
        must(min(took) < 0.05, took)


TESTS = [
    the_parts_of_a_live_python_add_up_to_its_RSS,
    the_figures_are_those_that_the_process_has_itself,
    classes_name_what_has_the_waste,
    what_is_not_ours_is_named,
    what_has_no_name_is_added_up_beside_our_own,
    redis_is_read_and_answers_on,
    a_program_of_gxx_is_read,
    many_threads_are_all_counted,
    a_process_that_has_just_started_is_read,
    what_does_not_run_on_mound_is_one_line,
    what_may_not_be_read_says_who_may,
    a_user_reads_his_own,
    the_name_of_the_only_one_does_as_well,
    ps_lists_what_runs,
    garbage_in_the_counters_is_one_line,
    a_core_has_what_the_process_had,
    an_answer_takes_less_than_50_ms,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
