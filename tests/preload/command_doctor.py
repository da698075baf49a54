#!/usr/bin/env python3
"""mound doctor: each of its lines is provoked, and a program without fault has none.
TAP."""
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from pages import is_root, keeper  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
BUILD = os.path.dirname(os.path.dirname(os.path.realpath(LIB)))
MOUND = os.path.join(BUILD, 'preload', 'command', 'mound')
PROBES = os.environ['MOUND_PROBES']
HANG_S = 60
CLEAN = {k: v for k, v in os.environ.items()
         if not k.startswith('MOUND_') and k != 'LD_PRELOAD'}
NOBODY = 65534
MIB = 1 << 20


def doctor(*argv, status=1, before=(), **options):
    """Runs it; returns the lines of its stdout, or of stderr if status is 2."""
    options = {'env': CLEAN, **options}
    done = subprocess.run([*before, MOUND, 'doctor', *map(str, argv)],
                          capture_output=True, text=True, timeout=HANG_S,
                          check=False, **options)
    must(done.returncode == status, argv, 'exit', done.returncode, done.stdout,
         done.stderr)
    return (done.stderr if status == 2 else done.stdout).splitlines()


def has(lines, *words):
    """The one line that has all of the words."""
    found = [line for line in lines if all(w in line for w in words)]
    must(len(found) == 1, words, 'in', lines)
    must(len(found[0].split(': ')) >= 3 or found[0].startswith('note: '),
         'what, why, what to do:', found[0])
    return found[0]


@contextlib.contextmanager
def running(*argv, env=None, settled=0.2, **options):
    """A process that sleeps, until the end of the block."""
    child = subprocess.Popen(argv, env={**CLEAN, **(env or {})},
                             stdin=subprocess.DEVNULL, **options)
    try:
        time.sleep(settled)
        must(child.poll() is None, argv, 'ended')
        yield child.pid
    finally:
        child.kill()
        child.wait(timeout=HANG_S)


SLEEP = ['sleep', '60']


def build(folder, name, source, *options):
    path = os.path.join(folder, name)
    with open(path + '.c', 'w', encoding='utf-8') as f:
        f.write(source)
    subprocess.run(['cc', '-w', '-o', path, path + '.c', *options], check=True,
                   timeout=HANG_S)
    return path


PAUSE = '#include <unistd.h>\nint main(void) { pause(); }\n'
OWN = ('#include <stddef.h>\nstatic char arena[1 << 24]; static size_t n;\n'
       'void *malloc(size_t k) { void *p = arena + n; n += k + 15 & ~15; return p; }\n'
       'void free(void *p) {}\n') + PAUSE


def a_program_without_fault_has_none(_):
    must('nothing found' in doctor('sleep', status=0)[-1], 'sleep')
    with running(*SLEEP, env={'LD_PRELOAD': LIB}) as pid:
        lines = doctor(pid, status=0)
    must('serves malloc' in lines[-1], lines)


def what_is_not_there_is_an_error(_):
    must('no such program' in doctor('no-such-program', status=2)[0], 'name')
    must('No such file' in doctor('/no/such', status=2)[0], 'path')
    must('No such process' in doctor(2**22 + 1, status=2)[0], 'pid')
    must('one PID or PROG' in doctor('1', '2', status=2)[0], 'two')


def programs_that_no_library_can_be_loaded_into(folder):
    has(doctor(build(folder, 'static', PAUSE, '-static')), 'statically linked',
        'moundmalloc')
    has(doctor(build(folder, 'musl', PAUSE,
                     '-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1')), 'musl')
    has(doctor(build(folder, 'uclibc', PAUSE,
                     '-Wl,--dynamic-linker=/lib/ld64-uClibc.so.0')), 'is another')
    has(doctor(build(folder, 'gone', PAUSE,
                     '-Wl,--dynamic-linker=/no/ld-linux-x86-64.so.2')),
        'its loader', 'cannot start')
    other = build(folder, 'other', PAUSE)
    with open(other, 'r+b') as f:
        f.seek(18)  # e_machine
        f.write(b'\xb7')
    has(doctor(other), 'aarch64')
    small = build(folder, 'small', 'void _start(void) {}', '-m32', '-nostdlib',
                  '-no-pie')
    has(doctor(small), '32-bit x86')


