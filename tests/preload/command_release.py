#!/usr/bin/env python3
"""mound release, and requests of the command in general: what came back; why there is no
answer; several at once, and commands that were killed. TAP."""
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from command import MOUND, mound, one_line  # noqa: E402
from page_request import Control, Driven, RELEASE, status, wait_for  # noqa: E402
from tap import must  # noqa: E402

MIB = 1 << 20
GONE = 4194304  # above any thread's number
FREED = 'a = [bytes(1000) for _ in range(100000)]; del a'


def release(d, *options, code=0):
    return mound('release', *options, str(d.pid), status=code)


def it_tells_how_much_came_back(_):
    with Driven(MOUND_DECAY='never') as d:
        Control(d.pid).listens()
        d.do(FREED)
        before = status(d.pid, 'VmRSS')
        said, err = release(d)
        must(err == '', err)
        found = re.search(r'\): released ([\d.]+) MiB; RSS '
                          r'([\d.]+) MiB, before ([\d.]+) MiB$', said.strip())
        must(found, said)
        must(80 < float(found[1]) < 130, said)
        must(status(d.pid, 'VmRSS') < before - 80 * 1024, before)
        must('RSS' in mound('trim', str(d.pid))[0], 'its alias')


def without_control_it_says_what_to_do(_):
    for variables in ({'MOUND_CONTROL': '0'},
                      {'MOUND_CONTROL': '0', 'MOUND_WATCH': '1'}):
        with Driven(**variables) as d:
            _, err = release(d, code=2)
            lines = err.splitlines()
            must('was started without MOUND_CONTROL=1' in lines[0], err)
            must('gdb -p %d' % d.pid in lines[1] and len(lines) == 2, err)


def a_filter_is_named(_):
    with Driven() as d:
        Control(d.pid).listens()
        d.do('import ctypes; ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)')
        must('a filter of system calls' in one_line(release(d, code=2)[1]), 'why')


def a_process_that_has_ended(_):
    with Driven() as d:
        path = Control(d.pid).path
        d.process.kill()
        d.process.wait()
        must('ended' in one_line(mound('release', path, status=2)[1]), path)
        must('No such process' in one_line(release(d, code=2)[1]), d.pid)
        os.unlink(path)


def one_that_stands_still_gives_no_answer(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        os.kill(d.pid, signal.SIGSTOP)
        _, err = release(d, '-t', '200ms', code=2)
        must('no answer in 0.2 s' in one_line(err), err)
        os.kill(d.pid, signal.SIGCONT)
        must('RSS' in release(d)[0], 'after it goes on')
        must(control.box.owner == 0, control.box.owner)


def commands_that_were_killed_are_in_nobodys_way(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        os.kill(d.pid, signal.SIGSTOP)
        with subprocess.Popen([MOUND, 'release', str(d.pid)]) as command:
            wait_for(lambda: control.box.owner != 0)
            command.kill()
        must(control.box.owner == command.pid, control.box.owner)
        os.kill(d.pid, signal.SIGCONT)
        must('RSS' in release(d)[0], 'takeover')
        must(control.box.owner == 0, control.box.owner)
        control.box.owner = GONE
        must('RSS' in release(d)[0], 'takeover of one that is gone')
        control.box.owner = os.getpid()
        _, err = release(d, '-t', '100ms', code=2)
        must('process %d' % os.getpid() in one_line(err), err)


def a_process_that_is_killed_during_a_request(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        os.kill(d.pid, signal.SIGSTOP)
        with subprocess.Popen([MOUND, 'release', str(d.pid)], text=True,
                              stderr=subprocess.PIPE) as command:
            wait_for(lambda: control.box.owner != 0)
            d.process.kill()
            d.process.wait()
            must('it has ended' in one_line(command.stderr.read()), 'why')
            must(command.wait() == 2, command.returncode)
        os.unlink(control.path)


def many_at_once(_):
    with Driven() as d:
        control = Control(d.pid).listens()
        before = control.box.requested
        commands = [subprocess.Popen([MOUND, 'release', str(d.pid)],
                                     stdout=subprocess.DEVNULL)
                    for _ in range(12)]
        for command in commands:
            must(command.wait(timeout=30) == 0, command.returncode)
        must(control.box.requested == before + 12, control.box.requested)
        must(control.request(RELEASE) >= 0, control.box.result)


def one_that_changes_its_user_over_and_over_answers(_):
    with Driven() as d:
        Control(d.pid).listens()
        d.do('import os, threading')
        d.do('f = lambda: [os.setuid(os.getuid()) for _ in range(3000)]')
        d.do('t = threading.Thread(target=f, daemon=True); t.start()')
        end = time.time() + 0.5
        while time.time() < end:
            must('RSS' in release(d)[0], 'release')


TESTS = [
    it_tells_how_much_came_back,
    without_control_it_says_what_to_do,
    a_filter_is_named,
    a_process_that_has_ended,
    one_that_stands_still_gives_no_answer,
    commands_that_were_killed_are_in_nobodys_way,
    a_process_that_is_killed_during_a_request,
    many_at_once,
    one_that_changes_its_user_over_and_over_answers,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
