#!/usr/bin/env python3
"""Errors of each system call, by strace: of the profile, the statistics and the page
that are written when a program ends, and of the thread that answers requests. What is
written is whole or not there, with a line that says why; the program runs on. The start
of a page is in page_hostile.py. TAP."""
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import page_read  # noqa: E402
import pprof_read  # noqa: E402
import tap  # noqa: E402
from page_request import (Control, Driven, PUBLISH, RELEASE, START, STOP,  # noqa: E402
                          WRITE, wait_for)
from tap import Skipped, must  # noqa: E402
from watched import HANG_S, LIB, WATCHED  # noqa: E402

ERRORS = 'EIO', 'ENOMEM', 'EPERM', 'ENOSYS', 'EMFILE'
NEVER_FAIL = 'getpid', 'gettid', 'exit_group', 'exit'
STATUS = 7


def choose(names, most=5, before=()):
    """(name, which of that name), for the first and the last of each; 1+ are all."""
    for name in sorted(set(names) - set(NEVER_FAIL)):
        n, already = names.count(name), before.count(name)
        for i in sorted({*range(1, min(most, n) + 1), n}):
            yield name, str(already + i)
        if name != 'futex':  # who cannot wait at all does not sleep
            yield name, '%d+' % (already + 1)


# The end of a program.

def ending(folder, *strace):
    """A program that writes all it can at its end, under strace."""
    profile, stats = (os.path.join(folder, n) for n in ('p.pb.gz', 's.json'))
    env = {'LD_PRELOAD': LIB, 'MOUND_WATCH': 'keep', 'MOUND_PROFILE': profile,
           'MOUND_PROFILE_RATE': '1', 'MOUND_STATS': stats}
    settings = [x for k, v in env.items() for x in ('-E', '%s=%s' % (k, v))]
    return subprocess.Popen(
        ['strace', '-qq', *settings, *strace, WATCHED, 'exit', str(STATUS)],
        stderr=subprocess.PIPE, text=True)


def calls_of_the_end(folder):
    """Those that are to fail, one a run."""
    trace = os.path.join(folder, 'trace')
    with tempfile.TemporaryDirectory() as own:
        ending(own, '-o', trace).communicate(timeout=HANG_S)
        if not os.path.exists(trace) or os.path.getsize(trace) == 0:
            raise Skipped('strace cannot trace here')
        with open(trace, encoding='utf-8') as f:
            lines = f.read().splitlines()
        begin = [i for i, line in enumerate(lines) if '"%s/"' % own in line][-2]
    names = [line.split('(')[0] for line in lines]
    must(len(names) - begin > 50, names[begin:])
    return choose(names[begin:], before=names[:begin])


def is_whole(path):
    """Whether it is there; what is there must be complete."""
    if not os.path.exists(path):
        return False
    if path.endswith('.json'):
        with open(path, encoding='utf-8') as f:
            must('memstats' in json.load(f), path)
    else:
        must(pprof_read.read(path), path)
    return True


def end_with(name, n, error):
    with tempfile.TemporaryDirectory() as folder:
        p = ending(folder, '-o', '/dev/null', '-e', 'trace=' + name, '-e',
                   'inject=%s:error=%s:when=%s' % (name, error, n))
        said = p.communicate(timeout=HANG_S)[1]
        what = name, n, error, p.returncode, said
        must(p.returncode == STATUS, *what)
        must(all(re.match(r'mound: MOUND_(PROFILE|STATS|WATCH): ', line)
                 for line in said.splitlines()), *what)
        # Nothing is said on a stderr of which it is not known whose it is.
        blind = name in ('newfstatat', 'write') and n.endswith('+')
        for variable, file in ('PROFILE', 'p.pb.gz'), ('STATS', 's.json'):
            must(is_whole(os.path.join(folder, file)) or blind or
                 'mound: MOUND_%s: ' % variable in said, *what, file)
        left = set(os.listdir(folder)) - {'p.pb.gz', 's.json'}
        must(not left or name == 'unlinkat', *what, left)
        return said != ''


def each_call_of_the_end_may_fail(folder):
    before = set(os.listdir(page_read.folder())) \
        if os.path.isdir(page_read.folder()) else set()
    jobs = [(name, n, ERRORS[i % len(ERRORS)])
            for i, (name, n) in enumerate(calls_of_the_end(folder))]
    must(len(jobs) > 25, jobs)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        told = sum(pool.map(lambda job: end_with(*job), jobs))
    must(told > 5, 'nothing was said', told, len(jobs))
    for left in set(os.listdir(page_read.folder())) - before:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(page_read.folder(), left))


# The thread that answers.

def other_thread(pid):
    return next((t for t in os.listdir('/proc/%d/task' % pid) if int(t) != pid),
                None)


@contextlib.contextmanager
def traced(tid, *strace):
    """strace at one thread."""
    with subprocess.Popen(['strace', '-p', tid, *strace], stderr=subprocess.PIPE,
                          text=True) as tracer:
        line = tracer.stderr.readline()
        if 'attached' not in line:
            tracer.kill()
            raise Skipped('strace cannot attach here', line)
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=HANG_S)


def all_requests(d, control):
    """Each kind; the answers."""
    answers = [control.request(START, 1000)]
    d.do('x = [bytearray(5000) for i in range(1000)]')
    before = control.box.profile_done
    answers.append(control.request(WRITE))
    if answers[-1] == 0:
        for _ in range(100):
            d.do('y = bytearray(5000)')
            if control.box.profile_done != before:
                break
        wait_for(lambda: control.box.profile_done != before, 'a profile')
    answers.append(control.request(STOP))
    d.do('x = [bytearray(1 << 20) for i in range(8)]; x = None')
    answers.append(control.request(RELEASE))
    answers.append(control.request(PUBLISH))
    return answers


def each_call_of_the_thread_that_answers_may_fail(folder):
    trace = os.path.join(folder, 'trace')
    with Driven() as d:
        control = Control(d.pid).listens()
        with traced(other_thread(d.pid), '-o', trace):
            must(min(all_requests(d, control)) >= 0)
        with open(trace, encoding='utf-8') as f:
            names = [line.split('(')[0] for line in f if '(' in line]
        jobs = list(choose(names, most=3))
        must(len(jobs) >= 10, names)
        for i, (name, n) in enumerate(jobs):
            error = ERRORS[i % len(ERRORS)]
            inject = 'inject=%s:error=%s:when=%s' % (name, error, n)
            with traced(other_thread(d.pid), '-o', '/dev/null', '-e',
                        'trace=' + name, '-e', inject):
                answers = all_requests(d, control)
                must(min(answers) > -200, inject, answers)
            must(min(all_requests(d, control)) >= 0, 'after', inject)
            must(d.process.poll() is None, inject)
        must(d.end() == '')
    for left in page_read.pages_of(d.pid):
        os.unlink(left)


TESTS = (
    each_call_of_the_end_may_fail,
    each_call_of_the_thread_that_answers_may_fail,
)

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
