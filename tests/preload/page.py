#!/usr/bin/env python3
"""The page, a file that shows a process from outside (MOUND_WATCH): when there is one,
what is in it, that it is right at any moment, and what cannot harm it. TAP."""
import ctypes
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import page_read  # noqa: E402
import tap  # noqa: E402
from tap import Skipped, must, wait_until  # noqa: E402

from watched import (EXITED, HANG_S, LIB, MIB, RUNNING, WATCHED,  # noqa: E402
                     environment, run, watched)


def a_page_is_there_while_the_process_runs(_):
    with watched('idle') as w:
        w.hear('ready')
        path = page_read.path_of(w.pid)
        folder, file = os.stat(page_read.folder()), os.stat(path)
        must(folder.st_mode & 0o777 == 0o700 and file.st_mode & 0o777 == 0o600,
             oct(folder.st_mode), oct(file.st_mode))
        page = w.page()
        who = page.identity
        must(file.st_size == page.nbytes == ctypes.sizeof(page))
        must(page.version == 1 and who.pid == w.pid and
             who.uid == os.geteuid() and who.program == b'watched' and
             who.start_ticks == page_read.start_ticks(w.pid) and
             who.pid_namespace == os.stat('/proc/self/ns/pid').st_ino and
             who.state == RUNNING and who.parent_page == 0 and
             abs(who.start_unix_ns / 1e9 - time.time()) < HANG_S)
        status, err = w.end()
        must(status == 0 and err == '', status, err)
        must(not os.path.exists(path), 'the file is left')


def without_the_variable_there_is_none(_):
    for watch in ('', '0'):
        with watched('idle', watch=watch) as w:
            w.hear('ready')
            must(page_read.pages_of(w.pid) == [], 'MOUND_WATCH=' + watch)
    with watched('idle', MOUND_OFF='1') as w:
        w.hear('ready')
        must(page_read.pages_of(w.pid) == [], 'off')


def a_value_that_is_none_gives_one_line(_):
    _, err, pages = run('exit', '0', watch='yes')
    must(err == 'mound: MOUND_WATCH=yes: not understood, expected 0, 1 or keep; '
         'using the default\n', err)
    must(pages == [], 'a page')


def it_is_kept_when_that_is_set(_):
    for how, status in (('exit', 3), ('_exit', 4), ('quick_exit', 5)):
        p, err, pages = run(how, str(status), watch='keep')
        must(p.returncode == status and err == '', how, p.returncode, err)
        must(len(pages) == 1, how, 'left', len(pages))
        who, stats = pages[0].identity, pages[0].stats
        must(who.state == EXITED and who.end_unix_ns >= who.start_unix_ns, how)
        must(who.status == (-1 if how == 'quick_exit' else status), how,
             who.status)
        must(stats.npublished > 0 and stats.mallocs >= stats.frees, how)
    for how in ('exit', '_exit', 'quick_exit'):
        must(run(how, '0')[2] == [], how, 'left its page')


def who_dies_of_a_signal_leaves_it(_):
    p, _, pages = run('abort')
    must(p.returncode == -signal.SIGABRT, p.returncode)
    must(len(pages) == 1 and pages[0].identity.state == RUNNING)


def memory(pid):
    """RSS as the kernel knows it exactly."""
    with open('/proc/%d/smaps_rollup' % pid, encoding='utf-8') as f:
        return int(re.search(r'^Rss: +(\d+)', f.read(), re.M).group(1)) << 10


def expected_rss(page):
    """What a reader of a page alone says of RSS now."""
    now, stats = page.now, page.stats
    return (stats.rss + now.inuse + now.idle) - (stats.inuse + stats.idle)


def a_page_of_who_was_killed_tells_its_memory(_):
    seed = random.randrange(1 << 30)
    print('# seed', seed)
    at_random = random.Random(seed)
    for arguments in (('grow', '2000'), ('churn', '2')):
        nwhole = ntorn = 0
        while nwhole < 4:
            with watched(*arguments) as w:
                wait_for_page(w.pid)
                time.sleep(at_random.uniform(0.05, 0.6))
                os.kill(w.pid, signal.SIGSTOP)
                os.waitpid(w.pid, os.WUNTRACED)
                rss = memory(w.pid)
                path = page_read.path_of(w.pid)
                w.process.kill()
                w.process.wait()
                try:
                    page = page_read.read(path)
                except page_read.Torn:  # it was killed while it wrote a section
                    ntorn += 1
                    must(ntorn <= 4, ntorn, 'of', ntorn + nwhole, 'are torn')
                    continue
                nwhole += 1
                now = page.now
                told = expected_rss(page)
                print('# %s: RSS %.1f MiB, told %.1f' %
                      (arguments[0], rss / MIB, told / MIB))
                must(now.inuse + now.idle + now.released == now.sys, 'now')
                must(abs(told - rss) <= 0.02 * rss + 4 * MIB, told, rss)