def scripts_are_as_their_interpreter(folder):
    static = build(folder, 'static', PAUSE, '-static')
    has(doctor('/etc/passwd'), 'not executable')
    has(doctor('/usr'), 'Is a directory')
    for first, words in (('#!' + static, ['statically linked', static]),
                         ('#!/no/such', ['/no/such', 'No such file']),
                         ('#!', ['names no interpreter']),
                         ('echo', ['neither an ELF program nor a script'])):
        script = os.path.join(folder, 'script')
        with open(script, 'w', encoding='utf-8') as f:
            f.write(first + '\n')
        os.chmod(script, 0o755)
        has(doctor(script), *words)
    with open(script, 'w', encoding='utf-8') as f:
        f.write('#!/usr/bin/env sh\n')
    doctor(script, status=0)


def programs_with_a_malloc_of_their_own(folder):
    own = build(folder, 'own', OWN)
    has(doctor(own), 'has a malloc of its own, which comes before')
    hidden = build(folder, 'hidden', OWN.replace(
        'void *malloc', '__attribute__((visibility("hidden"))) void *malloc'))
    has(doctor(hidden), 'malloc of its own for its own code')
    named = build(folder, 'named', 'void mi_malloc(void) {}\n' + PAUSE)
    has(doctor(named, status=0), 'note: ', 'mi_malloc')
    with running(own, env={'LD_PRELOAD': LIB}) as pid:
        has(doctor(pid), 'has a malloc of its own')


def programs_with_a_heap_beside_malloc(folder):
    has(doctor('/usr/bin/python3', status=0), 'note: ', 'PYTHONMALLOC')
    go = build(folder, 'go', '__attribute__((section(".go.buildinfo"))) int go;\n' + PAUSE)
    has(doctor(go, status=0), 'note: ', 'a Go program')


def sanitizers(folder):
    program = build(folder, 'asan', PAUSE, '-fsanitize=address')
    has(doctor(program), 'sanitizer')
    with running(program, env={'LD_PRELOAD': LIB},
                 stderr=subprocess.DEVNULL) as pid:
        lines = doctor(pid)
    must(any('sanitizer' in line for line in lines), lines)


def programs_with_raised_rights(folder):
    if not is_root():
        raise Skipped('not root')
    os.chmod(folder, 0o755)
    program = build(folder, 'raised', PAUSE)
    user = {'user': NOBODY, 'group': NOBODY}
    os.chmod(program, 0o4755)
    has(doctor(program, **user), 'set-user-ID of user 0')
    with running(program, env={'LD_PRELOAD': LIB}, **user) as pid:
        has(doctor(pid), 'more rights than its caller')
    os.chmod(program, 0o2755)
    has(doctor(program, **user), 'set-group-ID of group 0')
    os.chmod(program, 0o755)
    # cap_net_raw, effective and permitted: struct vfs_cap_data.
    os.setxattr(program, 'security.capability',
                (0x02000001).to_bytes(4, 'little') +
                (1 << 13).to_bytes(4, 'little') + bytes(12))
    has(doctor(program, **user), 'file capabilities')
    doctor(program, status=0)


def an_ld_preload_that_leads_nowhere(folder):
    gone = os.path.join(folder, 'libmound.so.0')
    has(doctor('sleep', env={**CLEAN, 'LD_PRELOAD': gone}), gone, 'No such file')
    os.mkdir(gone)
    has(doctor('sleep', env={**CLEAN, 'LD_PRELOAD': gone}), 'a directory')
    os.rmdir(gone)
    shutil.copy(LIB, gone)
    with open(gone, 'r+b') as f:
        f.seek(18)
        f.write(b'\xb7')
    has(doctor('sleep', env={**CLEAN, 'LD_PRELOAD': gone}), 'another processor')
    with open(gone, 'w', encoding='utf-8') as f:
        f.write('text')
    with running(*SLEEP, env={'LD_PRELOAD': gone},
                 stderr=subprocess.DEVNULL) as pid:
        has(doctor(pid), gone, 'not an ELF library')
        shutil.copy(LIB, gone)
        has(doctor(pid), 'can be now', 'restart it')


