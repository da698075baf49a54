#!/usr/bin/env python3
"""mound profile PID: processes that know what they allocate, real ones, one that
samples by itself, Ctrl-C, and what is left behind. TAP."""
import contextlib
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import command  # noqa: E402
import tap  # noqa: E402
from tap import Skipped, must, wait_until  # noqa: E402

PAGES = '/dev/shm/mound-%d' % os.geteuid()
KIB, MIB = 1 << 10, 1 << 20

# A step each 10 ms: 100 KiB that stay, 1 MiB that is freed at once.
PROGRAM = r'''
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char *volatile kept;
__attribute__((noinline)) static void leak(void) {
    for (int i = 0; i < 100; i++)
        memset(kept = malloc(1000), 1, 1000);
}
__attribute__((noinline)) static void work(void) {
    char *block = memset(malloc(1 << 20), 1, 1 << 20);
    kept = block;
    free(block);
}
int main(void) {
    for (int i = 0; i < 3000; i++) {
        leak();
        work();
        usleep(10 * 1000);
    }
    return 0;
}
'''


def build(folder):
    path = os.path.join(folder, 'steps')
    with open(path + '.c', 'w', encoding='ascii') as f:
        f.write(PROGRAM)
    subprocess.run(['cc', '-O1', '-g', '-o', path, path + '.c'], check=True)
    return path


def forget(pid):
    """Removes the page of one process; mound clean would take those of tests that
    run at the same time."""
    for name in page_of(pid):
        os.remove(os.path.join(PAGES, name))


@contextlib.contextmanager
def running(*argv, mound=True, **variables):
    """A process, by mound run, that has its page with all that is in it."""
    process = subprocess.Popen(
        [command.MOUND, 'run', '--', *argv] if mound else argv,
        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        start_new_session=True, env={**os.environ, **variables})
    try:
        if mound:
            wait_until(lambda: any(map(is_whole, page_of(process.pid))), 'a page')
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        forget(process.pid)


def is_whole(name):
    """Whether a process wrote all of a page: it writes the magic last."""
    with open(os.path.join(PAGES, name), 'rb') as f:
        return any(f.read(8))


def page_of(pid):
    with contextlib.suppress(FileNotFoundError):
        return [n for n in os.listdir(PAGES) if n.startswith('%d-' % pid)]
    return []


def profile(pid, *argv, **options):
    out, said = command.mound('profile', str(pid), *argv, **options)
    must(said == '', said)
    must([n for n in page_of(pid) if not n.endswith('.page')] == [],
         'left behind:', page_of(pid))
    return out


def functions(text):
    """{function: bytes by itself} of a table."""
    unit = {'B': 1, 'KiB': KIB, 'MiB': MIB, 'GiB': KIB * MIB}
    part = text[text.index('Functions with'):].split('\n\n')[0]
    rows = [r.split() for r in part.splitlines()[2:]]
    return {r[-1]: float(r[0]) * unit[r[1]] for r in rows}


def shows_who_allocates_and_stops_again(folder):
    with running(build(folder)) as pid:
        text = profile(pid, '--for=1s', '--rate=1KiB')
        found = functions(text)
        # 10 MiB a second at most, as a step takes 10 ms and more.
        must(1 * MIB < found['leak'] < 12 * MIB, text)
        must('work' not in found or found['work'] <= 2 * MIB, text)
        must(re.search(r'leak \(steps.c:8\)\n +main \(steps.c:17\)', text),
             text)
        must('steps (%d)\n' % pid in text and
             'of what was allocated in 1.0 s' in text, text)
        text = profile(pid, '--for=0.5s', '--rate=1KiB', '--allocated',
                       '--top=1')
        must(functions(text)['work'] > 5 * functions(text).get('leak', 1))
        before = functions(profile(pid, '--for=0', '--rate=1TiB'))['leak']
        time.sleep(0.3)
        after = functions(profile(pid, '--for=0', '--rate=1TiB'))['leak']
        must(before == after, 'it sampled on:', before, after)


