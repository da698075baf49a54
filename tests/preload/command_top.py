#!/usr/bin/env python3
"""mound top in a terminal of tmux: the list, details, releasing, sizes of terminals, and
the terminal afterwards. TAP."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from command import LIB, MOUND, has_mapped, mound, one_line  # noqa: E402
from pages import keeper  # noqa: E402
from tap import Skipped, must  # noqa: E402

HANG_S = 10
# What a live program without a page has is read from its memory.
BUSY = ('$x{$_} = [$_] for 1..50000; while (1) { @y = (1..100); '
        'select undef, undef, undef, 0.01 }')


class Terminal:
    """A shell in a terminal, in which top runs; SHELL-DONE-N is printed when it ends with
    exit code N."""
    count = 0

    def __init__(self, folder, *argv, width=80, height=24, term='screen-256color', **env):
        if not shutil.which('tmux'):
            raise Skipped('no tmux')
        self.tmux = ['tmux', '-f', '/dev/null', '-S',
                     os.path.join(folder, 'tmux%d' % Terminal.count)]
        Terminal.count += 1
        words = ' '.join([*('%s=%s' % item for item in env.items()), MOUND, 'top', *argv])
        script = ('stty -a >%s/before; TERM=%s %s; echo SHELL-DONE-$?; '
                  'stty -a >%s/after; sleep 60' % (folder, term, words, folder))
        self.folder = folder
        self.run('new-session', '-d', '-x', str(width), '-y', str(height),
                 'sh -c \'%s\'' % script)

    def run(self, *argv):
        done = subprocess.run([*self.tmux, *argv], capture_output=True, text=True,
                              timeout=HANG_S, check=False)
        must(done.returncode == 0, argv, done.stderr)
        return done.stdout

    def text(self, *options):
        return self.run('capture-pane', '-p', *options)

    def keys(self, *keys):
        self.run('send-keys', *keys)

    def wait(self, pattern, *options):
        """The screen, once it has something."""
        until = time.time() + HANG_S
        while time.time() < until:
            text = self.text(*options)
            if re.search(pattern, text, re.M):
                return text
            time.sleep(0.05)
        raise tap.Failed('no %r in\n%s' % (pattern, self.text()))

    def top_pid(self):
        shell = self.run('display-message', '-p', '#{pane_pid}').strip()
        done = subprocess.run(['pgrep', '-P', shell, '-x', 'mound'], text=True,
                              capture_output=True, timeout=HANG_S, check=True)
        return int(done.stdout)

    def restored(self):
        """Whether the settings of the terminal are as before, and its cursor is seen."""
        time.sleep(0.1)
        before, after = (open(os.path.join(self.folder, name), encoding='utf-8').read()
                         for name in ('before', 'after'))
        must(before == after, before, after)
        must(self.run('display-message', '-p', '#{alternate_on}#{cursor_flag}').strip()
             == '01', 'screen or cursor')


@contextlib.contextmanager
def terminal(folder, *argv, **options):
    t = Terminal(folder, *argv, **options)
    try:
        yield t
    finally:
        subprocess.run([*t.tmux, 'kill-server'], capture_output=True, timeout=HANG_S,
                       check=False)


@contextlib.contextmanager
def busy():
    child = subprocess.Popen(['perl', '-e', BUSY], env={**os.environ, 'LD_PRELOAD': LIB})
    try:
        tap.wait_until(lambda: has_mapped(child.pid, LIB), 'the library')
        yield child
    finally:
        child.kill()
        child.wait(timeout=HANG_S)


def the_list_has_programs_with_and_without_a_page(folder):
    with keeper('shown') as one, busy() as two, terminal(folder) as t:
        text = t.wait('shown')
        row = re.search(r'^ +%d shown +\d+\.\d [KM]iB +20\.0 MiB' % one.pid, text, re.M)
        must(row, text)
        must('PROGRAM' in text and '[RSS]' in text, text)
        must(re.search(r'RSS \d+\.\d MiB: live', text), text)
        text = t.wait(r'^ +%d perl .* \d+(\.\d k)?$' % two.pid)
        must(all(len(line) <= 80 for line in text.splitlines()), text)
        t.keys('q')
        t.wait('SHELL-DONE-0')
        t.restored()


def keys_choose_sort_and_show_details(folder):
    with keeper('aaa'), keeper('bbb') as b, terminal(folder, '--sort', 'program') as t:
        t.wait(r'\[PROGRAM\]')
        # A terminal may show the head before the rows.
        text = t.wait(r' (aaa|bbb) [\s\S]* (aaa|bbb) ')
        must(text.index(' aaa ') < text.index(' bbb '), text)
        choose(t, 'bbb', b.pid)
        t.keys('n', 'Enter')
        text = t.wait('bbb, pid %d' % b.pid)
        must('RSS' in text and 'live objects' in text, text)
        t.keys('Left')
        t.wait(r'\[PROGRAM\]')
        t.keys('s')
        t.wait(r'\[RSS\]')
        t.keys('S', 'S')
        t.wait(r'\[PID\]')
        t.keys('h')
        t.wait('move the text')
        t.keys('Escape')
        t.wait(r'\[PID\]')
        t.keys('q')
        t.wait('SHELL-DONE-0')


def choose(t, name, pid):
    """Moves to a process and presses r; others may run on mound here, too."""
    for _ in range(50):
        t.keys('r')
        if 'of %s (%d)?' % (name, pid) in t.wait('y: yes'):
            return
        t.keys('n', 'Down')
        t.wait('r release')
    raise tap.Failed('not found', t.text())


def release_is_done_after_y_and_not_after_another_key(folder):
    """A keeper does not answer: top says so and goes on."""
    with keeper('kept') as child, terminal(folder) as t:
        t.wait('kept')
        choose(t, 'kept', child.pid)
        t.keys('n')
        t.wait('r release')
        choose(t, 'kept', child.pid)
        t.keys('y')
        t.wait(r'^.*kept.*MOUND_CONTROL')
        t.keys('q')
        t.wait('SHELL-DONE-0')
        t.restored()


def release_gives_memory_back(folder):
    freed = '@x = map { "x" x 1000 } 1..30000; @x = (); while (1) { select undef, undef, undef, 0.01 }'
    child = subprocess.Popen([MOUND, 'run', '-o', 'decay=never', 'perl', '-e', freed])
    try:
        with terminal(folder) as t:
            t.wait(r'^ +%d perl .* [1-9]\d\.\d MiB +\S+$' % child.pid)
            choose(t, 'perl', child.pid)
            t.keys('y')
            text = t.wait(': released ')
            must(re.search(r'released [1-9]\d\.\d MiB; RSS', text), text)
            t.keys('q')
            t.wait('SHELL-DONE-0')
    finally:
        child.kill()
        child.wait(timeout=HANG_S)


def small_terminals_and_other_sizes(folder):
    with keeper('small'), terminal(folder, width=30, height=5) as t:
        t.wait('small')
        for width, height in (1, 1), (10, 2), (200, 50), (40, 3):
            t.run('resize-window', '-x', str(width), '-y', str(height))
            time.sleep(0.15)
            must('SHELL-DONE' not in t.text(), t.text())
            t.keys('Enter')
            time.sleep(0.1)
            t.keys('Left')
        t.run('resize-window', '-x', '150', '-y', '24')
        text = t.wait('STATE')
        must('OTHER' in text and 'CACHES' in text, text)
        t.keys('q')
        t.wait('SHELL-DONE-0')


def colours_only_where_they_are_wished(folder):
    with keeper('colours'):
        for env, wanted in (({}, True), ({'NO_COLOR': '1'}, False)):
            with terminal(folder, **env) as t:
                t.wait('colours')
                text = t.text('-e')
                must(bool(re.search('\033\\[[0-9;]*4[0-7]m', text)) == wanted, repr(text))
        with terminal(folder, term='vt100') as t:
            t.wait('colours')
            t.keys('q')
            t.wait('SHELL-DONE-0')
        with terminal(folder, term='no-such-terminal') as t:
            t.wait('no such terminal is known')
            t.wait('SHELL-DONE-2')


def each_way_out_restores_the_terminal(folder):
    with keeper('out'):
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, 143),
                               (signal.SIGQUIT, 131)):
            with terminal(folder) as t:
                t.wait('out')
                os.kill(t.top_pid(), number)
                t.wait('SHELL-DONE-%d' % status)
                t.restored()


def programs_come_and_go(folder):
    with terminal(folder, '--interval', '200ms') as t:
        t.wait('mound top')
        with keeper('passing') as child:
            t.wait('passing')
            child.kill()
            child.wait(timeout=HANG_S)
            t.wait(r'passing.*killed')
        t.wait(r'RSS')
        until = time.time() + HANG_S
        while 'passing' in t.text() and time.time() < until:
            time.sleep(0.1)
        must('passing' not in t.text(), t.text())


def without_a_terminal(_):
    must('--batch' in one_line(mound('top', status=2)[1]), 'stdout')
    mound('top', '--sort', 'size', status=2)
    with keeper('one') as one, keeper('two') as two:
        text, said = mound('top', '--batch', '--sort', 'pid', '--interval', '100ms')
        must(not said, said)
        lines = [line.split() for line in text.splitlines()]
        pids = [line[0] for line in lines if line[2] in ('one', 'two')]
        must(pids == sorted([str(one.pid), str(two.pid)], key=int), text)
        must(lines[1][0] == '[PID]' and lines[1][-1] == 'STATE', text)


TESTS = [
    the_list_has_programs_with_and_without_a_page,
    keys_choose_sort_and_show_details,
    release_is_done_after_y_and_not_after_another_key,
    release_gives_memory_back,
    small_terminals_and_other_sizes,
    colours_only_where_they_are_wished,
    each_way_out_restores_the_terminal,
    programs_come_and_go,
    without_a_terminal,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