def an_ld_preload_that_its_user_may_not_read(folder):
    if not is_root():
        raise Skipped('not root')
    os.chmod(folder, 0o700)
    copy = os.path.join(folder, 'libmound.so.0')
    shutil.copy(LIB, copy)
    with running(*SLEEP, env={'LD_PRELOAD': copy}, stderr=subprocess.DEVNULL,
                 user=NOBODY, group=NOBODY) as pid:
        has(doctor(pid), 'user 65534 may not enter', folder)
        os.chmod(folder, 0o755)
        os.chmod(copy, 0o600)
        has(doctor(pid), 'user 65534 may not read')


def a_library_in_front(_):
    front = os.path.join(PROBES, 'wrapper.so')
    value = front + ':' + LIB
    words = ['preloaded before libmound.so', 'wrapper.so']
    has(doctor('sleep', env={**CLEAN, 'LD_PRELOAD': value}), *words)
    with running(*SLEEP, env={'LD_PRELOAD': value}) as pid:
        has(doctor(pid), *words)


def an_older_c_library(folder):
    """A loader, and beside it a C library that has one version only."""
    script = os.path.join(folder, 'versions')
    with open(script, 'w', encoding='utf-8') as f:
        f.write('GLIBC_2.2.5 { global: *; };\n')
    libc = build(folder, 'libc.so.6', 'int old(void) { return 1; }', '-shared',
                 '-fPIC', '-nostdlib', '-Wl,--version-script=' + script)
    loader = os.path.join(folder, 'ld-linux-x86-64.so.2')
    os.symlink(libc, loader)
    program = build(folder, 'older', PAUSE, '-Wl,--dynamic-linker=' + loader)
    has(doctor(program, env={**CLEAN, 'LD_PRELOAD': LIB}), 'has no GLIBC_2',
        libc)


def a_variable_that_got_lost_on_the_way(_):
    shell = ['sh', '-c', 'env -u LD_PRELOAD sleep 60 & echo $!; wait']
    child = subprocess.Popen(shell, env={**CLEAN, 'LD_PRELOAD': LIB},
                             stdout=subprocess.PIPE, text=True)
    pid = int(child.stdout.readline())
    try:
        time.sleep(0.2)
        has(doctor(pid), 'pid %d) has it, its child sleep (pid %d)' % (
            child.pid, pid))
    finally:
        os.kill(pid, 9)
        child.wait(timeout=HANG_S)
    with running(*SLEEP) as pid:
        has(doctor(pid), 'LD_PRELOAD: not set', 'mound run')


def programs_that_are_known_to_drop_it(folder):
    shell = os.path.join(folder, 'sudo')
    shutil.copy('/bin/sh', shell)
    child = subprocess.Popen([shell, '-c', 'env -u LD_PRELOAD sleep 60 & echo $!; wait'],
                             env={**CLEAN, 'LD_PRELOAD': LIB}, stdout=subprocess.PIPE,
                             text=True)
    pid = int(child.stdout.readline())
    try:
        time.sleep(0.2)
        has(doctor(pid), 'sudo (pid %d)' % child.pid, 'sudo mound run')
    finally:
        os.kill(pid, 9)
        child.wait(timeout=HANG_S)
        child.stdout.close()


def a_service_of_systemd(folder):
    group = os.path.join(folder, 'group')
    with open(group, 'w', encoding='utf-8') as f:
        f.write('0::/system.slice/web.service\n')
    has(in_namespace(folder, script='sleep 2 >/dev/null 2>&1 & sleep 0.1; '
                     'mount --bind %s /proc/$!/cgroup; set -- "$@" $!' % group),
        'systemctl edit web')


def what_the_page_tells(_):
    with keeper('page', 'serves=4', 'refused=1', 'listening=1', LD_PRELOAD=LIB) as child:
        lines = doctor(child.pid)
    has(lines, 'another malloc, which passes some calls on')
    has(lines, 'takes no memory back')
    with keeper('page', LD_PRELOAD=LIB) as child:
        has(doctor(child.pid, status=0), 'note: MOUND_CONTROL: not set')


