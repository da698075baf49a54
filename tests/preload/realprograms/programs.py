# programs.py: real programs that are run with and without a preloaded malloc,
# and what is compared of them.
#
# A program here is deterministic: two runs without any preload give the same
# bytes. What is not (a process number, a rate) is taken out by normalise.

import json
import os
import re
import shutil
import subprocess
import sys

from benchlib import launch

HERE = os.path.dirname(os.path.abspath(__file__))

# What the programs see of the environment: nothing of the user's, so that no
# setting of theirs changes an output.
ENVIRONMENT = {
    'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', 'TERM': 'dumb',
    'GIT_CONFIG_NOSYSTEM': '1', 'NO_COLOR': '1',
}


class Trouble(Exception):
    """A program could not be run to its end."""


class Session:
    """One run of one program, with or without the library."""

    def __init__(self, build, directory, environment, scale, timeout):
        self.build = build
        self.directory = directory
        self.environment = environment  # NAME=VALUE, for measured programs only
        self.scale = scale              # 1 in a quick run, else more
        self.timeout = timeout

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def start(self, argv, stdin=None):
        return launch.Process(
            self.build, argv, environment=self.environment, stdin=stdin,
            cwd=self.directory,
            base_environment={**ENVIRONMENT, 'HOME': self.directory})

    def finish(self, process):
        result = process.finish(self.timeout)
        if result is None:
            raise Trouble(f'not done after {self.timeout} s')
        return result

    def run(self, argv, stdin=None):
        return self.finish(self.start(argv, stdin))


class Outcome:
    """What is compared of two runs (parts, by name), and what is reported."""

    def __init__(self, parts, result):
        self.parts = parts
        self.pid = result.pid
        self.maxrss_kib = result.maxrss_kib


class Program:
    """A command that runs to its end by itself.

    argv and stdin name files of the directory it is started in, which prepare
    has filled; outputs are files it makes. tools are what has to be installed.
    """

    def __init__(self, name, argv, tools=None, prepare=None, stdin=None,
                 outputs=(), normalise=None, quick=True):
        self.name = name
        self.tools = tools or [argv[0]]
        self.quick = quick
        self._argv = argv
        self._prepare = prepare
        self._stdin = stdin
        self._outputs = outputs
        self._normalise = normalise

    def missing(self):
        return [tool for tool in self.tools
                if not shutil.which(tool, path=ENVIRONMENT['PATH'])]

    def prepare(self, directory, scale):
        """Makes the inputs, once for both runs."""
        if self._prepare:
            self._prepare(directory, scale)

    def run(self, session):
        stdin = open(session.path(self._stdin), 'rb') if self._stdin else None
        try:
            result = session.run(self._argv, stdin)
        finally:
            if stdin:
                stdin.close()
        parts = {'how it ended': result.outcome().encode(),
                 'stdout': result.stdout, 'stderr': result.stderr}
        for name in self._outputs:
            parts[name] = b'(not made)'
            if os.path.exists(session.path(name)):
                with open(session.path(name), 'rb') as f:
                    parts[name] = f.read()
                os.remove(session.path(name))
        if self._normalise:
            parts = {k: self._normalise(v) for k, v in parts.items()}
        return Outcome(parts, result)


def numbers(seed, count):
    """The same pseudo-random numbers every time."""
    state = seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        yield state >> 8


def copy_of(name):
    def prepare(directory, _scale):
        shutil.copy(os.path.join(HERE, name), directory)
    return prepare


def make_json(directory, scale):
    rows = [{'id': n, 'name': f'name {n % 977}', 'tags': ['a', 'bc', n % 13],
             'nested': {'x': n / 7, 'none': None, 'text': 'é' * (n % 9)}}
            for n in numbers(1, 20_000 * scale)]
    with open(os.path.join(directory, 'data.json'), 'w') as f:
        json.dump(rows, f)


def make_xml(directory, scale):
    with open(os.path.join(directory, 'data.xml'), 'w') as f:
        f.write('<?xml version="1.0"?><rows>')
        for n in numbers(2, 25_000 * scale):
            f.write(f'<row id="{n}" kind="k{n % 7}"><name>n{n % 977}</name>'
                    f'<empty/><text>{"word " * (n % 12)}</text></row>')
        f.write('</rows>')


def make_text(directory, scale):
    with open(os.path.join(directory, 'data.txt'), 'w') as f:
        for n in numbers(3, 100_000 * scale):
            f.write(f'key{n % 4999} {n:x} some text {n % 97} '
                    f'{"z" * (n % 31)}\n')


def with_text(name):
    def prepare(directory, scale):
        copy_of(name)(directory, scale)
        make_text(directory, scale)
    return prepare


