#!/usr/bin/env python3
"""MOUND_CONTROL: requests from outside, to programs that sleep, work, fork, change
their rights, come under a filter, and to pages that others scribble on. TAP."""
import ctypes
import errno
import os
import random
import shutil
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import page_read  # noqa: E402
import pprof_read  # noqa: E402
import tap  # noqa: E402
from page_request import (Control, Driven, FILTERED, PEAK, PUBLISH, RELEASE, START,  # noqa: E402,E501
                          STOP, WRITE, environment, status, wait_for)
from tap import Skipped, must  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
PR_SET_NO_NEW_PRIVS = 38


def space(profile, kind):
    at = profile['types'].index(kind + '/bytes')
    return sum(s['values'][at] for s in profile['samples']) / MIB


def take(path):
    profile = pprof_read.read(path)
    os.unlink(path)
    return profile


def release_gives_memory_back_while_the_program_sleeps(_):
    with Driven(MOUND_DECAY='never') as d:
        control = Control(d.pid).listens()
        d.do('a = [bytes(1000) for _ in range(200000)]; del a')
        before = status(d.pid, 'VmRSS')
        nbytes = control.request(RELEASE)
        after = status(d.pid, 'VmRSS')
        must(nbytes > 150 * MIB, nbytes)
        must(abs((before - after) * KIB - nbytes) < 8 * MIB, before, after, nbytes)
        must(d.end() == '', 'stderr')


