#!/usr/bin/env python3
"""mound run: what it starts, what it refuses and why, and how it tells the end. TAP."""
import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from command import MOUND, as_nobody, mound, one_line  # noqa: E402
from tap import Skipped, must  # noqa: E402


def clean_environment(**more):
    return {**{k: v for k, v in os.environ.items()
               if k != 'LD_PRELOAD' and not k.startswith('MOUND_')}, **more}


def environment_of(*argv, **more):
    """The environment of a program that is run so, as a dictionary."""
    out, _ = mound('run', *argv, 'env', env=clean_environment(**more))
    return dict(line.split('=', 1) for line in out.splitlines())


def it_becomes_the_program_with_the_library_and_its_arguments(_):
    env = environment_of()
    must(os.path.exists(env['LD_PRELOAD']), env)
    must(env['MOUND_WATCH'] == '1' and env['MOUND_CONTROL'] == '1', env)
    out, _ = mound('run', 'sh', '-c', 'grep -c libmound /proc/$$/maps; '
                   'echo "$0" --help; exit 3', '-o', status=3)
    must(int(out.split()[0]) > 0 and '-o --help' in out, out)


def it_runs_where_no_page_can_be_made(_):
    """The helper that would answer requests in it starts all the same."""
    for _ in range(10):
        mound('run', '-o', 'watch=0', '/usr/bin/python3', '-c',
              'x = [bytes(1000) for i in range(30000)]')


def other_preloads_stay_and_options_become_variables(folder):
    other = os.path.join(folder, 'libother.so')
    shutil.copy('/lib/x86_64-linux-gnu/libm.so.6'
                if os.path.exists('/lib/x86_64-linux-gnu/libm.so.6')
                else os.environ['MOUND_LIB'], other)
    env = environment_of('-o', 'memlimit=64MiB', '--option=MOUND_NAMES',
                         '-oprofile-rate=1MiB', LD_PRELOAD=other)
    must(env['LD_PRELOAD'].split(':')[1] == other, env)
    must(env['MOUND_MEMLIMIT'] == '64MiB' and env['MOUND_NAMES'] == '1' and
         env['MOUND_PROFILE_RATE'] == '1MiB', env)
    once = env['LD_PRELOAD']
    must(environment_of(LD_PRELOAD=once)['LD_PRELOAD'] == once, 'put in twice')
    must(environment_of(MOUND_WATCH='0')['MOUND_WATCH'] == '0', 'overridden')


def unknown_options_are_refused(_):
    said = one_line(mound('run', '-o', 'memlimt=1', 'true', status=2)[1])
    must('memlimt' in said and 'memlimit' in said, said)
    must('give a program' in mound('run', status=2)[1], 'nothing to run')