def make_repository(directory, scale):
    """A history written as a stream for git fast-import: fast, and the same
    objects every time."""
    repository = os.path.join(directory, 'repository')
    environment = {**ENVIRONMENT, 'HOME': directory}
    stream = []
    for i, n in enumerate(numbers(4, 200 * scale)):
        message = f'change {i}\n\nbecause of {n}\n'
        stream.append(
            'commit refs/heads/main\n'
            f'committer A Person <person@example.org> {1500000000 + i} +0000\n'
            f'data {len(message)}\n{message}')
        for j in range(4):
            lines = ''.join(f'line {(n + i * k) % 1000} of {j}\n'
                            for k in range(60))
            stream.append(f'M 644 inline folder{n % 9}/file{(n + j) % 40}.txt\n'
                          f'data {len(lines)}\n{lines}\n')
    subprocess.run(['git', 'init', '-q', '-b', 'main', repository], check=True,
                   env=environment)
    subprocess.run(['git', '-C', repository, 'fast-import', '--quiet'],
                   input=''.join(stream).encode(), check=True, env=environment)


def make_debuggee(directory, scale):
    copy_of('debuggee.c')(directory, scale)
    subprocess.run(['cc', '-g', '-O0', '-o', 'debuggee', 'debuggee.c'],
                   cwd=directory, check=True)


def without_process_numbers(text):
    return re.sub(rb'process \d+', b'process N', text)


def without_addresses(text):
    return re.sub(rb'0x[0-9a-f]+', b'0xN', without_process_numbers(text))


PYTHON = '/usr/bin/python3' if os.path.exists('/usr/bin/python3') \
    else sys.executable

SIMPLE = [
    Program('ls', ['ls', '/']),
    Program('ls -lR', ['ls', '-lR', '/usr/share/doc', '/etc/alternatives']),
    Program('python3 json.tool', [PYTHON, '-m', 'json.tool', 'data.json'],
            prepare=make_json),
    Program('python3 threads', [PYTHON, 'script.py'],
            prepare=copy_of('script.py')),
    Program('git log --stat', ['git', '-C', 'repository', 'log', '--stat'],
            prepare=make_repository),
    Program('git repack', ['sh', '-c', 'cp -r repository repacked && '
            'cd repacked && git repack -adfq --threads=2 && git fsck --full && '
            'git log --format=%H | tail -n 1; cd .. && rm -rf repacked'],
            tools=['git'], prepare=make_repository),
    Program('g++ -O1 -c', ['g++', '-std=c++17', '-O1', '-c', 'heavy.cc', '-o',
            'heavy.o'], prepare=copy_of('heavy.cc'), outputs=['heavy.o']),
    Program('sqlite3 :memory:', ['sqlite3', ':memory:'],
            prepare=copy_of('script.sql'), stdin='script.sql'),
    Program('node', ['node', 'script.js'], prepare=copy_of('script.js')),
    Program('perl', ['perl', 'script.pl'], prepare=copy_of('script.pl')),
    Program('php', ['php', '-d', 'memory_limit=-1', 'script.php'],
            prepare=copy_of('script.php')),
    Program('lua5.4', ['lua5.4', 'script.lua'], prepare=copy_of('script.lua')),
    Program('ruby', ['ruby', 'script.rb'], prepare=copy_of('script.rb')),
    Program('jq', ['jq', 'group_by(.tags[2]) | map({n: length, m: (map(.id) | '
            'add), t: map(.name) | unique | length})', 'data.json'],
            prepare=make_json),
    Program('xmllint', ['xmllint', '--format', '--huge', 'data.xml'],
            prepare=make_xml),
    Program('sort --parallel=2', ['sort', '--parallel=2', '-S', '32M', '-k4,4n',
            '-k2,2r', 'data.txt'], prepare=make_text),
    Program('xz -T2', ['xz', '-2', '-T2', '--block-size=1MiB', '-c',
            'data.txt'], prepare=make_text),
    Program('zstd -T2', ['zstd', '-q', '-9', '-T2', '-c', 'data.txt'],
            prepare=make_text),
    Program('awk', ['awk', '-f', 'script.awk', 'data.txt'],
            prepare=with_text('script.awk')),
    Program('gawk', ['gawk', '-f', 'script.awk', 'data.txt'],
            prepare=with_text('script.awk')),
    Program('bash', ['bash', 'script.sh'], prepare=copy_of('script.sh')),
    Program('gdb', ['gdb', '--batch', '-nx', '-iex', 'set debuginfod enabled '
            'off', '-ex', 'break leaf', '-ex', 'run', '-ex', 'backtrace', '-ex',
            'print *list', '-ex', 'finish', '-ex', 'info line leaf', '-ex',
            'ptype struct item', '-ex', 'continue', 'debuggee'],
            tools=['gdb', 'cc'], prepare=make_debuggee,
            normalise=without_addresses),
]
