#!/usr/bin/env python3
"""What cannot harm a process that keeps a page: folders and files that others put
there, a full /dev/shm, none, no /proc, errors of each system call, another process with
its number; and that the OOM killer leaves its page. TAP."""
import contextlib
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import page_read  # noqa: E402
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402
from watched import (HANG_S, LIB, MIB, RUNNING, WATCHED, Watched,  # noqa: E402
                     watched)

# In these the probe runs with a /dev/shm of its own, and the shell has its number.
SHELL = '''
set -e
folder=/dev/shm/mound-%d
''' % os.geteuid()
MINE = '''
mine=$folder/$$-$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20).page
'''
SECCOMP = os.path.join(os.path.dirname(WATCHED), 'contracts', 'seccomp')
PROBE = 'exec env LD_PRELOAD=%s MOUND_WATCH=keep %s ' % (LIB, WATCHED)


def in_private(setup, size='1m', more=()):
    """Runs the probe in a mount namespace; returns its status, what it said on stderr,
    and what was in /dev/shm then."""
    script = 'mount -t tmpfs -o size=%s none /dev/shm\n' % size + SHELL + \
        'sh -c \'%s\' && status=0 || status=$?\n' % (
            (SHELL + setup + '\n' + PROBE + 'exit 0').replace("'", "'\\''"))
    listing = 'find /dev/shm -mindepth 1 -printf "%P %y %s\\n" 2>&1 || :; exit $status'
    p = subprocess.run(['unshare', '--mount', *more, 'sh', '-c',
                        script + listing], capture_output=True, text=True,
                       timeout=HANG_S, check=False)
    if 'unshare failed' in p.stderr or 'permission denied' in p.stderr.lower():
        raise Skipped('no mount namespaces here:', p.stderr)
    return p.returncode, p.stderr, p.stdout


def complains(setup, text, **more):
    """The program runs, with one line on stderr, and without a page."""
    status, err, left = in_private(setup, **more)
    must(status == 0, setup, status, err)
    must(re.fullmatch(r'mound: MOUND_WATCH: /dev/shm/mound-\d+(/[-\d]+\.page)?: '
                      '%s; this process cannot be seen from outside\n' % text, err),
         setup, ':', err)
    must('.page' not in left, setup, left)
    return left


def a_folder_that_is_not_ours_is_not_used(_):
    if os.geteuid() != 0:
        raise Skipped('only root makes folders of others')
    complains('mkdir -m 700 $folder; chown 12345 $folder',
              'belongs to another user')


def a_folder_that_others_may_use_is_not_used(_):
    for mode in ('755', '701', '770', '1777'):
        complains('mkdir $folder; chmod %s $folder' % mode,
                  'is open to other users; chmod 700 closes it')


def a_link_is_not_followed(_):
    left = complains('mkdir -m 700 /dev/shm/there; ln -s there $folder',
                     'is not a directory')
    must('there d' in left, left)
    complains('ln -s /nowhere $folder', 'is not a directory')
    complains('touch $folder', 'is not a directory')


def a_full_file_system_gives_one_line(_):
    """Whatever there is room for, the program never dies of SIGBUS."""
    for room in range(0, 5):
        status, err, left = in_private(
            'mkdir -m 700 $folder; head -c %d /dev/zero > /dev/shm/x' %
            ((8 - room) * 4096), size='32k')
        must(status == 0, room, status, err)
        if err:
            must('No space left on device; this process' in err and
                 err.count('\n') == 1 and '.page' not in left, room, err, left)
        else:
            must('.page f' in left, room, left)
        must((err == '') == (room >= 3), room, err)
    complains('', 'No space left on device', size='1m,nr_inodes=1')


def a_limit_on_the_size_of_files_gives_one_line(_):
    """Without SIGXFSZ, which ends a program."""
    for nbytes, says in ((0, True), (4096, True), (64 << 10, False)):
        p = subprocess.run(
            ['prlimit', '--fsize=%d' % nbytes, 'env', 'LD_PRELOAD=' + LIB,
             'MOUND_WATCH=1', WATCHED, 'exit', '0'], capture_output=True,
            text=True, timeout=HANG_S, check=False)
        must(p.returncode == 0, nbytes, p.returncode, p.stderr)
        must(('File too large; this process' in p.stderr and p.stderr.count('\n') == 1)
             if says else p.stderr == '', nbytes, p.stderr)