def shows_what_grew_and_what_stayed(folder):
    with running(build(folder)) as pid:
        text = profile(pid, '--for=1s', '--rate=1KiB', '--growth')
        found = functions(text)
        must(1 * MIB < found['leak'] < 12 * MIB, text)
        must('+' in text and 'not counted' in text, text)
    with running(build(folder)) as pid:
        text = profile(pid, '--for=1s', '--rate=1KiB', '--leaks')
        found = functions(text)
        must(0.5 * MIB < found['leak'] < 6 * MIB, text)
        must('work' not in found, text)
        must('allocated in the first half' in text, text)
    with running(build(folder)) as pid:
        text = profile(pid, '--for=0.5s', '--rate=1KiB', '--peak')
        must('at the moment with the most' in text, text)
        must('leak' in functions(text), text)


def leaves_the_sampling_of_the_process_itself(folder):
    out = os.path.join(folder, 'own.pb.gz')
    with running(build(folder), MOUND_PROFILE=out, MOUND_PROFILE_RATE='1024',
                 MOUND_PROFILE_AT='peak') as pid:
        wait_until(lambda: 'leak' in functions(profile(pid)), 'samples of leak')
        first = functions(profile(pid))
        time.sleep(0.3)
        text = profile(pid)
        must('of what was allocated since the process began to sample' in text, text)
        second = functions(text)
        must(second['leak'] > first['leak'] > 0, first, second)
        text = profile(pid, '--leaks', '--for=0.4s')
        must('need not be the same objects' in text, text)
        must(functions(text)['leak'] > second['leak'], text)
        must('work' not in functions(text), text)
        must(functions(profile(pid, '--peak'))['leak'] > second['leak'])
        must(functions(profile(pid))['leak'] > functions(text)['leak'])