def mappings(pid):
    """(begin, end, bytes that have memory) of each mapping."""
    found = []
    with open('/proc/%d/smaps' % pid, encoding='utf-8') as f:
        for line in f:
            head = re.match(r'([0-9a-f]+)-([0-9a-f]+) ', line)
            if head:
                found.append([int(head[1], 16), int(head[2], 16), 0])
            elif line.startswith('Rss:'):
                found[-1][2] = int(line.split()[1]) << 10
    return found


def its_ranges_split_the_memory_of_the_process(_):
    with watched('grow', '300') as w:
        w.hear('ready')
        page = w.page()
        ranges = [r for r in page.ranges.ranges if r.begin]
        must(ranges and not page.ranges.overflow, len(ranges))
        for a, b in zip(ranges, ranges[1:]):
            must(a.begin < a.end <= b.begin, hex(a.begin), hex(b.begin))
        rss = {1: 0, 2: 0, 0: 0}
        for begin, end, nbytes in mappings(w.pid):
            # The kernel may have joined mappings that lie side by side.
            inside = {kind: sum(max(0, min(end, r.end) - max(begin, r.begin))
                                for r in ranges if r.kind == kind)
                      for kind in (1, 2)}
            kind = max(inside, key=inside.get)
            rss[kind if inside[kind] else 0] += nbytes
        print('# heap %.1f MiB, records %.1f, other %.1f' %
              tuple(rss[k] / MIB for k in (1, 2, 0)))
        heap = page.now.inuse + page.now.idle
        must(abs(rss[1] - heap) < 0.02 * heap + 4 * MIB, rss[1], heap)
        must(0 < rss[2] < page.stats.records + MIB, rss[2], page.stats.records)
        must(rss[0] < 8 * MIB, rss[0])


def its_figures_agree_while_threads_allocate(_):
    """Ten thousand readings and more, of a file that is written meanwhile."""
    with watched('churn', '8') as w:
        w.hear('ready')
        with open(page_read.path_of(w.pid), 'rb') as f:
            n, torn, seen, before = 0, 0, set(), {}
            end = time.monotonic() + HANG_S
            while n < 10000 or len(seen) < 10:
                must(time.monotonic() < end, n, 'readings,', len(seen), 'seen')
                n += 1
                page = page_read.of_bytes(os.pread(f.fileno(), 1 << 14, 0))
                now, stats = page.now, page.stats
                if now.seq & 1 or stats.seq & 1:
                    torn += 1
                    continue
                # A read is no snapshot: a second one tells whether it was whole.
                again = page_read.of_bytes(os.pread(f.fileno(), 1 << 14, 0))
                if again.now.seq == now.seq:
                    must(now.inuse + now.idle + now.released == now.sys, 'now')
                if again.stats.seq != stats.seq or stats.npublished == 0:
                    continue
                if stats.npublished in seen:
                    continue
                seen.add(stats.npublished)
                must_agree(stats, before)
        print('# %d publications seen, %d of %d torn' % (len(seen), torn, n))


def must_agree(stats, before):
    for i, c in enumerate(stats.classes):
        must(c.mallocs - c.frees == c.live, i, c.mallocs, c.frees, c.live)
        must(c.live + c.cached + c.transfer <= c.slots, i, c.live, c.cached,
             c.transfer, c.slots)
        must(c.mallocs >= before.get(i, (0, 0))[0] and
             c.frees >= before.get(i, (0, 0))[1], i, 'fell')
        before[i] = (c.mallocs, c.frees)
    must(stats.mallocs == sum(c.mallocs for c in stats.classes), 'mallocs')
    must(stats.live == sum(c.live_bytes for c in stats.classes), 'live')
    # The classes were read some microseconds before.
    must(stats.live + stats.cached <= stats.inuse + MIB, stats.live,
         stats.cached, stats.inuse)


def layout():
    """The entries of mound_layout, as they are in the file of the library."""
    symbols = subprocess.run(['nm', '-DS', LIB], capture_output=True, text=True,
                             check=True).stdout
    at, nbytes = re.search(r'^(\w+) (\w+) R mound_layout$', symbols,
                           re.M).groups()
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(['gdb', '-batch', '-nx', '-ex',
                        'dump binary memory %s 0x%s 0x%s+0x%s' %
                        (f.name, at, at, nbytes), LIB],
                       capture_output=True, check=True, timeout=HANG_S)
        out = f.read()
    magic, version, library = struct.unpack_from('<QII', out)
    must(magic == 0x74756f79616c6d6f and version == 1 and library > 0,
         hex(magic), version, library)
    entries = {}
    for name, value, nbytes in struct.iter_unpack('<32sII', out[16:]):
        name = name.rstrip(b'\0').decode()
        if name == '':
            return entries
        must(name not in entries, name, 'twice')
        entries[name] = (value, nbytes)
    raise tap.Failed('no end')


