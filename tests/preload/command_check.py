#!/usr/bin/env python3
"""mound check: programs that grow, that do not, that fail, that never end. TAP."""
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import tap  # noqa: E402
from tap import must  # noqa: E402

COMMAND = os.path.join(os.path.dirname(os.environ['MOUND_LIB']), 'command',
                       'mound')

# Works for SECONDS, frees all that a step allocates but for LEAK bytes.
PROGRAM = r'''
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *fill(size_t n) {
    return memset(malloc(n), 1, n);
}
char *volatile kept;
int main(int argc, char **argv) {
    size_t leak = strtoul(argv[1], NULL, 10);
    kept = fill(20 << 20);
    for (int i = 0; i < 100 * atof(argv[2]); i++) {
        char *work = fill(2 << 20);
        kept = leak > 0 ? fill(leak) : kept;
        usleep(10 * 1000);
        free(work);
    }
    return argc > 3 ? atoi(argv[3]) : 0;
}
'''
FOLDER = tempfile.TemporaryDirectory()
GROW = os.path.join(FOLDER.name, 'grow')


def check(*argv, status=0):
    """What mound check tells."""
    done = subprocess.run([COMMAND, 'check', *argv], capture_output=True,
                          text=True, timeout=60, check=False)
    must(done.returncode == status, argv, 'ended with', done.returncode,
         done.stderr)
    must(all(line.startswith('mound: ') for line in done.stderr.splitlines()),
         done.stderr)
    return done.stderr


def matches(pattern, text):
    must(re.fullmatch(pattern, text, re.S), text)


def passes_what_does_not_grow(_):
    matches(r'mound: RSS (did not grow|grew by \S+ KiB).*\n',
            check('--', GROW, '0', '1'))


def fails_what_grows_and_tells_what_grew(_):
    text = check(GROW, '100000', '1', status=1)
    matches(r'mound: RSS grew by \d\.\d MiB, \d+\.\d %: from .* the limit is 5%:'
            r'\n.*', text)
    must(re.search(r'^mound:   live objects +\+\d\.\d MiB, ', text, re.M), text)


def takes_limits_as_sizes_and_of_live_objects(_):
    text = check('--rss-growth=50MiB', '--live-growth', '1KiB', GROW, '50000',
                 '1', status=1)
    matches(r'mound: RSS grew .*; the limit is 50MiB\nmound: live objects grew '
            r'by .*; the limit is 1KiB:\nmound:   live objects .*', text)
    matches(r'mound: live objects did not grow: (.*) \(.* s\), \1 \(.* s\)\n',
            check('--live-growth=0%', GROW, '0', '1'))


def reports_a_program_that_fails(_):
    text = check(GROW, '0', '1', '3', status=2)
    must(text.startswith(f'mound: {GROW}: exited with status 3\n'), text)
    text = check('sh', '-c', 'sleep 0.5; kill -9 $$', status=2)
    must('killed by signal 9' in text, text)


def says_when_it_cannot_tell(_):
    matches(r'mound: \S+: ran for \d+ ms, which is too short .*\n',
            check(GROW, '0', '0.1', status=2))
    text = check('--warmup=5s', GROW, '0', '0.2', status=2)
    must('too short' in text, text)
    must('none' in check('./none', status=2))
    static = os.path.join(FOLDER.name, 'static')
    subprocess.run(['cc', '-static', '-o', static, GROW + '.c'], check=True)
    must('static' in check(static, '0', '1', status=2))


def ends_a_server(folder):
    text = check('--for=1.5s', '--rss-growth=20%', '--live-growth=20%', '--',
                 'redis-server', '--port', '0', '--unixsocket',
                 os.path.join(folder, 'socket'), '--dir', folder)
    matches('mound: RSS .*\nmound: live objects .*\n', text)


def refuses_wrong_arguments(_):
    for argv in (['--rss-growth', 'much', 'x'], ['--for', '-1s', 'x'],
                 ['--rss-growth', '5', '%'], ['-o', 'nothing=1', 'x'], []):
        done = subprocess.run([COMMAND, 'check', *argv], capture_output=True,
                              text=True, timeout=60, check=False)
        must(done.returncode == 2 and done.stderr != '', argv, done)


TESTS = (
    passes_what_does_not_grow,
    fails_what_grows_and_tells_what_grew,
    takes_limits_as_sizes_and_of_live_objects,
    reports_a_program_that_fails,
    says_when_it_cannot_tell,
    ends_a_server,
    refuses_wrong_arguments,
)


def main():
    with open(GROW + '.c', 'w', encoding='ascii') as f:
        f.write(PROGRAM)
    subprocess.run(['cc', '-O1', '-o', GROW, GROW + '.c'], check=True)
    return tap.main(TESTS)


if __name__ == '__main__':
    sys.exit(main())
