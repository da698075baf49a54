#!/usr/bin/env python3
"""Pages as the command mound meets them: of processes that live, that were killed, that
became another program; pages of others, and files that are no pages at all. TAP."""
import contextlib
import ctypes
import glob
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import page_read  # noqa: E402
import pages  # noqa: E402
import tap  # noqa: E402
from command import HANG_S, MOUND, as_nobody, mound, one_line  # noqa: E402
from tap import must  # noqa: E402

MIB = 1 << 20
PYTHON = """
import sys
x = [bytes(1000) for i in range(20000)]
print('ready', flush=True)
sys.stdin.read()
"""


def watched(*argv):
    """A program on mound that keeps a page, once it says that it is ready."""
    child = subprocess.Popen([MOUND, 'run', *argv], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    must(child.stdout.readline() != '', argv, 'did not start')
    return child


def listed(**options):
    """What mound ps says, by pid."""
    out = subprocess.run([MOUND, 'ps', '--json'], capture_output=True,
                         timeout=HANG_S, check=False, **options).stdout
    return {row['pid']: row for row in json.loads(out)}


def page_of(pid):
    return glob.glob('%s/%d-*.page' % (page_read.folder(), pid))[0]


GROW = """
import sys
kept = []
while True:
    kept.append(bytearray(1 << 20))
    if len(kept) == 300:
        print(flush=True)
        sys.stdin.readline()
"""


def a_killed_process_is_told_as_it_was_in_its_last_moment(_):
    """As fast as it can: its last publication is of a time before."""
    for _ in range(3):
        child = watched('/usr/bin/python3', '-c', GROW)
        with open('/proc/%d/statm' % child.pid, encoding='ascii') as f:
            rss = int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
        path = page_of(child.pid)
        child.kill()
        child.communicate()
        told = json.loads(mound('stats', '--json', path)[0])['mound']
        must(abs(told['rss'] - rss) < rss / 50 + 4 * MIB, rss, told['rss'])
        parts = told['parts']
        must(sum(parts.values()) - 2 * parts['absent'] == told['rss'],
             parts, told['rss'])
        must(parts['live'] > 290 * MIB, parts)
        os.remove(path)


PROTECTED = """
import ctypes, sys
ctypes.CDLL(None).prctl(4, 0)
x = [b'x' * 5000 for i in range(4000)]
print('ready', flush=True)
sys.stdin.read()
"""


def the_rss_of_a_process_that_may_not_be_read_is_that_of_now(_):
    """What it is made of is of its last publication; its RSS is not."""
    with subprocess.Popen(
            as_nobody('env', 'LD_PRELOAD=' + os.environ['MOUND_LIB'],
                      'MOUND_WATCH=1', '/usr/bin/python3', '-c', PROTECTED),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        must(child.stdout.readline() != '', 'it did not start')
        with open('/proc/%d/statm' % child.pid, encoding='ascii') as f:
            rss = int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
        # As old as can be.
        path = glob.glob('/dev/shm/mound-65534/%d-*.page' % child.pid)[0]
        with open(path, 'r+b') as f:
            page = page_read.Page.from_buffer_copy(f.read())
            page.stats.inuse = page.stats.live = MIB
            f.seek(0)
            f.write(bytes(page))
        out = subprocess.run(as_nobody(MOUND, 'stats', '--json', str(child.pid)),
                             capture_output=True, timeout=HANG_S, check=True)
        told = json.loads(out.stdout)['mound']['rss']
        child.stdin.close()
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(path))
    must(abs(told - rss) < MIB, told, rss)


def a_process_that_was_killed_is_listed_until_clean(_):
    child = watched('/usr/bin/python3', '-c', PYTHON)
    must(listed()[child.pid]['state'] == 'running', 'alive')
    live = listed()[child.pid]['live']
    path = page_of(child.pid)
    must('removed 0 pages' in mound('clean')[0] and os.path.exists(path),
         'the page of a live process went')
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    must(listed()[child.pid]['state'] == 'killed', 'a zombie')
    child.communicate()
    row = listed()[child.pid]
    # Its last publication was at some call of malloc before.
    must(row['state'] == 'killed' and row['live'] > live / 8, row, live)
    out, _ = mound('stats', path)
    page = page_read.read(path)
    must(page.now.inuse > 20 * MIB, 'exact to the last moment', page.now.inuse)
    must(page.stats.inuse > page.now.inuse * 0.9 or
         'after the last publication' in out, out)
    must('killed or crashed' in out and 'its last publication' in out, out)
    must('No such process' in mound('stats', str(child.pid), status=2)[1],
         'by number')
    with open(path[:-4] + '1.pb.gz', 'wb') as f:
        f.write(bytes(5000))
    out, _ = mound('clean')
    must('1 profile: ' in out and not glob.glob(path[:-4] + '*'), out)
    must(child.pid not in listed(), 'still there')


def a_process_that_was_killed_at_once_has_its_figures(_):
    """Before anything but its start had it publish them."""
    child = subprocess.Popen([MOUND, 'run', 'sh', '-c', 'kill -9 $$'])
    child.wait()
    row = listed()[child.pid]
    must(row['state'] == 'killed' and row['rss'] > 400 << 10, row)
    mound('clean')
    must(child.pid not in listed())


def a_page_that_was_not_finished_is_no_page_and_goes_with_clean(_):
    """A process that is killed while it makes one leaves it: without a byte, or with
    nothing but zeros. Those of who may still be at it stay, and files of others."""
    begun = {}
    folder = page_read.folder()
    old = time.time() - 60
    with open('/proc/%d/stat' % os.getpid(), encoding='utf-8') as f:
        own = 'own', '%d-%s.page' % (os.getpid(), f.read().rsplit(')')[1].split()[19])
    for what, name in (('empty', '999999-1.page'), ('zeros', '999999-2.1.page'), own,
                       ('new', '999999-3.page')):
        begun[what] = os.path.join(folder, name)
        with open(begun[what], 'wb') as f:
            f.write(b'' if what == 'empty' else bytes(8192))
        if what != 'new':
            os.utime(begun[what], (old, old))
    begun['pipe'] = os.path.join(folder, '999999-4.page')
    os.mkfifo(begun['pipe'])
    begun['named'] = os.path.join(folder, 'notes.page')
    with open(begun['named'], 'wb'):
        os.utime(begun['named'], (old, old))
    try:
        said = subprocess.run([MOUND, 'ps'], capture_output=True, text=True,
                              timeout=HANG_S, check=False).stderr
        must('999999-1' not in said and '999999-2' not in said, said)
        mound('clean')
        left = {what for what, path in begun.items() if os.path.lexists(path)}
        must(left == {'own', 'new', 'pipe', 'named'}, left)
    finally:
        for path in begun.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def a_page_that_is_being_made_is_waited_for(_):
    slow = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fallocate',
            '-e', 'inject=fallocate:delay_exit=500000']
    with subprocess.Popen([*slow, MOUND, 'run', 'sh', '-c', 'echo $$; read x'],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as child:
        # It has a page before it runs.
        until = time.monotonic() + HANG_S
        begun = lambda: [n for n in os.listdir(page_read.folder())
                         if n.endswith('.page')]
        while not begun() and time.monotonic() < until:
            time.sleep(0.01)
        pid = begun()[0].split('-')[0]
        mound('release', pid)
        must(child.communicate('x')[0].strip() == pid, pid)


def a_process_has_the_name_that_it_was_started_by(folder):
    os.symlink('/bin/sh', folder + '/another-name')
    child = watched(folder + '/another-name', '-c', 'echo ready; read x')
    row = listed()[child.pid]
    child.kill()
    child.communicate()
    mound('clean')
    must(row['program'] == 'another-name', row)


def a_process_that_became_another_program_is_none(_):
    """Its page is left over, though process and time of start are the same."""
    with open('/tmp/mound-test-static.c', 'w', encoding='utf-8') as f:
        f.write('#include <stdio.h>\n#include <unistd.h>\nint main(void) '
                '{ puts("ready"); fflush(stdout); pause(); }\n')
    static = '/tmp/mound-test-static'
    subprocess.run(['gcc', '-static', '-o', static, static + '.c'], check=True,
                   timeout=HANG_S)
    child = watched('sh', '-c', 'exec ' + static)
    try:
        row = listed().get(child.pid)
        must(row is None or row['state'] == 'killed', row)
        must('mound is not in it' in mound('stats', str(child.pid),
                                           status=2)[1], 'stats')
    finally:
        child.kill()
        child.communicate()
        os.unlink(static)
        os.unlink(static + '.c')
        mound('clean')


def stats_has_a_live_process_publish(_):
    child = watched('/usr/bin/python3', '-c', PYTHON)
    try:
        seen = json.loads(mound('stats', '-j', str(child.pid))[0])
        page = page_read.read(page_of(child.pid))
        must(page.stats.npublished > 0, 'nothing was published')
        must(seen['memstats']['HeapAlloc'] > 19 * MIB, seen['memstats'])
        by_file = json.loads(mound('stats', '-j', page_of(child.pid))[0])
        must(by_file['mound']['pid'] == seen['mound']['pid'], by_file)
    finally:
        child.kill()
        child.communicate()
        mound('clean')


def stopped_processes_are_read_all_the_same(_):
    child = watched('/usr/bin/python3', '-c', PYTHON)
    os.kill(child.pid, signal.SIGSTOP)
    try:
        done = subprocess.run([MOUND, 'stats', str(child.pid)], text=True,
                              capture_output=True, timeout=HANG_S, check=False)
        must(done.returncode == 0 and 'live objects' in done.stdout, done)
    finally:
        child.kill()
        child.communicate()
        mound('clean')


def good_page():
    """The bytes of a page that is in order, as one that can be changed."""
    child = watched('/usr/bin/python3', '-c', PYTHON)
    with open(page_of(child.pid), 'rb') as f:
        page = page_read.of_bytes(f.read())
    child.kill()
    child.communicate()
    mound('clean')
    return page


def hostile_files_end_in_one_line(folder):
    page = good_page()
    data = bytes(page)
    path = folder + '/x.page'

    def refused(content, why):
        with open(path, 'wb') as f:
            f.write(content)
        said = one_line(mound('stats', path, status=2)[1])
        must(path in said and why in said, said)

    refused(b'', 'too short')
    refused(data[:40], 'too short')
    refused(data[:len(data) // 2], 'too short')
    refused(data[:-1], 'too short')
    refused(b'x' * len(data), 'not a page')
    for field, value in ('version', 99), ('nbytes', 12), ('nbytes', 1 << 30):
        other = page_read.of_bytes(data)
        setattr(other, field, value)
        refused(bytes(other), 'a page of version')
    os.symlink(path, folder + '/link.page')
    said = one_line(mound('stats', folder + '/link.page', status=2)[1])
    must('symbolic link' in said, said)
    os.mkfifo(folder + '/fifo.page')
    one_line(mound('stats', folder + '/fifo.page', status=2)[1])


def garbage_in_a_page_is_printed_as_it_is(folder):
    """Whatever a user has written there: numbers that overflow, texts without an end
    and with the bytes that terminals obey."""
    page = good_page()
    path = folder + '/x.page'
    size = ctypes.sizeof(page)
    head = page_read.Page.identity.offset
    for seed in (0, 1, 0x7f, 0x80, 0xff, 0x1b):
        data = bytearray(bytes([seed]) * size)
        data[:head] = bytes(page)[:head]
        with open(path, 'wb') as f:
            f.write(data)
        for how in [], ['--json'], ['--classes']:
            out, _ = mound('stats', *how, path, errors='replace')
            must('\x1b' not in out and '\x7f' not in out, repr(out[:200]))
    wild = page_read.of_bytes(bytes(page))
    wild.identity.program = b'\x1b[2J' + b'x' * 60
    wild.now.seq = wild.stats.seq = wild.ranges.seq = 1  # died while it wrote
    for r in wild.ranges.ranges:
        r.begin, r.end = 2**64 - 1, 1
    with open(path, 'wb') as f:
        f.write(bytes(wild))
    out, _ = mound('stats', path)
    must('?[2Jxxx' in out and 'did not finish' in out, out)


def a_page_that_changes_its_length_is_no_fault(folder):
    """It is read as a copy: whoever owns it may shorten it at any time."""
    data = bytes(good_page())
    path = folder + '/x.page'
    with open(path, 'wb') as f:
        f.write(data)
    stop = threading.Event()

    def flicker():
        while not stop.is_set():
            os.truncate(path, 100)
            with open(path, 'r+b') as f:
                f.write(data)

    thread = threading.Thread(target=flicker)
    thread.start()
    try:
        for _ in range(30):
            done = subprocess.run([MOUND, 'stats', path], capture_output=True,
                                  timeout=HANG_S, check=False)
            must(done.returncode in (0, 2), done)
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def folder_of(uid, owner, mode=0o700):
    path = '/dev/shm/mound-%d' % uid
    os.mkdir(path)
    try:
        os.chown(path, owner, owner)
    except OSError as why:
        os.rmdir(path)
        raise tap.Skipped(why)
    os.chmod(path, mode)
    try:
        yield path
    finally:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)


def folders_that_others_may_write_to_are_left_out(_):
    if os.geteuid() != 0:
        raise tap.Skipped('root only')
    data = bytes(good_page())
    for uid, owner, mode in (54321, 65534, 0o700), (54321, 54321, 0o777):
        with folder_of(uid, owner, mode) as path:
            with open(path + '/7-7.page', 'wb') as f:
                f.write(data)
            done = subprocess.run([MOUND, 'ps'], capture_output=True, text=True,
                                  timeout=HANG_S, check=False)
            must('%s: other users' % path in done.stderr and
                 ' 54321 ' not in done.stdout, done)
            subprocess.run([MOUND, 'clean'], capture_output=True, check=True,
                           timeout=HANG_S)
            must(os.path.exists(path + '/7-7.page'), 'removed')


def a_user_sees_his_own_alone(_):
    page = good_page()
    with folder_of(65534, 65534) as path:
        page.identity.pid, page.identity.start_ticks = 4000000, 7
        for name in 'a', 'b\x1b':
            with open('%s/%s.page' % (path, name), 'wb') as f:
                f.write(bytes(page))
        child = watched('/usr/bin/python3', '-c', PYTHON)
        try:
            rows = json.loads(subprocess.run(
                as_nobody(MOUND, 'ps', '-j'), capture_output=True,
                timeout=HANG_S, check=False).stdout)
            must(sum(row['pid'] == 4000000 for row in rows) == 2, rows)
            must(not any('live' in row for row in rows if row['uid'] == 0), rows)
            done = subprocess.run(as_nobody(MOUND, 'stats',
                                            page_of(child.pid)),
                                  capture_output=True, text=True,
                                  timeout=HANG_S, check=False)
            must(done.returncode == 2 and 'Permission denied' in
                 one_line(done.stderr), done)
        finally:
            child.kill()
            child.communicate()
        out = subprocess.run(as_nobody(MOUND, 'clean'), capture_output=True,
                             text=True, timeout=HANG_S, check=True).stdout
        must('removed 2 pages' in out and os.listdir(path) == [], out)
        must(glob.glob(page_read.folder() + '/*'), 'others went too')
    mound('clean')


def pages_of_other_pid_namespaces_are_found_or_left_alone(_):
    """One /dev/shm for several: a process is found by the number that it has there."""
    inside = ['unshare', '--pid', '--fork', '--kill-child', MOUND, 'run',
              '/usr/bin/python3', '-c', PYTHON]
    child = subprocess.Popen(inside, stdin=subprocess.PIPE, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if child.stdout.readline() == '':
        raise tap.Skipped('no pid namespaces here', child.communicate()[1])
    try:
        with open('/proc/%d/task/%d/children' % (child.pid, child.pid),
                  encoding='utf-8') as f:
            inner = int(f.read().split()[0])
        row = listed()[inner]
        must(row['state'] == 'running' and row['live'] > 19 * MIB, row)
        out, _ = mound('stats', str(inner))
        must('live objects' in out and 'pid %d,' % inner in out, out)
        # From another one it is not seen, and may live.
        out = subprocess.run(['unshare', '--pid', '--fork', '--mount-proc',
                              MOUND, 'clean'], capture_output=True, text=True,
                             timeout=HANG_S, check=True).stdout
        must('removed 0 pages' in out, out)
    finally:
        child.kill()
        child.communicate()
        time.sleep(0.1)
        mound('clean')


def pages_of_other_containers_are_found_by_the_process(_):
    """A /dev/shm and process numbers of its own, as a container has them."""
    script = 'mount -t tmpfs none /dev/shm && exec "$@"'
    child = subprocess.Popen(
        ['unshare', '--mount', '--pid', '--fork', '--kill-child',
         '--mount-proc', 'sh', '-c', script, 'sh', MOUND, 'run',
         '/usr/bin/python3', '-c', PYTHON],
        stdin=subprocess.PIPE, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    if child.stdout.readline() == '':
        raise tap.Skipped('no containers here', child.communicate()[1])
    try:
        with open('/proc/%d/task/%d/children' % (child.pid, child.pid),
                  encoding='utf-8') as f:
            inner = int(f.read().split()[0])
        must(listed()[inner]['live'] > 19 * MIB, 'ps')
        # It has a helper there, which answers.
        out, said = mound('stats', '--whole', str(inner))
        must(not said and 'pid %d,' % inner in out, out, said)
        must('released' in mound('release', str(inner))[0], 'release')
    finally:
        child.kill()
        child.communicate()


TESTS = [
    a_process_that_was_killed_is_listed_until_clean,
    a_process_that_was_killed_at_once_has_its_figures,
    a_page_that_was_not_finished_is_no_page_and_goes_with_clean,
    a_page_that_is_being_made_is_waited_for,
    a_killed_process_is_told_as_it_was_in_its_last_moment,
    the_rss_of_a_process_that_may_not_be_read_is_that_of_now,
    a_process_has_the_name_that_it_was_started_by,
    a_process_that_became_another_program_is_none,
    stats_has_a_live_process_publish,
    stopped_processes_are_read_all_the_same,
    hostile_files_end_in_one_line,
    garbage_in_a_page_is_printed_as_it_is,
    a_page_that_changes_its_length_is_no_fault,
    folders_that_others_may_write_to_are_left_out,
    a_user_sees_his_own_alone,
    pages_of_other_pid_namespaces_are_found_or_left_alone,
    pages_of_other_containers_are_found_by_the_process,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