def the_layout_is_that_of_the_debug_information(_):
    entries = layout()
    questions = []
    for name, (_, nbytes) in entries.items():
        kind, _, member = name.partition('.')
        if member:
            questions.append('(unsigned long)&((struct %s *)0)->%s' %
                             (kind, member))
        elif nbytes:
            questions.append('sizeof(struct %s)' % kind)
        else:
            questions.append('(int)%s' % name)
    out = subprocess.run(
        ['gdb', '-batch', '-nx', LIB] +
        [x for q in questions for x in ('-ex', 'output ' + q, '-ex',
                                        'echo \\n')],
        capture_output=True, text=True, check=True, timeout=HANG_S).stdout
    answers = out.split()
    must(len(answers) == len(entries) > 80, len(answers), len(entries))
    for (name, (value, nbytes)), answer in zip(entries.items(), answers):
        of_struct = '.' not in name and nbytes
        must(int(answer) == (nbytes if of_struct else value), name, value,
             nbytes, answer)


def symbol(pid, name):
    """The address of a symbol of the library in a process."""
    out = subprocess.run(['nm', '-D', LIB], capture_output=True, text=True,
                         check=True).stdout
    offset = int(re.search(r'^(\w+) \w %s$' % name, out, re.M).group(1), 16)
    with open('/proc/%d/maps' % pid, encoding='utf-8') as f:
        return offset + min(int(line.split('-')[0], 16) for line in f
                            if os.path.basename(LIB) in line)


def the_layout_leads_through_a_process(_):
    entries = layout()
    with watched('grow', '40', watch='keep') as w:
        w.hear('ready')
        heap = symbol(w.pid, 'mound_layout_heap')
        with open('/proc/%d/mem' % w.pid, 'rb') as memory:
            def word(base, name):
                memory.seek(base + entries[name][0])
                return int.from_bytes(memory.read(entries[name][1]), 'little')
            stats = symbol(w.pid, 'mound_stats')
            records = word(heap, 'mheap.persistent.sys_bytes') + \
                word(heap, 'mheap.pages.arena_bytes')
            inuse = word(stats, 'heapstats.inuse_pages') << \
                entries['PAGE_SHIFT'][0]
            mode = word(symbol(w.pid, 'mound_layout_mode') -
                        entries['mspan.state'][0], 'mspan.state')
            page = w.page()
            must(inuse == page.now.inuse > 40 * MIB, inuse, page.now.inuse)
            must(0 <= records - page.stats.records < MIB, records,
                 page.stats.records)
            must(mode == entries['RUNTIME_ALONE'][0], mode)


def a_child_that_lives_has_a_page_of_its_own(_):
    for how in ('fork', '_Fork', 'SYS_fork', 'SYS_clone'):
        with watched('fork', how, watch='keep') as w:
            before = page_read.read(wait_for_page(w.pid))
            child = w.hear('child')
            page = page_read.read(page_read.path_of(child))
            must(page.identity.pid == child and page.identity.parent_page == 1,
                 how, page.identity.pid)
            must(page.stats.npublished > 0 and
                 page.now.inuse + page.now.idle + page.now.released ==
                 page.now.sys, how)
            # The parent waits: nobody may write to its page meanwhile.
            parent = w.page()
            must(parent.identity.pid == w.pid and
                 parent.identity.parent_page == 0, how)
            must(bytes(parent) == bytes(w.page()), how, 'it is written')
            must(before.identity.start_unix_ns ==
                 parent.identity.start_unix_ns, how)
            w.let_go()
            w.hear('parent')
            must(w.process.wait(HANG_S) == 0, how)
            ends = [page_read.read(p)
                    for pid in (w.pid, child) for p in page_read.pages_of(pid)]
            must([p.identity.pid for p in ends] == [w.pid, child], how)
            must(all(p.identity.state == EXITED for p in ends), how)
            os.unlink(page_read.pages_of(child)[0])


def wait_for_page(pid):
    return wait_until(lambda: page_read.pages_of(pid), 'a page')[0]


def who_has_its_parents_memory_writes_its_parents_page(_):
    with watched('fork', 'vfork') as w:
        child = w.hear('child')
        page = w.page()
        must(page_read.pages_of(child) == [], 'a page')
        must(page.now.sys > 0 and page.stats.npublished > 0)
        w.let_go()
        w.hear('parent')
        must(w.process.wait(HANG_S) == 0)
        must(page_read.pages_of(w.pid) == [], 'it is left')


