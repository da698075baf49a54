#!/usr/bin/env python3
"""mound record and mound report: what is recorded of programs that know what they do,
that fail, that are killed; the page in a real browser; damaged files. TAP."""
import json
import os
import random
import re
import subprocess
import sys
import time

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import browser  # noqa: E402
import command  # noqa: E402
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402

MIB = 1 << 20

# Has 60 MiB in use at its peak, then 20.
PROGRAM = r'''
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
static char *kept[200];
static volatile int stay;
__attribute__((noinline)) static void keep(void) {
    for (int i = 0; i < 20; i++)
        memset(kept[i] = malloc(1 << 20), 1, 1 << 20);
}
__attribute__((noinline)) static void work(void) {
    for (int i = 20; i < 60; i++)
        memset(kept[i] = malloc(1 << 20), 1, 1 << 20);
    usleep(300 * 1000);
    while (stay)
        usleep(10 * 1000);
    for (int i = 20; i < 60; i++)
        free(kept[i]);
}
int main(int argc, char **argv) {
    stay = argc > 1 && strcmp(argv[1], "stay") == 0;
    keep();
    usleep(200 * 1000);
    work();
    usleep(300 * 1000);
    free(malloc(100));
    if (argc > 1 && atoi(argv[1]) < 0)
        kill(getpid(), -atoi(argv[1]));
    return argc > 1 ? atoi(argv[1]) : 0;
}
'''


def build(folder):
    path = os.path.join(folder, 'phases')
    with open(path + '.c', 'w', encoding='ascii') as f:
        f.write(PROGRAM)
    subprocess.run(['cc', '-O1', '-g', '-o', path, path + '.c'], check=True)
    return path


def lines_of(path):
    with open(path, encoding='utf-8') as f:
        return [json.loads(line) for line in f]


def of(lines, kind):
    return [line for line in lines if line['mound'] == kind]


def total(profile):
    return profile['total'][0][0]


def records_parts_that_add_up_and_two_profiles(folder):
    program = build(folder)
    out, said = command.mound('record', '--rate=4096', program, cwd=folder)
    must(out == '' and re.fullmatch(r'mound: mound-record.jsonl: \d+ readings, '
         r'2 profiles; to make a page of it: mound report mound-record.jsonl\n', said),
         out, said)
    lines = lines_of(os.path.join(folder, 'mound-record.jsonl'))
    head = of(lines, 'head')[-1]
    must(head['title'] == 'Memory of phases' and head['facts'][0] == program,
         head)
    samples = of(lines, 'sample')
    must(len(samples) >= 15, len(samples))
    parts = ('live', 'rounding', 'holes', 'caches', 'idle', 'records', 'other')
    for s in samples:
        must(sum(s[p] for p in parts) - s['absent'] == s['rss'], s)
    must(60 * MIB < max(s['rss'] for s in samples) < 75 * MIB)
    peak, end = of(lines, 'profile')
    must((peak['name'], end['name']) == ('at the peak', 'at the end'))
    must(abs(total(peak) - 60 * MIB) < 3 * MIB, total(peak))
    must(abs(total(end) - 20 * MIB) < 2 * MIB, total(end))
    must('work' in peak['names'] and 'keep' in end['names'])
    # Each sleep of the program takes its time at least.
    must(0.2 <= peak['seconds'] and peak['seconds'] + 0.3 <= end['seconds'],
         peak['seconds'], end['seconds'])
    rows = of(lines, 'classes')[0]['rows']
    large = next(r for r in rows if r[0] == 0)
    must(large[1] == 60 and large[2] == 60 * MIB, large)
    must('exited with status 0' in of(lines, 'end')[0]['text'])


def ends_as_the_program_does(folder):
    program = build(folder)
    path = os.path.join(folder, 'x.jsonl')
    command.mound('record', '-o', path, program, '7', status=7)
    must('exited with status 7' in of(lines_of(path), 'end')[0]['text'])
    # What it left when it fell from its peak is there in spite of the kill.
    _, said = command.mound('record', '--rate=4096', '-o', path, program, '-9',
                            status=137)
    must('1 profile;' in said, said)
    lines = lines_of(path)
    must(abs(total(of(lines, 'profile')[0]) - 60 * MIB) < 3 * MIB)
    must('killed by signal 9' in of(lines, 'end')[0]['text'])
    # SIGTERM leaves it the time.
    _, said = command.mound('record', '--rate=4096', '--for=2s', '-o', path,
                            program, 'stay', status=143)
    must('2 profiles;' in said, said)
    lines = lines_of(path)
    must(abs(total(of(lines, 'profile')[1]) - 60 * MIB) < 3 * MIB)
    must(re.search('killed by signal 15 .*peak RSS 6', of(
        lines, 'end')[0]['text']), lines[-1])