def a_page_that_is_not_there(_):
    with running(*SLEEP, env={'LD_PRELOAD': LIB}) as pid:
        has(doctor(pid, status=0), 'note: MOUND_WATCH: not set')
    with running(*SLEEP, env={'LD_PRELOAD': LIB, 'MOUND_WATCH': '1'}) as pid:
        has(doctor(pid, status=0), 'note: MOUND_CONTROL: not set')
        folder = '/dev/shm/mound-%d/' % os.geteuid()
        for name in os.listdir(folder):
            if name.startswith('%d-' % pid):
                os.unlink(folder + name)
        has(doctor(pid), 'MOUND_WATCH: set, and there is no page')


def variables_of_mound(_):
    env = {**CLEAN, 'MOUND_DECAY': 'soon', 'MOUND_THP': 'yes'}
    lines = doctor('sleep', env=env)
    has(lines, 'MOUND_DECAY=soon', 'not understood')
    has(lines, 'MOUND_THP=yes', 'not understood')
    with running(*SLEEP, stderr=subprocess.DEVNULL,
                 env={'LD_PRELOAD': LIB, 'MOUND_GUARD': 'x',
                      'MOUND_OFF': '1', 'MOUND_DEEPBIND': 'keep'}) as pid:
        lines = doctor(pid)
    has(lines, 'MOUND_GUARD=x')
    has(lines, 'MOUND_OFF=1', 'unset it')
    has(lines, 'MOUND_DEEPBIND=keep')


def a_second_c_library(folder):
    program = build(folder, 'second', '''
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <unistd.h>
        int main(void) { dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW); pause(); }
        ''')
    with running(program, env={'LD_PRELOAD': LIB}) as pid:
        has(doctor(pid), 'loaded 2 times', 'dlmopen')


def limits_of_a_process(folder):
    def little():
        resource.setrlimit(resource.RLIMIT_AS, (64 * MIB, 64 * MIB))
        resource.setrlimit(resource.RLIMIT_DATA, (64 * MIB, 64 * MIB))
    lines = doctor('sleep', preexec_fn=little)
    has(lines, 'RLIMIT_AS', '64.0 MiB')
    has(lines, 'RLIMIT_DATA', '64.0 MiB')
    full = build(folder, 'full', '''
        #include <sys/mman.h>
        #include <unistd.h>
        int main(void) {
            mmap(0, 100 << 20, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            pause();
        }''')

    def nearly():
        resource.setrlimit(resource.RLIMIT_AS, (112 * MIB, 112 * MIB))
        resource.setrlimit(resource.RLIMIT_DATA, (110 * MIB, 110 * MIB))
    with running(full, env={'LD_PRELOAD': LIB}, preexec_fn=nearly) as pid:
        lines = doctor(pid)
    has(lines, 'RLIMIT_AS', 'used', 'raise it')
    has(lines, 'RLIMIT_DATA', 'used', 'raise it')


def locked_memory(folder):
    locked = build(folder, 'locked', '''
        #include <sys/mman.h>
        #include <unistd.h>
        int main(void) { if (mlockall(MCL_CURRENT)) return 1; pause(); }''')

    nearly = build(folder, 'nearly', '''
        #include <sys/mman.h>
        #include <unistd.h>
        int main(void) {
            void *p = mmap(0, 7700 << 10, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (mlock(p, 7700 << 10)) return 1;
            pause();
        }''')
    os.chmod(folder, 0o755)
    user = {'user': NOBODY, 'group': NOBODY} if is_root() else {}
    try:
        def limit():
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 * MIB, 8 * MIB))
        if is_root() or os.geteuid() != 0:  # else nobody else is there to be limited
            with running(nearly, env={'LD_PRELOAD': LIB}, preexec_fn=limit,
                         **user) as pid:
                has(doctor(pid), 'RLIMIT_MEMLOCK', 'raise it')
        with running(locked, env={'LD_PRELOAD': LIB}) as pid:
            has(doctor(pid), 'mlockall', 'lock less')
    except tap.Failed as why:
        if 'ended' in str(why):
            raise Skipped('may not lock that much') from why
        raise


def filters_and_prctl(folder):
    program = build(folder, 'filtered', '''
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <sys/prctl.h>
        #include <unistd.h>
        int main(void) {
            struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
            struct sock_fprog filter = {1, all};
            prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
            pause();
        }''')
    with running(program, env={'LD_PRELOAD': LIB, 'MOUND_WATCH': '1',
                               'MOUND_CONTROL': '1'}) as pid:
        lines = doctor(pid)
    has(lines, 'MOUND_CONTROL: no thread answers requests', 'MOUND_PROFILE_SIGNAL')
    has(lines, 'note: seccomp')
    has(lines, 'note: huge pages', 'prctl')