def publication_is_new_at_once(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        d.do('a = bytes(100 << 20)')
        must(control.request(PUBLISH) == 0, control.box.result)
        page = page_read.read(control.path)
        must(page.stats.live > 100 * MIB, page.stats.live)
        must(page.stats.huge_ns > 0, 'no huge_ns')
        must(page.stats.rss > 0 and page.stats.resident_ns > 0, 'not read')
        rss = status(d.pid, 'VmRSS') * KIB
        must(abs(page.stats.rss - rss) < 2 * MIB, page.stats.rss, rss)


def a_profile_of_a_process_that_runs(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        must(control.request(WRITE) == -errno.ENODATA, control.box.result)
        must(control.request(START, 64 * KIB) == 0, control.box.result)
        d.do('a = [bytes(1000) for _ in range(50000)]; b = bytes(100 << 20)')
        must(control.request(WRITE) == 0, control.box.result)
        d.do('c = [0] * 100')
        now = space(take(control.profile(WRITE, 0)), 'inuse_space')
        must(140 < now < 170, now)
        d.do('del b, a')
        must(control.request(PEAK) == 0, control.box.result)
        d.do('c = [0] * 100')
        peak = space(take(control.profile(PEAK, 1)), 'inuse_space')
        must(140 < peak < 170, peak)
        must(control.request(STOP) == 0, control.box.result)
        d.do('b = bytes(100 << 20)')
        must(control.request(WRITE) == 0, control.box.result)
        d.do('c = [0] * 100')
        after = space(take(control.profile(WRITE, 2)), 'inuse_space')
        must(after < 20, after)
        must(d.end() == '', 'stderr')


def each_thread_is_sampled_from_the_start_on(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        d.do('import threading, queue; q, r = queue.Queue(), queue.Queue()')
        d.do('f = lambda: [r.put(bytes(20 << 20)) for _ in iter(q.get, 0)]')
        d.do('t = [threading.Thread(target=f, daemon=True) for _ in range(4)]')
        d.do('[x.start() for x in t]')
        must(control.request(START, 64 * KIB) == 0, control.box.result)
        d.do('[q.put(1) for x in t]; got = [r.get() for x in t]')
        must(control.request(WRITE) == 0, control.box.result)
        d.do('c = [0] * 100')
        now = space(take(control.profile(WRITE, 0)), 'inuse_space')
        must(75 < now < 90, now)


def what_is_no_request_is_refused(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        for op, arg in ((0, 0), (7, 0), (1 << 31, 5), (START, 0),
                        (START, (1 << 64) - 1)):
            must(control.request(op, arg) == -errno.EINVAL, op, arg)
        must(d.end() == '', 'stderr')


def a_child_of_fork(_):
    code = ('import os, time\n'
            'pid = os.fork()\n'
            'for _ in range(300):\n'
            '    a = [bytes(40000) for _ in range(100)]; del a\n'
            '    time.sleep(0.01)\n')
    parent = subprocess.Popen(['/usr/bin/python3', '-S', '-c', code],
                              env=environment(MOUND_CONTROL='1'))
    try:
        def child_of():
            path = '/proc/%d/task/%d/children' % (parent.pid, parent.pid)
            with open(path, encoding='ascii') as f:
                return f.read().split()
        child = int(wait_for(child_of)[0])
        for pid in (child, parent.pid):
            control = Control(pid).listens()
            must(control.request(RELEASE) >= 0, pid, control.box.result)
            must(control.request(START, 64 * KIB) == 0, pid, control.box.result)
            must(control.request(WRITE) == 0, pid, control.box.result)
            take(control.profile(WRITE, 0))
    finally:
        parent.wait(timeout=30)
    must(parent.returncode == 0, parent.returncode)


def forks_and_rights_find_one_thread(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        d.do('import os, ctypes; c = ctypes.CDLL(None, use_errno=True)')
        d.do('n = lambda: len(os.listdir("/proc/self/task"))')
        d.do('assert n() == 2')
        # In the child: 0 if it is alone.
        d.do('p = os.fork() or os._exit(n() != 1)')
        d.do('assert os.waitpid(p, 0)[1] == 0')
        control.listens()
        # A user namespace is refused where there are two threads: EINVAL.
        d.do('c.unshare(0x10000000); assert ctypes.get_errno() != 22')
        control.listens()
        must(control.request(PUBLISH) == 0, control.box.result)


def a_filter_ends_it(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        d.do('import ctypes; c = ctypes.CDLL(None)')
        d.do('c.prctl(%d, 1, 0, 0, 0)' % PR_SET_NO_NEW_PRIVS)
        must(control.box.listening == FILTERED, control.box.listening)
        must(status(d.pid, 'Threads') == 1, 'threads')
        must(d.end() == '', 'stderr')


def without_it_nobody_listens(_):
    with Driven(MOUND_CONTROL='0', MOUND_WATCH='1') as d:
        control = Control(d.pid)
        must(control.box.listening == 0, control.box.listening)
        must(status(d.pid, 'Threads') == 1, 'threads')


def scribbling_harms_nobody(_):
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    print('# seed', seed)
    with Driven() as d:
        control = Control(d.pid).listens()
        size = ctypes.sizeof(control.box)
        end = time.time() + 1.5
        while time.time() < end:
            for _ in range(100):
                ctypes.memmove(ctypes.byref(control.box), rng.randbytes(size), size)
                control.box.op = rng.randrange(8)
                if rng.randrange(4) == 0:
                    control.box.arg = rng.randrange(1, 1 << 20)
                control.wake()
            d.do('a = [bytes(i % 3000) for i in range(3000)]')
        d.do('import os; p = os.fork() or os._exit(0); os.waitpid(p, 0)')
        control.listens()
        control.box.requested = 0
        must(control.request(PUBLISH) == 0, control.box.result)
        for n in range(1, 100000):
            try:
                os.unlink('%s.%d.pb.gz' % (control.path[:-5], n))
            except FileNotFoundError:
                break
        must(d.end() == '', 'stderr')


def the_helper_sleeps(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        must(control.request(RELEASE) >= 0, control.box.result)
        tid = [t for t in os.listdir('/proc/%d/task' % d.pid)
               if int(t) != d.pid][0]

        def switches():
            path = '/proc/%d/task/%s/status' % (d.pid, tid)
            with open(path, encoding='utf-8') as f:
                return f.read().split('voluntary_ctxt_switches:')[1].split()[0]

        def sleeps():
            before = switches()
            time.sleep(0.5)
            return switches() == before
        tap.wait_until(sleeps, 'no switch in half a second')


def programs_end_as_without_it(_):
    for code, wanted in (('pass', 0), ('import os; os._exit(3)', 3),
                         ('import sys; sys.exit(4)', 4),
                         ('import os; os.execv("/bin/true", ["true"])', 0)):
        done = subprocess.run(['/usr/bin/python3', '-S', '-c', code], check=False,
                              env=environment(MOUND_CONTROL='1'), timeout=30,
                              stderr=subprocess.PIPE)
        must(done.returncode == wanted and done.stderr == b'', code,
             done.returncode, done.stderr)


FILL = ("for i = 1, 100000 do redis.call('set', 'k' .. i, string.rep('x', 500)) "
        "end")


def it_does_not_outlive_the_last_thread(_):
    # Ended by the system call, of which no library hears.
    code = ('import ctypes\n'
            'ctypes.CDLL(None).syscall(%d, 5)' % (60 if os.uname().machine ==
                                                 'x86_64' else 93))
    done = subprocess.run(['/usr/bin/python3', '-S', '-c', code], check=False,
                          env=environment(MOUND_CONTROL='1'), timeout=30)
    must(done.returncode == 5, done.returncode)


def redis(port, *words):
    return subprocess.run(['redis-cli', '-p', str(port), *words], timeout=30,
                          capture_output=True, text=True, check=True).stdout


def a_redis_server(folder):
    if not shutil.which('redis-server'):
        raise Skipped('no redis-server')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    server = subprocess.Popen(
        ['redis-server', '--port', str(port), '--save', '', '--dir', folder],
        env=environment(MOUND_CONTROL='1', MOUND_DECAY='never'),
        stdout=subprocess.DEVNULL)
    try:
        control = Control(server.pid).listens()
        wait_for(lambda: subprocess.run(
            ['redis-cli', '-p', str(port), 'ping'], capture_output=True,
            check=False).returncode == 0)
        must(control.request(START, 64 * KIB) == 0, control.box.result)
        redis(port, 'eval', FILL, '0')
        must(control.request(WRITE) == 0, control.box.result)
        used = space(take(control.profile(WRITE, 0)), 'inuse_space')
        must(50 < used < 120, used)
        redis(port, 'flushall')
        before = status(server.pid, 'VmRSS')
        nbytes = control.request(RELEASE)
        must(nbytes > 40 * MIB, nbytes)
        must(status(server.pid, 'VmRSS') < before - 40 * KIB, before)
    finally:
        server.terminate()
        server.wait(timeout=30)


TESTS = [
    release_gives_memory_back_while_the_program_sleeps,
    publication_is_new_at_once,
    a_profile_of_a_process_that_runs,
    each_thread_is_sampled_from_the_start_on,
    what_is_no_request_is_refused,
    a_child_of_fork,
    forks_and_rights_find_one_thread,
    a_filter_ends_it,
    without_it_nobody_listens,
    scribbling_harms_nobody,
    the_helper_sleeps,
    programs_end_as_without_it,
    it_does_not_outlive_the_last_thread,
    a_redis_server,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
