#!/usr/bin/env python3
"""What mound-gdb.py reads from a live process and from its core is what the
process itself writes when it ends: the same figures, to the last one."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

SCRIPT = os.path.join(os.environ['MOUND_SOURCE'], 'preload', 'mound-gdb.py')
PROGRAM = os.path.join(os.environ['MOUND_PROBES'], 'stopped')
NAMES = ('Alloc', 'TotalAlloc', 'Mallocs', 'Frees', 'HeapObjects', 'HeapSys',
         'HeapInuse', 'HeapIdle', 'HeapReleased', 'HeapHoles')


def read_by_gdb(*target):
    text = subprocess.run(
        ['gdb', '-nx', '-batch', *target, '-x', SCRIPT, '-ex', 'mound-stats'],
        capture_output=True, text=True, timeout=120).stdout
    return {name: int(value) for name, value in
            re.findall(r'^  (\w+) +(\d+)$', text, re.M)}


def main():
    with tempfile.TemporaryDirectory() as folder:
        dump = os.path.join(folder, 'stats.json')
        process = subprocess.Popen([PROGRAM], env={
            **os.environ, 'LD_PRELOAD': os.environ['MOUND_LIB'],
            'MOUND_STATS': dump})
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        core = os.path.join(folder, 'core')
        subprocess.run(['gdb', '-nx', '-batch', '-p', str(process.pid), '-ex',
                        'generate-core-file ' + core], capture_output=True,
                       timeout=120)
        live = read_by_gdb('-p', str(process.pid))
        dead = read_by_gdb(PROGRAM, core)
        process.send_signal(signal.SIGCONT)
        process.wait(timeout=60)
        with open(dump, encoding='utf-8') as f:
            own = json.load(f)['memstats']
    failed = 0
    print('1..%d' % len(NAMES))
    for i, name in enumerate(NAMES):
        same = own[name] == live.get(name) == dead.get(name)
        failed += not same
        print('%s %d - %s: %s by itself, %s live, %s in the core' %
              ('ok' if same else 'not ok', i + 1, name, own[name],
               live.get(name), dead.get(name)))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