def without_dev_shm_there_is_one_line(_):
    complains('mount -t tmpfs none /dev', 'No such file or directory')
    complains('mount -o remount,ro /dev/shm', 'Read-only file system')


def without_proc_there_is_a_page(_):
    status, err, left = in_private('mount -t tmpfs none /proc')
    must(status == 0 and err == '', status, err)
    must(re.search(r'^mound-\d+/\d+-0\.page f', left, re.M), left)


def a_filter_that_knows_no_fallocate_gives_no_line(_):
    """As that of man's helpers, which would repeat it each time."""
    for error, says in (('ENOSYS', False), ('EPERM', True)):
        p = subprocess.run([SECCOMP, error, 'start', 'fallocate'],
                           env=dict(os.environ, LD_PRELOAD=LIB, MOUND_WATCH='1'),
                           capture_output=True, text=True, timeout=HANG_S,
                           check=False)
        if p.returncode == 77:
            raise Skipped('no filters here:', p.stderr)
        must(p.returncode == 0, error, p.returncode, p.stderr)
        lines = [line for line in p.stderr.splitlines() if 'MOUND_WATCH' in line]
        must((lines != []) == says, error, p.stderr)


def what_has_its_name_is_left_alone(_):
    for there in ('ln -s /dev/shm/victim $mine', 'echo hello > $mine',
                  'mkdir $mine', 'mkfifo $mine',
                  'head -c 20000 /dev/zero > $mine'):
        status, err, left = in_private(
            'mkdir -m 700 $folder\necho untouched > /dev/shm/victim\n' + MINE +
            there)
        must(status == 0 and err == '', there, status, err)
        must('victim f 10\n' in left, there, left)
        must(len(re.findall(r'\.page ', left)) == 2 and
             re.search(r'-\d+\.1\.page f', left), there, left)


def two_namespaces_with_one_folder_do_not_meet(folder):
    """A process of another pid namespace has the same number and start."""
    first = os.path.join(folder, 'first')
    with watched('idle', watch='keep') as w:
        w.hear('ready')
        other = page_read.path_of(w.pid)
        own = os.path.dirname(other)
        script = 'set -e; mount -t proc proc /proc; ' + SHELL + MINE + \
            'cp %s $mine; echo $mine > %s; ' % (other, first) + PROBE + 'exit 3'
        p = subprocess.run(['unshare', '--pid', '--fork', '--mount', 'sh', '-c',
                            script], capture_output=True, text=True,
                           timeout=HANG_S, check=False)
        if 'unshare failed' in p.stderr:
            raise Skipped('no pid namespaces here:', p.stderr)
        must(p.returncode == 3 and p.stderr == '', p.returncode, p.stderr)
        with open(first, encoding='utf-8') as f:
            name = f.read().strip()
        must(os.path.dirname(name) == own and
             os.path.basename(name).startswith('1-'), name)
        try:
            copy = page_read.read(name)
            page = page_read.read(name.replace('.page', '.1.page'))
            must(copy.identity.pid == w.pid, 'it was replaced')
            must(page.identity.pid == 1 and page.identity.status == 3 and
                 page.identity.pid_namespace != copy.identity.pid_namespace and
                 page.identity.start_ticks > 0, page.identity.pid)
        finally:
            for path in (name, name.replace('.page', '.1.page')):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)


def calls_of_the_start(folder):
    """The system calls that make a page: (name, how many of the name came before)."""
    path = os.path.join(folder, 'trace')
    subprocess.run(['strace', '-qq', '-o', path, '-E', 'LD_PRELOAD=' + LIB, '-E',
                    'MOUND_WATCH=keep', WATCHED, 'exit', '0'],
                   capture_output=True, timeout=HANG_S, check=False)
    if not os.path.exists(path) or os.path.getsize(path) == 0:
        raise Skipped('strace cannot trace here')
    with open(path, encoding='utf-8') as f:
        lines = f.read().splitlines()
    begin = next(i for i, line in enumerate(lines) if '/proc/self/ns/pid' in line)
    end = next(i for i, line in enumerate(lines) if line.startswith('fallocate'))
    calls = []
    for i in range(begin, end + 3):
        name = lines[i].split('(')[0]
        calls.append((name, sum(line.startswith(name + '(')
                                for line in lines[:i + 1])))
    return calls


