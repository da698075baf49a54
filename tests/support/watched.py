"""A probe that runs under MOUND_WATCH, and the pages that it left."""
import contextlib
import os
import subprocess

import page_read
from tap import must

LIB = os.environ['MOUND_LIB']
WATCHED = os.path.join(os.environ['MOUND_PROBES'], 'watched')
HANG_S = 60
RUNNING, EXITED, SIGNALLED = range(3)
MIB = 1 << 20


def environment(watch='1', **more):
    return {**os.environ, 'LD_PRELOAD': LIB, 'MOUND_WATCH': watch, **more}


class Watched:
    """A running probe, whose output lines are read."""

    def __init__(self, *arguments, before=(), **env):
        self.process = subprocess.Popen(
            [*before, WATCHED, *arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(**env))
        self.pid = self.process.pid

    def hear(self, word):
        """The number in the next line, which begins with a word."""
        line = self.process.stdout.readline().split()
        must(line and line[0] == word, word, 'was not said:', line,
             self.process.poll())
        return int(line[1])

    def page(self):
        return page_read.read(page_read.path_of(self.pid))

    def let_go(self):
        """Closes its stdin, so that it ends."""
        self.process.stdin.close()
        self.process.stdin = None

    def end(self):
        said = self.process.communicate(timeout=HANG_S)
        return self.process.returncode, said[1]


@contextlib.contextmanager
def watched(*arguments, **options):
    w = Watched(*arguments, **options)
    try:
        yield w
    finally:
        w.process.kill()
        w.process.communicate()
        for path in page_read.pages_of(w.pid):
            os.unlink(path)


def run(*arguments, **env):
    """Runs a probe to its end; returns its process and the pages that it left."""
    p = subprocess.Popen([WATCHED, *arguments], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, env=environment(**env))
    _, err = p.communicate(timeout=HANG_S)
    left = page_read.pages_of(p.pid)
    pages = [page_read.read(path) for path in left]
    for path in left:
        os.unlink(path)
    return p, err, pages
