"""Requests to a process with MOUND_CONTROL=1, made as mound_page.h describes; and a
program that executes a test's commands, line by line."""
import ctypes
import mmap
import os
import subprocess
import time

import page_read
from tap import Failed, must

PUBLISH, RELEASE, START, STOP, WRITE, PEAK = range(1, 7)
LISTENS, PAUSED, FILTERED = 1, 2, 3
HANG_S = 30
SYS_FUTEX = {'x86_64': 202, 'aarch64': 98}[os.uname().machine]
FUTEX_WAKE = 1
libc = ctypes.CDLL(None, use_errno=True)

DRIVEN = '''
import sys
scope = {}
for line in sys.stdin:
    try:
        exec(line, scope)
        print("done", flush=True)
    except Exception as e:
        print(repr(e), flush=True)
'''


def environment(**variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    env.update(LD_PRELOAD=os.environ['MOUND_LIB'], PYTHONMALLOC='malloc')
    env.update(variables)
    return env


class Driven:
    """A python3 on mound that executes the text passed to do."""

    def __init__(self, **variables):
        variables.setdefault('MOUND_CONTROL', '1')
        self.process = subprocess.Popen(
            ['/usr/bin/python3', '-S', '-c', DRIVEN], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment(**variables))
        self.pid = self.process.pid
        self.do('pass')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def answer(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip()

    def do(self, line):
        said = self.answer(line)
        must(said == 'done', line, said, self.process.poll())

    def end(self):
        """Ends it; returns its stderr."""
        _, err = self.process.communicate(timeout=HANG_S)
        must(self.process.returncode == 0, self.process.returncode, err)
        return err


def wait_for(what, *said):
    end = time.time() + HANG_S
    while True:
        value = what()
        if value:
            return value
        if time.time() > end:
            raise Failed('it did not come about', *said)
        time.sleep(0.005)


class Control:
    """The page of a process, to write to."""

    def __init__(self, pid):
        path = page_read.path_of(pid)
        # Its file has a name before it has a size, and that before its figures.
        wait_for(lambda: os.path.exists(path) and os.path.getsize(path), path)
        page_read.read(path)
        with open(path, 'r+b') as f:
            self.page = page_read.Page.from_buffer(mmap.mmap(f.fileno(), 0))
        self.path = path
        self.box = self.page.control

    def listens(self):
        wait_for(lambda: self.box.listening == LISTENS, self.box.listening)
        return self

    def wake(self):
        self.box.bell += 1
        libc.syscall(SYS_FUTEX, ctypes.byref(self.box), FUTEX_WAKE, 1 << 30,
                     None, None, 0)

    def send(self, op, arg=0):
        self.box.op, self.box.arg = op, arg
        self.box.requested = (self.box.requested + 1) & 0xffffffff
        self.wake()

    def result(self):
        wait_for(lambda: self.box.done == self.box.requested, 'an answer')
        return self.box.result

    def request(self, op, arg=0):
        self.send(op, arg)
        return self.result()

    def profile(self, op, before):
        """The path of the profile written after the one of that number."""
        wait_for(lambda: self.box.profile_done != before, 'a profile')
        must(self.box.profile_result == 0, self.box.profile_result, op)
        return '%s.%d.pb.gz' % (self.path[:-len('.page')],
                                self.box.profile_done)


def status(pid, name):
    with open('/proc/%d/status' % pid, encoding='utf-8') as f:
        for line in f:
            if line.startswith(name + ':'):
                return int(line.split()[1])
    return 0