def a_child_that_only_execs_has_none(folder):
    trace = os.path.join(folder, 'trace')
    p = subprocess.run(
        ['strace', '-f', '-qq', '-o', trace, '-e', 'trace=openat,execve', '-E',
         'LD_PRELOAD=' + LIB, '-E', 'MOUND_WATCH=1', WATCHED, 'brief'],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=HANG_S, check=False)
    if not os.path.exists(trace) or os.path.getsize(trace) == 0:
        raise Skipped('strace cannot trace here', p.stderr)
    must(p.returncode == 0, p.returncode, p.stderr)
    with open(trace, encoding='utf-8') as f:
        lines = f.read().splitlines()
    made = [n for n, line in enumerate(lines) if '.page"' in line]
    execs = [n for n, line in enumerate(lines) if 'execve("/bin/true"' in line]
    must(len(execs) == 1 and len(made) == 2, made, execs)
    must(made[0] < execs[0] < made[1], made, execs)


def a_program_that_replaces_another_replaces_its_page(_):
    with watched('exec') as w:
        wait_for_page(w.pid)
        old = w.page()
        w.hear('ready')
        page = w.page()
        must(page_read.pages_of(w.pid) == [page_read.path_of(w.pid)],
             page_read.pages_of(w.pid))
        must(page.identity.start_unix_ns > old.identity.start_unix_ns,
             'the old page')
        must(w.end()[0] == 0)
        must(page_read.pages_of(w.pid) == [], 'left')


def a_program_runs_on_it_as_ever(_):
    """With small stacks, handlers that interrupt malloc, forks beside busy threads,
    the end of the process in any thread, and filters of system calls."""
    for probe in ('small_stack signal', 'small_stack thread',
                  'small_stack coroutine', 'signal_storm threads',
                  'fork_signal threads', 'fork_busy fork busy 1 5',
                  'fork_busy _Fork busy 2 5', 'fork_busy SYS_clone busy 3 5',
                  'lonely',
                  'contracts/syscalls work prctl',
                  'contracts/syscalls threads prctl',
                  'contracts/syscalls fork prctl',
                  'contracts/syscalls strict prctl'):
        name, *arguments = probe.split()
        p = subprocess.run(
            [os.path.join(os.environ['MOUND_PROBES'], name), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=HANG_S, check=False, env=environment())
        if p.returncode == 77:
            print('# this machine cannot run', probe)
            continue
        must(p.returncode == (7 if 'strict' in probe else 0), probe,
             p.returncode, p.stderr)
        must(p.stderr == '' or p.stderr.startswith('seed'), probe, p.stderr)


def a_program_with_raised_rights_has_none(folder):
    if os.geteuid() != 0:
        raise Skipped('only root can raise rights')
    program = os.path.join(folder, 'secure')
    shutil.copy(os.path.join(os.environ['MOUND_PROBES'], 'secure'), program)
    os.chmod(folder, 0o755)
    os.chmod(program, 0o4755)
    with open(os.path.join(folder, 'trace'), 'w', encoding='utf-8') as f:
        p = subprocess.run(
            ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
             'sh', '-c', 'exec "$0"', program], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=f, text=True, timeout=HANG_S,
            check=False, env={**os.environ, 'MOUND_WATCH': 'keep'})
    must(p.returncode == 0, p.returncode, p.stdout)
    must('secure' in p.stdout, p.stdout)
    for uid in (0, 65534):
        path = '/dev/shm/mound-%d' % uid
        pages = os.listdir(path) if os.path.isdir(path) else []
        must(not [n for n in pages if
                  b'secure\0' in read_bytes(os.path.join(path, n))], uid)


def read_bytes(path):
    try:
        with open(path, 'rb') as f:
            return f.read()
    except OSError:
        return b''


TESTS = [
    a_program_runs_on_it_as_ever, a_program_with_raised_rights_has_none,
    a_child_that_lives_has_a_page_of_its_own,
    who_has_its_parents_memory_writes_its_parents_page,
    a_child_that_only_execs_has_none,
    a_program_that_replaces_another_replaces_its_page,
    the_layout_is_that_of_the_debug_information,
    the_layout_leads_through_a_process,
    a_page_is_there_while_the_process_runs, without_the_variable_there_is_none,
    a_value_that_is_none_gives_one_line, it_is_kept_when_that_is_set,
    who_dies_of_a_signal_leaves_it, a_page_of_who_was_killed_tells_its_memory,
    its_ranges_split_the_memory_of_the_process,
    its_figures_agree_while_threads_allocate,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS, subprocess.TimeoutExpired, AssertionError,
                      page_read.Torn))