def a_library_that_was_replaced(folder):
    copy = os.path.join(folder, 'libmound.so.0')
    shutil.copy(LIB, copy)
    with running(*SLEEP, env={'LD_PRELOAD': copy}) as pid:
        os.unlink(copy)
        shutil.copy(LIB, copy)
        has(doctor(pid, status=0), 'note: ', 'replaced')


def ended_processes_and_threads_of_the_kernel(_):
    child = subprocess.Popen(['true'])
    time.sleep(0.2)
    has(doctor(child.pid), 'has ended')
    child.wait(timeout=HANG_S)
    if is_root() and os.path.exists('/proc/2/comm'):
        with open('/proc/2/comm', encoding='utf-8') as f:
            if f.read() == 'kthreadd\n':
                has(doctor(2), 'thread of the kernel')


def another_users_process(folder):
    if not is_root():
        raise Skipped('not root')
    with running(*SLEEP) as pid:
        lines = doctor(pid, status=2, user=NOBODY, group=NOBODY)
    must('Permission denied' in lines[0] and 'as root' in lines[0], lines)


def a_process_of_its_user_that_is_protected(_):
    if not is_root():
        raise Skipped('not root')
    with running('python3', '-c', 'import ctypes, time\n'
                 'ctypes.CDLL(None).prctl(4, 0)\ntime.sleep(100)',
                 user=NOBODY, group=NOBODY) as pid:
        lines = doctor(pid, status=2, user=NOBODY, group=NOBODY)
    must('not dumpable' in lines[0] and 'belongs to' not in lines[0], lines)


def a_name_with_escape_sequences(folder):
    name = os.path.join(folder, 'a\033[31mb')
    shutil.copy('/bin/sleep', name)
    with running(name, '100', env={'LD_PRELOAD': LIB}) as pid:
        lines = doctor(pid, status=0) + doctor(name, status=0)
    must('?[31mb' in lines[-1] and not any('\033' in line for line in lines), lines)


def in_namespace(folder, *argv, binds=(), script='', status=1, env=None):
    """Runs doctor where files of the machine have other contents."""
    unshare = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
    if subprocess.run([*unshare, 'true'], capture_output=True,
                      check=False).returncode != 0:
        raise Skipped('no namespaces here')
    lines = ['mount -t tmpfs -o mode=1777 none /dev/shm']
    for i, (path, text) in enumerate(binds):
        own = os.path.join(folder, 'bind%d' % i)
        with open(own, 'w', encoding='utf-8') as f:
            f.write(text)
        lines.append('mount --bind %s %s' % (own, path))
    return doctor(*argv, status=status, env=env or CLEAN, before=[
        *unshare, 'sh', '-ec', '\n'.join([*lines, script, 'exec "$@"']), 'sh'])


def settings_of_the_machine(folder):
    thp = '/sys/kernel/mm/transparent_hugepage/enabled'
    must('note: ' in has(in_namespace(folder, binds=[
        (thp, '[always] madvise never\n')], status=0), thp, 'always'), 'always')
    has(in_namespace(folder, binds=[(thp, 'always madvise [never]\n')],
                     status=0), thp, 'never: mound uses no huge pages')
    lines = in_namespace(folder, binds=[
        ('/proc/sys/vm/overcommit_memory', '2\n'),
        ('/proc/sys/vm/max_map_count', '1000\n')])
    has(lines, 'overcommit_memory: 2')
    has(lines, 'max_map_count: 1000')


def who_may_read(folder):
    kernel = 'mount -t tmpfs none /proc/sys/kernel; mkdir /proc/sys/kernel/yama; ' \
        'echo %d >/proc/sys/kernel/yama/ptrace_scope'
    for value, words in ((1, 'only root'), (2, 'only root'), (3, 'nobody')):
        has(in_namespace(folder, script=kernel % value, status=0),
            'ptrace_scope: %d' % value, words)


