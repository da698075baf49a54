#!/usr/bin/env python3
"""A tracer at the probes of samples: its semaphores start and stop them. TAP."""
import ctypes
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import page_read  # noqa: E402
import tap  # noqa: E402
from page_request import Driven, wait_for  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.path.realpath(os.environ['MOUND_LIB'])
RATE = 512 << 10
WORK = 'for _ in range(5): a = [bytes(2000) for _ in range(5000)]; del a'
HANG_S = 60
libc = ctypes.CDLL(None, use_errno=True)


class Piece(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]


def semaphores():
    text = subprocess.run(['readelf', '-n', LIB], capture_output=True, text=True,
                          check=True).stdout
    return [int(at, 16) for at in re.findall(r'Semaphore: 0x(\w+)', text)]


def bias(pid):
    with open('/proc/%d/maps' % pid, encoding='utf-8') as f:
        return min(int(line.split('-')[0], 16) for line in f
                   if os.path.basename(LIB) in line)


def attach(pid, which, n):
    """What the kernel does where a tracer is attached n times."""
    value = ctypes.c_uint16(n)
    address = bias(pid) + semaphores()[which]
    done = libc.process_vm_writev(
        pid, ctypes.byref(Piece(ctypes.addressof(value), 2)), 1,
        ctypes.byref(Piece(address, 2)), 1, 0)
    if done != 2:
        raise Skipped('process_vm_writev: ' + os.strerror(ctypes.get_errno()))


def rate(d):
    return page_read.read(page_read.path_of(d.pid)).stats.profile_rate


def sampled(d, wanted):
    def is_it():
        d.do(WORK)
        return rate(d) == wanted
    wait_for(is_it, wanted, rate(d))


def watched(**variables):
    return Driven(MOUND_CONTROL='0', MOUND_WATCH='1', **variables)


def samples_are_taken_while_one_is_attached(_):
    for which in (0, 1):
        with watched() as d:
            d.do(WORK)
            must(rate(d) == 0, rate(d))
            attach(d.pid, which, 2)
            sampled(d, RATE)
            attach(d.pid, which, 1)
            d.do(WORK)
            must(rate(d) == RATE, 'one of two has left')
            attach(d.pid, which, 0)
            sampled(d, 0)
            attach(d.pid, which, 1)
            sampled(d, RATE)
            must(d.end() == '', 'stderr')


def the_rate_is_the_variables(_):
    with watched(MOUND_PROFILE_RATE='64KiB') as d:
        attach(d.pid, 0, 1)
        sampled(d, 64 << 10)


def samples_of_the_program_stay_its_own(folder):
    path = os.path.join(folder, 'heap.pb.gz')
    with watched(MOUND_PROFILE=path, MOUND_PROFILE_RATE='100000') as d:
        sampled(d, 100000)
        attach(d.pid, 0, 1)
        d.do(WORK)
        attach(d.pid, 0, 0)
        d.do(WORK)
        d.do(WORK)
        must(rate(d) == 100000, rate(d))
    with watched() as d:
        attach(d.pid, 0, 1)
        sampled(d, RATE)
        d.do('import ctypes; c = ctypes.CDLL("%s")' % LIB)
        d.do('assert c.mound_memprofile_start(ctypes.c_size_t(12345)) == 0')
        attach(d.pid, 0, 0)
        sampled(d, 12345)


def a_child_of_fork_goes_on(_):
    with watched() as d:
        attach(d.pid, 0, 1)
        sampled(d, RATE)
        d.do('import os; p = os.fork() or os._exit(7)')
        d.do('assert os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) == 7')


def gdb_sees_each_sample(folder):
    """gdb raises the semaphore of a probe that it has a breakpoint at, and lowers it
    when it leaves."""
    with watched() as d:
        d.do('import threading, time')
        # For ever, without growing.
        d.do('work = lambda: [0 for _ in iter(int, 1) if time.sleep(0.001) '
             'or not [bytes(2000) for _ in range(999)]]')
        d.do('threading.Thread(target=work, daemon=True).start()')
        must(rate(d) == 0, rate(d))
        script = os.path.join(folder, 'script')
        with open(script, 'w', encoding='ascii') as f:
            f.write('set breakpoint pending off\n'
                    'break -probe-stap otel_memory:alloc\n'
                    'continue\n'
                    'printf "size %lu stands for %lu\\n", $_probe_arg1, '
                    '$_probe_arg2\n'
                    'delete\ndetach\n')
        done = subprocess.run(['gdb', '-nx', '-batch', '-p', str(d.pid), '-x', script],
                              capture_output=True, text=True, timeout=HANG_S,
                              check=False)
        found = re.search(r'^size (\d+) stands for (\d+)$', done.stdout, re.M)
        if not found and 'ptrace' in done.stderr:
            raise Skipped('gdb may not attach')
        must(found and int(found[2]) >= RATE, done.stdout, done.stderr)
        wait_for(lambda: rate(d) == 0, 'the end of it')


TESTS = [
    samples_are_taken_while_one_is_attached,
    the_rate_is_the_variables,
    samples_of_the_program_stay_its_own,
    a_child_of_fork_goes_on,
    gdb_sees_each_sample,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