def several_at_once_get_a_profile_each(folder):
    with running(build(folder), MOUND_PROFILE_RATE='1000') as pid:
        at_once = [subprocess.Popen(
            [command.MOUND, 'profile', str(pid), '--for', '300ms'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(5)]
        for p in at_once:
            out, err = p.communicate(timeout=60)
            must(p.returncode == 0 and err == '' and 'leak' in out,
                 p.returncode, err, out)
        must(len(page_of(pid)) == 1, page_of(pid))


def is_sampled(pid):
    text = command.mound('stats', '--openmetrics', str(pid))[0]
    return any(line.startswith('mound_profile_rate_bytes') and
               line.split()[-1] != '0' for line in text.splitlines())


def one_that_ends_leaves_the_samples_to_the_others(folder):
    with running(build(folder)) as pid:
        with subprocess.Popen([command.MOUND, 'profile', str(pid), '--for=60s'],
                              stdout=subprocess.PIPE, text=True) as first:
            wait_until(lambda: is_sampled(pid), 'samples')
            text = profile(pid, '--for=0.2s')
            must('began to sample' not in text, text)
            must(is_sampled(pid), 'the first one has no samples any more')
            text = profile(pid, '--leaks', '--for=0.2s')
            must('need not be the same objects' in text, text)
            must(is_sampled(pid))
            first.send_signal(signal.SIGINT)
            must('leak' in functions(first.communicate(timeout=60)[0]))
        # The figures of a page are published now and then.
        wait_until(lambda: not is_sampled(pid), 'the end of the samples')


def stops_at_ctrl_c(folder):
    with running(build(folder)) as pid:
        started = time.monotonic()
        child = subprocess.Popen(
            [command.MOUND, 'profile', str(pid), '--for=60s', '--rate=1KiB'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: is_sampled(pid), 'samples')
        child.send_signal(signal.SIGINT)
        out, said = child.communicate(timeout=20)
        must(child.returncode == 0 and said == '', child.returncode, said)
        must('interrupted before the time was over' in out, out)
        must(time.monotonic() - started < 50)
        before = functions(profile(pid, '--for=0', '--rate=1TiB'))['leak']
        time.sleep(0.2)
        must(functions(profile(pid, '--for=0', '--rate=1TiB'))['leak'] ==
             before, 'it samples on')


def names_a_program_whose_file_is_gone(folder):
    if os.geteuid() != 0:
        raise Skipped('only root may open map_files')
    program = build(folder)
    with running(program) as pid:
        os.remove(program)
        found = functions(profile(pid, '--for=0.3s', '--rate=1KiB'))
        must('leak' in found, found)


def says_when_nothing_was_sampled(folder):
    with running(build(folder)) as pid:
        text = profile(pid, '--for=0.2s', '--rate=1TiB')
        must('no object was sampled; a longer --for or a smaller --rate' in
             text and text.count('none') == 2, text)


def writes_a_file_and_a_page(folder):
    path = os.path.join(folder, 'x.pb.gz')
    with running(build(folder)) as pid:
        page = profile(pid, '--for=0.3s', '--rate=1KiB', '--flame', '-o', path)
    must(page.startswith('<!doctype html>') and '"leak"' in page, page[:200])
    with open(path, 'rb') as f:
        must(b'leak' in gzip.decompress(f.read()))
    out, _ = command.mound('profile', path)
    must('leak' in functions(out), out)


def looks_at_python_redis_and_a_compiler(folder):
    ready = os.path.join(folder, 'ready')
    script = ('import time\nkept = []\nopen("%s", "w")\nwhile True:\n' % ready +
              '    kept.append([str(i) for i in range(2000)])\n'
              '    time.sleep(0.01)\n')
    with running('/usr/bin/python3', '-c', script,
                 PYTHONMALLOC='malloc') as pid:
        until = time.monotonic() + 20
        while not os.path.exists(ready) and time.monotonic() < until:
            time.sleep(0.02)
        text = profile(pid, '--for=0.7s', '--rate=4KiB')
        # One that is exported, for static names may be stripped.
        must(re.search(r'\bPy[A-Z]\w+_\w+', text), text)
    socket = os.path.join(folder, 's')
    with running('redis-server', '--port', '0', '--unixsocket', socket,
                 '--save', '', '--dir', folder) as pid:
        until = time.monotonic() + 10
        while not os.path.exists(socket) and time.monotonic() < until:
            time.sleep(0.02)
        load = subprocess.Popen(
            ['redis-cli', '-s', socket, 'eval', 'for i = 1, 100000 do '
             'redis.call("set", "key" .. i, ("x"):rep(100)) end', '0'],
            stdout=subprocess.DEVNULL)
        found = functions(profile(pid, '--for=1s', '--rate=4KiB'))
        load.wait(timeout=30)
        must(sum(found.values()) > MIB, found)
        # Idle, it allocates ten times a second.
        profile(pid, '--for=0.3s', '--growth')
    source = os.path.join(folder, 'x.cc')
    with open(source, 'w', encoding='ascii') as f:
        f.write('#include <map>\n#include <regex>\n#include <string>\n' + ''.join(
            'struct s%d {}; std::map<std::string, s%d *> m%d; void f%d() { '
            'm%d["x"] = 0; std::regex r("a%d"); }\n' % ((i,) * 6)
            for i in range(60)))
    with running('g++', '-O2', '-c', source, '-o', '/dev/null') as pid:
        until, child = time.monotonic() + 10, None
        while child is None and time.monotonic() < until:
            with contextlib.suppress(OSError):
                with open(f'/proc/{pid}/task/{pid}/children',
                          encoding='ascii') as f:
                    child = next((c for c in f.read().split()
                                  if page_of(int(c))), None)
            time.sleep(0.02)
        must(child is not None, 'no cc1plus')
        found = functions(profile(int(child), '--for=0.5s', '--rate=16KiB'))
        must(sum(found.values()) > 100 * KIB, found)
    forget(int(child))


def finds_a_process_by_its_name(folder):
    program = build(folder)
    named = os.path.join(folder, 'only-this-one')
    os.rename(program, named)
    with running(named):
        text, _ = command.mound('profile', 'only-this-one', '--for=300ms')
        must('Functions with' in text, text)
        _, said = command.mound('profile', 'no-such-process', status=2)
        must(said == 'mound: no-such-process: No such file or directory\n', said)


def says_why_it_cannot(folder):
    with running('sleep', '60', mound=False) as pid:
        said = command.one_line(command.mound('profile', str(pid),
                                              status=2)[1])
        must('%d (sleep): ' % pid in said, said)
    with running('env', 'LD_PRELOAD=' + command.LIB, build(folder),
                 mound=False) as pid:
        wait_until(lambda: command.has_mapped(pid, command.LIB), 'the library')
        said = command.one_line(command.mound('profile', str(pid),
                                              status=2)[1])
        must('MOUND_CONTROL=1' in said, said)
    with running(build(folder)) as pid:
        child = subprocess.Popen([command.MOUND, 'profile', str(pid)],
                                 stderr=subprocess.PIPE, text=True)
        wait_until(lambda: is_sampled(pid), 'samples')
        os.kill(pid, signal.SIGKILL)
        _, said = child.communicate(timeout=20)
        must(child.returncode == 2 and 'has ended' in command.one_line(said),
             said)
    command.one_line(command.mound('profile', '99999999', status=2)[1])
    for argv in (['1', '--for=x'], ['1', '--rate=0'], ['1', '--for=2d'],
                 ['1', '--peak', '--leaks'], ['1', '2']):
        command.mound('profile', *argv, status=2)
    said = command.one_line(command.mound('profile', '--growth', folder,
                                          status=2)[1])
    must('need a process' in said, said)


def compares_statistics(folder):
    program = build(folder)
    with running(program) as pid:
        one = os.path.join(folder, 'one.json')
        with open(one, 'w', encoding='ascii') as f:
            f.write(command.mound('stats', '--json', str(pid))[0])
        time.sleep(0.5)
        out, _ = command.mound('diff', one, str(pid))
        lines = {line[2:16].strip(): line[16:].split()
                 for line in out.splitlines() if line.startswith('  ')}
        grown = lines['live objects']
        must(grown[-1] == 'MiB' and 0.5 < float(grown[-2]) < 6, out)
        must(re.search(r'^ +1.0 KiB .*\+\d\.\d MiB', out, re.M), out)
        must(lines['objects in use'][-1] == 'k', out)
        with open(one, encoding='ascii') as f:
            rss = json.load(f)['mound']['rss']
        must(lines['RSS'][0] == '%.1f' % (rss / MIB), out)
    bad = os.path.join(folder, 'bad.json')
    for text, why in (('{"a": 1}', 'these are not statistics of mound'),
                      ('{"a": ', 'this is not JSON'),
                      ('{' * 100, 'this is not JSON')):
        with open(bad, 'w', encoding='ascii') as f:
            f.write(text)
        must(command.mound('diff', bad, one, status=2)[1] ==
             f'mound: {bad}: {why}\n')
    command.one_line(command.mound('diff', one, folder, status=2)[1])


TESTS = (
    shows_who_allocates_and_stops_again,
    shows_what_grew_and_what_stayed,
    leaves_the_sampling_of_the_process_itself,
    several_at_once_get_a_profile_each,
    one_that_ends_leaves_the_samples_to_the_others,
    stops_at_ctrl_c,
    names_a_program_whose_file_is_gone,
    says_when_nothing_was_sampled,
    writes_a_file_and_a_page,
    looks_at_python_redis_and_a_compiler,
    finds_a_process_by_its_name,
    says_why_it_cannot,
    compares_statistics,
)

if __name__ == '__main__':
    sys.exit(tap.main(TESTS, KeyError, ValueError))