def a_process_near_the_most_mappings(folder):
    has(in_namespace(folder, binds=[('/proc/sys/vm/max_map_count', '20\n')],
                     script='LD_PRELOAD=%s sleep 2 >/dev/null 2>&1 & sleep 0.2; '
                     'set -- "$@" $!' % LIB), 'max_map_count', 'of 20')


def the_place_of_the_pages(folder):
    tmpfs = 'mount -t tmpfs -o size=%s none /dev/shm; '
    has(in_namespace(folder, script='mount -t tmpfs none /dev'), '/dev/shm',
        'No such file')
    has(in_namespace(folder, script='mount -t tmpfs -o ro none /dev/shm'),
        '/dev/shm', 'read-only')
    has(in_namespace(folder, script=tmpfs % '64k' +
                     'head -c 60000 /dev/zero >/dev/shm/x'), '/dev/shm: full')
    has(in_namespace(folder, script=tmpfs % '1m' +
                     'mkdir -m 755 /dev/shm/mound-$(id -u)'), 'mode 0700')


def every_program_of_a_machine(folder):
    """The loader reads the file, too."""
    copy = os.path.join(folder, 'libmound.so.0')
    shutil.copy(LIB, copy)
    write = 'mount -t tmpfs none /etc; echo %s >/etc/ld.so.preload'
    has(in_namespace(folder, script=write % copy, status=0),
        'note: /etc/ld.so.preload')
    has(in_namespace(folder, script=write % copy + '; rm ' + copy),
        copy, 'No such file')


def a_library_on_a_mount_without_exec(folder):
    has(in_namespace(
        folder, 'sleep', env={**CLEAN, 'LD_PRELOAD': '/mnt/libmound.so.0'},
        script='unset LD_PRELOAD; mount -t tmpfs -o noexec none /mnt; '
        'cp %s /mnt/libmound.so.0; export LD_PRELOAD=/mnt/libmound.so.0' % LIB),
        'noexec')


def a_process_in_another_root(folder):
    """It sees no library under the path that it was told."""
    path = os.path.join(folder, 'libmound.so.0')
    shutil.copy(LIB, path)
    unshare = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
    with running(*unshare, 'sh', '-c', 'mount -t tmpfs none %s; '
                 'LD_PRELOAD=%s exec sleep 60' % (folder, path),
                 stderr=subprocess.DEVNULL) as pid:
        has(doctor(pid), 'where that process sees it', 'container or chroot')


def a_control_group_near_its_limit(folder):
    """Of both versions."""
    groups = """
        mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/memory
        cd /sys/fs/cgroup; echo %d | tee memory.current \\
            memory/memory.usage_in_bytes >/dev/null
        echo %d | tee memory.max memory/memory.limit_in_bytes >/dev/null; cd /"""
    has(in_namespace(folder, 'sleep', script=groups % (95 * MIB, 100 * MIB)),
        'the kernel kills', '95.0 MiB of 100.0 MiB')
    has(in_namespace(folder, 'sleep', script=groups % (5 * MIB, 100 * MIB),
                     status=0), 'note: /sys/fs/cgroup', 'MOUND_MEMLIMIT=cgroup')


TESTS = [
    a_program_without_fault_has_none,
    what_is_not_there_is_an_error,
    programs_that_no_library_can_be_loaded_into,
    scripts_are_as_their_interpreter,
    programs_with_a_malloc_of_their_own,
    programs_with_a_heap_beside_malloc,
    sanitizers,
    programs_with_raised_rights,
    an_ld_preload_that_leads_nowhere,
    an_ld_preload_that_its_user_may_not_read,
    a_library_in_front,
    an_older_c_library,
    a_variable_that_got_lost_on_the_way,
    variables_of_mound,
    programs_that_are_known_to_drop_it,
    a_service_of_systemd,
    what_the_page_tells,
    a_page_that_is_not_there,
    a_second_c_library,
    limits_of_a_process,
    locked_memory,
    filters_and_prctl,
    a_library_that_was_replaced,
    ended_processes_and_threads_of_the_kernel,
    another_users_process,
    a_process_of_its_user_that_is_protected,
    a_name_with_escape_sequences,
    settings_of_the_machine,
    who_may_read,
    a_process_near_the_most_mappings,
    the_place_of_the_pages,
    every_program_of_a_machine,
    a_library_on_a_mount_without_exec,
    a_process_in_another_root,
    a_control_group_near_its_limit,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