def every_call_of_the_start_may_fail(folder):
    calls = calls_of_the_start(folder)
    must(8 <= len(calls) <= 10, calls)
    before = set(os.listdir(page_read.folder()))
    told = 0
    for name, n in calls:
        for error in ('EPERM', 'ENOMEM', 'ENOSYS'):
            p = subprocess.run(
                ['strace', '-qq', '-o', '/dev/null', '-E', 'LD_PRELOAD=' + LIB,
                 '-E', 'MOUND_WATCH=1', '-e', 'trace=' + name, '-e',
                 'inject=%s:error=%s:when=%d' % (name, error, n), WATCHED,
                 'exit', '6'], capture_output=True, text=True, timeout=HANG_S,
                check=False)
            must(p.returncode == 6, name, n, error, p.returncode, p.stderr)
            must(p.stderr == '' or (p.stderr.count('\n') == 1 and
                                    p.stderr.startswith('mound: MOUND_WATCH: ')),
                 name, n, error, p.stderr)
            must(p.stderr == '' or error != 'ENOSYS', name, n, p.stderr)
            told += p.stderr != ''
            made = {x for x in os.listdir(page_read.folder())
                    if x.split('-')[0] not in before and '-' in x} - before
            must(not [x for x in made if page_left(x)], name, n, error, made)
    # Folder, file, memory, mapping; the rest can be done without.
    must(told >= 8, told, 'errors were told')


def page_left(name):
    """Whether a page of that name is of a watched probe that is gone."""
    path = os.path.join(page_read.folder(), name)
    try:
        page = page_read.read(path)
    except (FileNotFoundError, AssertionError, ValueError, page_read.Torn):
        return False
    return page.identity.program == b'watched' and \
        not os.path.exists('/proc/%d' % page.identity.pid)


def memory_group(nbytes):
    """A control group with a limit, of either version."""
    name = 'mound-page-%d' % os.getpid()
    for root, limit in (('/sys/fs/cgroup/memory', 'memory.limit_in_bytes'),
                        ('/sys/fs/cgroup', 'memory.max')):
        path = os.path.join(root, name)
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            with open(os.path.join(path, limit), 'w', encoding='utf-8') as f:
                f.write(str(nbytes))
            return path
        except OSError:
            os.rmdir(path)
    raise Skipped('no control group can be made here')


def the_oom_killer_leaves_its_page(_):
    limit = 100 * MIB
    group = memory_group(limit)
    try:
        w = Watched('grow', '2000',
                    before=('sh', '-c', 'echo $$ > %s/cgroup.procs; exec "$@"' %
                            group, 'sh'))
        w.process.communicate(timeout=HANG_S)
        if w.process.returncode == 0:
            raise Skipped('the limit does not hold here')
        must(w.process.returncode == -9, w.process.returncode)
        left = page_read.pages_of(w.pid)
        must(len(left) == 1, left)
        page = page_read.read(left[0])
        os.unlink(left[0])
        now, stats = page.now, page.stats
        told = stats.rss + now.inuse + now.idle - stats.inuse - stats.idle
        # What the group pays for: not the pages of files that others had read.
        own = told - stats.rss_file - stats.rss_shmem
        print('# limit %.1f MiB, told %.1f, of it %.1f anonymous' %
              (limit / MIB, told / MIB, own / MIB))
        must(page.identity.state == RUNNING)
        must(now.inuse + now.idle + now.released == now.sys)
        must(abs(own - limit) <= 0.02 * limit + 4 * MIB, own, limit)
    finally:
        for _ in range(100):
            try:
                os.rmdir(group)
                break
            except OSError:
                time.sleep(0.05)


TESTS = [
    a_folder_that_is_not_ours_is_not_used,
    a_folder_that_others_may_use_is_not_used, a_link_is_not_followed,
    a_full_file_system_gives_one_line,
    a_limit_on_the_size_of_files_gives_one_line, without_dev_shm_there_is_one_line,
    without_proc_there_is_a_page, a_filter_that_knows_no_fallocate_gives_no_line,
    what_has_its_name_is_left_alone,
    two_namespaces_with_one_folder_do_not_meet,
    every_call_of_the_start_may_fail, the_oom_killer_leaves_its_page,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS, subprocess.TimeoutExpired, AssertionError,
                      StopIteration, page_read.Torn))
