#!/usr/bin/env python3
"""The statistics of MOUND_STATS: where they go, at which signals, of which programs, and
whether what they say is so. TAP."""
import json
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
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
HANG_S = 60
MIB = 1 << 20
HEAD = re.compile(r'^mound \d+\.\d+\.\d+: (\S+), pid (\d+)(?: \(forked\))?, (.*)$',
                  re.M)


def probe(name):
    return os.path.join(os.environ['MOUND_PROBES'], name)


def environment(**variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    return {**env, 'LD_PRELOAD': LIB, **variables}


def run(*argv, status=0, **variables):
    r = subprocess.run(argv, capture_output=True, text=True, timeout=HANG_S,
                       env=environment(**variables), check=False)
    must(r.returncode == status, argv, r.returncode, r.stderr)
    return r


def heads(text):
    """(program, how it ended) of each dump in a text."""
    return [(h[0], h[2]) for h in HEAD.findall(text)]


class Running:
    """The probe that signals are sent to."""

    def __init__(self, *way, **variables):
        self.p = subprocess.Popen([probe('stats_signals'), *way],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True, env=environment(**variables))
        self.said = []
        while 'ready' not in self.said:
            line = self.p.stdout.readline()
            must(line, 'it ended', self.said)
            self.said.append(line.strip())

    def end(self, number=signal.SIGTERM):
        self.p.send_signal(number)
        out, err = self.p.communicate(timeout=HANG_S)
        return self.p.returncode, out, err


# Where.

def a_program_has_the_name_that_it_was_started_by(folder):
    """Of a link, and of a script; not that of the file behind it."""
    link, script = os.path.join(folder, 'link'), os.path.join(folder, 'script')
    os.symlink('/bin/true', link)
    with open(script, 'w', encoding='utf-8') as f:
        f.write('#!/bin/sh\n')
    os.chmod(script, 0o755)
    for path, name in (link, 'link'), (script, 'script'), ('/bin/true', 'true'):
        r = run(path, MOUND_STATS='1')
        must([h[0] for h in heads(r.stderr)] == [name], name, r.stderr)


def a_descriptor_by_number(folder):
    path = os.path.join(folder, 'out')
    run('sh', '-c', 'exec "$@" 7>"%s"' % path, 'sh', '/bin/true',
        MOUND_STATS='fd:7', MOUND_ONLY='true')
    with open(path, encoding='utf-8') as f:
        must(heads(f.read())[0][0] == 'true')
    # What the program has put there meanwhile is not written to.
    other = os.path.join(folder, 'other')
    run('bash', '-c', 'exec 7>"%s"; echo data >&7' % other, MOUND_STATS='fd:7')
    with open(other, encoding='utf-8') as f:
        must(f.read() == 'data\n')
    r = run('/bin/true', MOUND_STATS='fd:7')
    must(r.stderr == 'mound: MOUND_STATS=fd:7: the descriptor is not open\n',
         r.stderr)


def standard_output_though_the_program_closed_it(_):
    r = run('/bin/ls', '-d', '/', MOUND_STATS='stdout,classes')
    must(heads(r.stdout) and r.stdout.startswith('/\n') and not r.stderr, r)
    must(re.search(r'^ +slot +live +live bytes', r.stdout, re.M), r.stdout)


def words_that_are_no_path(folder):
    for word in ('yes', 'on', 'true', 'out'):
        r = subprocess.run(['/bin/true'], env=environment(MOUND_STATS=word),
                           capture_output=True, text=True, cwd=folder,
                           check=True)
        must(r.stderr.count('\n') == 1 and word in r.stderr, r.stderr)
        must(not os.listdir(folder), os.listdir(folder))


def an_unknown_name_is_told_once_for_all_programs_below(_):
    r = run('/bin/bash', '-c', '/bin/true; /bin/ls -d /; (/bin/true; :)',
            MOUND_STAT='1')
    must(r.stderr == 'mound: MOUND_STAT: not a variable of mound; the nearest is '
         'MOUND_STATS\n', r.stderr)


def one_line_where_another_malloc_serves(folder):
    r = run('/bin/true', MOUND_STATS='1', MOUND_OFF='1')
    must(re.fullmatch(r'mound \S+: true, pid \d+: malloc is served by the C '
                      r'library \(MOUND_OFF=1\)\n', r.stderr), r.stderr)
    source = os.path.join(folder, 'own.c')
    with open(source, 'w', encoding='utf-8') as f:
        f.write('int main(void) { return 0; }\n')
    subprocess.run(['gcc', '-fsanitize=address', '-o', folder + '/asan', source],
                   check=True)
    r = subprocess.run([folder + '/asan'], capture_output=True, text=True,
                       env=environment(MOUND_STATS='classes'), check=False)
    must(re.fullmatch(r'mound \S+: asan, pid \d+: malloc is served by the runtime '
                      r'of a sanitizer\n', r.stderr), r.stderr)


def only_programs_of_these_names(_):
    script = '/bin/true; cat /dev/null; (exit 0); ls -d / >/dev/null'
    r = run('sh', '-c', script, MOUND_STATS='1', MOUND_ONLY='cat,ls')
    must([h[0] for h in heads(r.stderr)] == ['cat', 'ls'], r.stderr)
    # By the name that it was called by, too; children have that of their parent.
    r = run('sh', '-c', script, MOUND_STATS='1', MOUND_ONLY='sh')
    must(len(heads(r.stderr)) == 2, r.stderr)
    r = run('/bin/true', MOUND_STATS='1', MOUND_ONLY='tru,rue,')
    must(not r.stderr, r.stderr)


def profiles_of_these_programs_only(folder):
    path = os.path.join(folder, '%e.heap')
    run('sh', '-c', '/bin/true; cat /dev/null', MOUND_PROFILE=path,
        MOUND_ONLY='cat')
    must(os.listdir(folder) == ['cat.heap'], os.listdir(folder))


# When.

def a_signal_of_the_list_ends_it_with_a_dump(folder):
    for way in ('wait', 'busy', 'threads', 'reset', 'restored'):
        for _ in range(5):
            profile = os.path.join(folder, way + '.heap')
            p = Running(way, MOUND_STATS_ON='INT,TERM', MOUND_PROFILE=profile)
            time.sleep(0.01)
            status, out, err = p.end()
            must(status == -signal.SIGTERM, way, status, err)
            must(len(heads(err)) == 1 and
                 heads(err)[0][1].startswith('ended by signal 15 after '), way,
                 err)
            must('  most waste' in err, err)
            must(os.path.exists(profile), way)
            os.remove(profile)
            if way in ('wait', 'reset', 'restored'):
                must(p.said[-2] == 'default', way, p.said)


def in_a_file_with_its_usual_name(folder):
    path = os.path.join(folder, 'x.json')
    p = Running('busy', MOUND_STATS_ON='TERM', MOUND_STATS=path)
    must(p.end()[0] == -signal.SIGTERM)
    with open(path, encoding='utf-8') as f:
        mound = json.load(f)['mound']
    must((mound['state'], mound['signal']) == ('signalled', 15), mound)


def other_signals_end_it_without(_):
    p = Running(MOUND_STATS_ON='INT')
    status, _, err = p.end()
    must((status, err) == (-signal.SIGTERM, ''), status, err)
    p = Running(MOUND_STATS='1')
    status, _, err = p.end()
    must((status, err) == (-signal.SIGTERM, ''), status, err)


def a_handler_of_the_program_counts(_):
    for way, said in (('handler', ['default', 'handled', 'ready']),
                      ('signal', ['default', 'ready'])):
        p = Running(way, MOUND_STATS_ON='TERM')
        must(p.said == said, way, p.said)
        status, out, err = p.end()
        must((status, out, err) == (7, 'handled\n', ''), way, status, out, err)


def signals_that_are_ignored_or_waited_for_stay_so(_):
    r = run('sh', '-c', 'trap "" TERM; exec "$@" & sleep 0.2; kill -TERM $!; '
            'sleep 0.1; kill -KILL $!; wait $!; echo $?', 'sh',
            probe('stats_signals'), MOUND_STATS_ON='TERM',
            MOUND_ONLY='stats_signals')
    must(r.stdout == 'ignored\nready\n137\n' and not heads(r.stderr), r)
    p = Running('waited', MOUND_STATS_ON='TERM')
    must(p.end() == (5, '', ''))


def children_die_by_themselves(_):
    p = run(probe('stats_signals'), 'vfork', MOUND_STATS_ON='TERM')
    must(not p.stderr, p.stderr)
    p = run(probe('stats_signals'), 'fork', MOUND_STATS_ON='TERM')
    must(len(heads(p.stderr)) == 1 and ' (forked), ended by signal 15' in p.stderr
         and 'mallocs' in p.stderr and ' a second' not in p.stderr,
         p.stderr)


def a_filter_that_refuses_the_default_action_is_no_loop(_):
    p = Running('filtered', MOUND_STATS_ON='TERM')
    p.p.terminate()
    p.p.communicate(timeout=20)
    must(p.p.returncode == 128 + signal.SIGTERM, p.p.returncode)


def python_keeps_its_interrupt(_):
    r = subprocess.run(['/usr/bin/python3', '-c', '''
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
'''], env=environment(MOUND_STATS_ON='INT,TERM'), capture_output=True, text=True,
                       check=False)
    must((r.returncode, r.stdout, r.stderr) == (0, 'interrupted True\n', ''), r)


def process_1_of_a_namespace_does_not_die_of_it(_):
    if subprocess.run(['unshare', '--pid', '--fork', 'true'], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skipped('no pid namespaces here')
    r = run('unshare', '--pid', '--fork', 'sh', '-c',
            'kill -TERM $$; kill -TERM $$; echo alive', MOUND_STATS_ON='TERM',
            MOUND_ONLY='sh', MOUND_STATS='1')
    must(r.stdout == 'alive\n', r)
    # It goes on, and so do its figures; its end is another.
    found = [how for program, how in heads(r.stderr) if program == 'sh']
    must(len(found) == 3 and all(how.startswith('running') for how in found[:2]) and
         found[2].startswith('ended ') and 'signal' not in found[2], found)


def another_signal_has_it_written_and_go_on(folder):
    for way in ('wait', 'busy', 'threads'):
        p = Running(way, MOUND_STATS_SIGNAL='USR1')
        for _ in range(30):
            p.p.send_signal(signal.SIGUSR1)
            time.sleep(0.002)
        time.sleep(0.2)
        status, _, err = p.end()
        must(status == -signal.SIGTERM, way, status, err)
        found = heads(err)
        must(1 <= len(found) <= 30, way, len(found))
        must(all(h[1].startswith('running for ') for h in found), found)
        must(err.count('  most waste') == len(found), way, err)
    path = os.path.join(folder, 's.txt')
    p = Running('wait', MOUND_STATS_SIGNAL='USR1', MOUND_STATS=path)
    p.p.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    p.end()
    must(os.listdir(folder) == ['s.1.txt'], os.listdir(folder))


# What.

def figures(*argv, **variables):
    r = run(*argv, MOUND_STATS='json', **variables)
    return json.loads(r.stderr)


def parts_of_a_process_that_knows_what_it_has(_):
    """100 MiB live, 50 MiB calloc'ed and not touched, 30 MiB mapped besides."""
    program = '''
import ctypes, mmap, os
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.calloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
MIB = 1 << 20
live = [libc.malloc(MIB) for _ in range(100)]
for p in live:
    ctypes.memset(p, 1, MIB)
never = [libc.calloc(10 * MIB, 1) for _ in range(5)]
other = mmap.mmap(-1, 30 * MIB)
for page in range(0, 30 * MIB, 4096):
    other[page] = 1
os._exit(0)
'''
    m = figures('/usr/bin/python3', '-c', program)['mound']
    parts = m['parts']
    must(99 * MIB < parts['live'] < 104 * MIB, parts)
    must(49 * MIB < m['untouched'] < 54 * MIB, m['untouched'])
    must(36 * MIB < parts['not_mound'] < 44 * MIB, parts)
    must(parts['absent'] < MIB // 4, parts)


def rounding_is_estimated_within_10_percent(_):
    for n, kind, threads in ((20000, 'two', 1), (20000, 'random', 1),
                             (2000, 'large', 1), (2000, 'random', 16)):
        r = run(probe('sizes'), str(n), kind, str(threads), MOUND_STATS='json')
        known = int(r.stdout)
        estimate = json.loads(r.stderr)['mound']['parts']['rounding']
        print('# %s: %d, estimated %d, %+.1f %%' % (
            kind, known, estimate, (estimate / known - 1) * 100))
        must(abs(estimate - known) < 0.1 * known, kind, known, estimate)


def rounding_that_nobody_looked_at_is_not_known(_):
    r = run('/usr/bin/perl', '-e', '1', MOUND_STATS='json', MOUND_HARDENED='1')
    mound = json.loads(r.stderr)['mound']
    must(mound['parts']['rounding'] is None, mound)
    r = run('/usr/bin/perl', '-e', '1', MOUND_STATS='classes', MOUND_HARDENED='1')
    must('not known' in r.stderr and '  rounding  ' not in r.stderr, r.stderr)


def go_reads_it(folder):
    """encoding/json into runtime.MemStats, as readers of expvar do."""
    go = shutil.which('go') or '/usr/lib/go-1.19/bin/go'
    if not os.path.exists(go):
        raise Skipped('no go')
    source = os.path.join(folder, 'read.go')
    with open(source, 'w', encoding='utf-8') as f:
        f.write('''package main

import (
    "encoding/json"
    "fmt"
    "os"
    "runtime"
)

func main() {
    var vars struct {
        Cmdline  []string
        Memstats runtime.MemStats
    }
    decoder := json.NewDecoder(os.Stdin)
    if err := decoder.Decode(&vars); err != nil {
        fmt.Println(err)
        os.Exit(1)
    }
    m := vars.Memstats
    fmt.Println(m.Mallocs, m.HeapInuse, m.BySize[5].Mallocs, m.PauseNs[255], len(m.BySize))
}
''')
    text = run('/usr/bin/perl', '-e', '$h{$_} = [$_] for 1..1000',
               MOUND_STATS='json').stderr
    r = subprocess.run([go, 'run', source], input=text, capture_output=True,
                       text=True, check=False, timeout=300,
                       env={**os.environ, 'GOCACHE': folder + '/cache'})
    must(r.returncode == 0, r.stdout, r.stderr)
    m = json.loads(text)['memstats']
    must(r.stdout.split() == [str(m['Mallocs']), str(m['HeapInuse']),
                              str(m['BySize'][5]['Mallocs']), '0', '61'],
         r.stdout)


TESTS = [
    a_program_has_the_name_that_it_was_started_by,
    a_descriptor_by_number,
    standard_output_though_the_program_closed_it,
    words_that_are_no_path,
    an_unknown_name_is_told_once_for_all_programs_below,
    one_line_where_another_malloc_serves,
    only_programs_of_these_names,
    profiles_of_these_programs_only,
    a_signal_of_the_list_ends_it_with_a_dump,
    in_a_file_with_its_usual_name,
    other_signals_end_it_without,
    a_handler_of_the_program_counts,
    signals_that_are_ignored_or_waited_for_stay_so,
    children_die_by_themselves,
    a_filter_that_refuses_the_default_action_is_no_loop,
    python_keeps_its_interrupt,
    process_1_of_a_namespace_does_not_die_of_it,
    another_signal_has_it_written_and_go_on,
    parts_of_a_process_that_knows_what_it_has,
    rounding_is_estimated_within_10_percent,
    rounding_that_nobody_looked_at_is_not_known,
    go_reads_it,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