def elf(folder, name, bits=64, machine=62, loader=None):
    """A program file as its header and loader say; it cannot be run."""
    path = os.path.join(folder, name)
    text = (loader or '').encode() + b'\0'
    ident = b'\x7fELF' + bytes([bits // 32, 1, 1]) + bytes(9)
    if bits == 64:
        segment = struct.pack('<IIQQQQQQ', 3, 4, 120, 120, 120, len(text),
                              len(text), 1)
        data = ident + struct.pack('<HHIQQQIHHHHHH', 2, machine, 1, 0, 64, 0, 0,
                                   64, 56, 1 if loader else 0, 64, 0, 0)
        data += segment + text
    else:
        data = ident + struct.pack('<HHIIIIIHHHHHH', 2, 3, 1, 0, 0, 0, 0, 52,
                                   32, 0, 40, 0, 0) + bytes(64)
    return script(path, data)


def script(path, text):
    with open(path, 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, 0o755)
    return path


def refused(why, *argv):
    said = one_line(mound('run', *argv, status=2)[1])
    must(why in said, said)
    return said


def what_cannot_work_is_refused_with_the_reason(folder):
    refused('statically', elf(folder, 'static'))
    refused('musl', elf(folder, 'musl', loader='/lib/ld-musl-x86_64.so.1'))
    refused('32 bits', elf(folder, 'small', bits=32))
    refused('another processor', elf(folder, 'riscv', machine=243,
                                     loader='/lib/ld.so'))
    refused('/lib/nowhere.so: No such file',
            elf(folder, 'nowhere', loader='/lib/nowhere.so'))
    refused('No such file', 'no-such-program')
    refused('No such file', folder + '/no-such-program')
    refused('Is a directory', folder)
    text = script(folder + '/text', 'x')
    os.chmod(text, 0o644)
    if os.geteuid() == 0:
        os.chmod(text, 0)
    refused('Permission denied', text)


def scripts_are_judged_by_their_interpreter(folder):
    good = script(folder + '/good', '#!/bin/sh\necho $((6 * 7))\n')
    must(mound('run', good)[0] == '42\n', 'script')
    env = script(folder + '/env', '#!/usr/bin/env -S A=1 sh\necho env\n')
    must(mound('run', env)[0] == 'env\n', 'env')
    bare = script(folder + '/bare', 'echo bare\n')
    must(mound('run', bare)[0] == 'bare\n', 'without a first line')
    static = elf(folder, 'static')
    said = refused('statically', script(folder + '/bad', '#!%s\n' % static))
    must(static in said and folder + '/bad' in said, said)
    refused('No such file', script(folder + '/none', '#!/no/interpreter\n'))
    refused('names no interpreter', script(folder + '/empty', '#!\n'))
    loop = folder + '/loop'
    refused('symbolic links', script(loop, '#!%s\n' % loop))


def setuid_programs_are_refused_where_they_raise_rights(folder):
    os.chmod(folder, 0o755)
    path = folder + '/su'
    shutil.copy('/bin/true', path)
    os.chmod(path, 0o4755)
    argv = as_nobody(MOUND, 'run', path)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    must(done.returncode == 2 and 'rights of its own' in
         one_line(done.stderr), done)
    mound('run', path)  # root gains nothing by it


def report_tells_how_it_ended_and_returns_the_same(_):
    _, said = mound('run', '--report', 'sh', '-c', 'exit 7', status=7)
    must('exited with status 7, after' in said, said)
    must('sh, pid' in said and 'ended with status 7' in said, said)
    must('RSS' in said and 'live objects' in said, said)
    _, said = mound('run', '--report', 'sh', '-c', 'kill -9 $$', status=137)
    must('ended by signal 9' in said, said)
    must('killed by signal 9' in said and 'out of memory' not in said, said)
    shell = 'trap "" CHLD; exec "$0" run -r sh -c "exit 4"'
    done = subprocess.run(['sh', '-c', shell, MOUND], capture_output=True,
                          text=True, timeout=60, check=False)
    must(done.returncode == 4, done)


@contextlib.contextmanager
def limited_group(nbytes):
    """A control group with a limit of memory: its file of members."""
    name = 'mound-test-%d' % os.getpid()
    for root, limit in (('/sys/fs/cgroup/memory', 'memory.limit_in_bytes'),
                        ('/sys/fs/cgroup', 'memory.max')):
        group = os.path.join(root, name)
        try:
            os.mkdir(group)
        except OSError:
            continue
        try:
            with open(os.path.join(group, limit), 'w', encoding='utf-8') as f:
                f.write(str(nbytes))
            yield os.path.join(group, 'cgroup.procs')
            return
        except FileNotFoundError:
            pass  # this one does not count memory
        finally:
            os.rmdir(group)
    raise Skipped('no control group can be made here')


def report_says_that_memory_ran_out(_):
    with limited_group(60 << 20) as members:
        done = subprocess.run(
            ['sh', '-c', 'echo $$ > "$0" && exec "$@"', members, MOUND, 'run',
             '--report', '/usr/bin/python3', '-c',
             'x = [bytes(1000) for i in range(300000)]'],
            capture_output=True, text=True, timeout=60, check=False)
        must(done.returncode == 137, done)
        must('out of memory' in done.stderr, done.stderr)
        # Its last publication was at some call of malloc before.
        used = re.search(r'last moment ([\d.]+) MiB', done.stderr) or \
            re.search(r'RSS +([\d.]+) MiB', done.stderr)
        must(40 < float(used[1]) < 75, done.stderr)


def signals_reach_the_program(_):
    with subprocess.Popen(
            [MOUND, 'run', '--report', 'sh', '-c',
             'trap "echo usr; exit 5" USR1; echo ready; '
             'while :; do sleep 0.05; done'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        must(p.stdout.readline() == 'ready\n', 'not started')
        p.send_signal(signal.SIGUSR1)
        must(p.stdout.readline() == 'usr\n', 'not passed on')
        must(p.wait(timeout=60) == 5, p.returncode)
    with subprocess.Popen([MOUND, 'run', '-r', 'sh', '-c',
                           'echo ready; exec sleep 60'],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        must(p.stdout.readline() == 'ready\n', 'not started')
        p.terminate()
        must(p.wait(timeout=60) == 128 + signal.SIGTERM, p.returncode)
        must('signal 15' in p.stderr.read(), 'how')


TESTS = [
    it_becomes_the_program_with_the_library_and_its_arguments,
    it_runs_where_no_page_can_be_made,
    other_preloads_stay_and_options_become_variables,
    unknown_options_are_refused,
    what_cannot_work_is_refused_with_the_reason,
    scripts_are_judged_by_their_interpreter,
    setuid_programs_are_refused_where_they_raise_rights,
    report_tells_how_it_ended_and_returns_the_same,
    report_says_that_memory_ran_out,
    signals_reach_the_program,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