def ends_a_server(folder):
    path = os.path.join(folder, 'x.jsonl')
    command.mound('record', '--for=1s', '-o', path, '--', 'redis-server',
                  '--port', '0', '--unixsocket', os.path.join(folder, 's'),
                  '--dir', folder, stdin=subprocess.DEVNULL)
    lines = lines_of(path)
    must(of(lines, 'head')[-1]['title'] == 'Memory of redis-server')
    must(of(lines, 'sample') and of(lines, 'profile'), lines)


def makes_a_page(folder):
    if browser.find() is None:
        raise Skipped('no chromium')
    page = os.path.join(folder, 'x.html')
    command.mound('record', '--rate=4096', '-o', page, build(folder))
    with browser.Browser() as b:
        b.open(page)
        must(not b.errors, b.errors)
        must(b.requests == ['file://' + page], b.requests)
        must(b.run('document.title') == 'Memory of phases')
        must(b.run('document.querySelectorAll(".chart path").length') == 8)
        must(b.run('document.querySelectorAll(".classes tr").length') >= 2)
        b.move(700, 300)
        must('live objects' in b.run(
            'document.querySelector(".tip").textContent'))
        find = ('Array.from(document.querySelectorAll("%s")).find((e) => '
                'e.textContent === "%s")')
        must(b.run('!!' + find % ('.frame', 'work')))
        b.click(find % ('button', 'at the end'))
        must(b.run('!!' + find % ('.frame', 'keep')))
        must(not b.run('!!' + find % ('.frame', 'work')))
        again, _ = command.mound('report', page.replace('.html', '.jsonl'))
        with open(page, encoding='utf-8') as f:
            must(f.read() == again, 'report makes another page than record')


def refuses_what_is_no_record(folder):
    path = os.path.join(folder, 'x.jsonl')
    for data in (b'', b'hello\n', b'{"mound":"sample",}\n', b'{"mound":"s',
                 b'{"mound":"x"}</script>\n', bytes(100) + b'\n'):
        with open(path, 'wb') as f:
            f.write(data)
        out, said = command.mound('report', path, status=2)
        must(out == '' and said == f'mound: {path}: this is not what mound '
             'record writes\n', data, out, said)
    _, said = command.mound('report', cwd=folder, status=2)
    must(said == 'mound: mound-record.jsonl: No such file or directory\n', said)
    command.one_line(command.mound('record', './none', status=2)[1])
    _, said = command.mound('record', '-o', os.path.join(folder, 'a/b'),
                            '/bin/true', status=2)
    must('No such file or directory' in command.one_line(said))


def shows_damaged_lines_as_text_or_not_at_all(folder):
    seed = int(os.environ.get('SEED', time.time_ns()))
    print('# SEED=%d' % seed)
    random_ = random.Random(seed)
    path = os.path.join(folder, 'x.jsonl')
    command.mound('record', '-o', path, '/bin/sleep', '0.3')
    with open(path, 'rb') as f:
        good = f.read()
    for _ in range(40):
        data = bytearray(good)
        for _ in range(random_.choice((1, 3, 20))):
            data[random_.randrange(len(data))] = random_.randrange(256)
        with open(path, 'wb') as f:
            f.write(data)
        done = subprocess.run([command.MOUND, 'report', path],
                              capture_output=True, timeout=20, check=False)
        must(done.returncode in (0, 2), done)
        must(done.stdout.count(b'<script') in (0, 2), done.stdout)
    with open(path, 'w', encoding='ascii') as f:
        f.write('{"mound":"head","title":"</script><script>alert(1)"}\n')
    out, _ = command.mound('report', path)
    must(out.count('<script') == 2 and out.count('</script') == 2, out)


TESTS = (
    records_parts_that_add_up_and_two_profiles,
    ends_as_the_program_does,
    ends_a_server,
    makes_a_page,
    refuses_what_is_no_record,
    shows_damaged_lines_as_text_or_not_at_all,
)

if __name__ == '__main__':
    sys.exit(tap.main(TESTS, browser.Trouble))
