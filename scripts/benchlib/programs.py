# programs.py: the real programs of scripts/bench malloc. Their inputs are made once, in a
# folder of the build directory. Each is measured with the processes that it starts.
#

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import inputs, launch, peers, suite, tree
from .workloads import TIMEOUT_S, Workload, sample

# The environment of the programs: nothing of the user's.
ENVIRONMENT = {
    'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', 'TERM': 'dumb',
    'GIT_CONFIG_NOSYSTEM': '1', 'NO_COLOR': '1',
}
SCALES = {'quick': 1, 'normal': 4, 'full': 8}  # the amount of work
START_S, POLL_S = 30, 0.05
LONG = ('normal', 'full')  # not with --quick
VERSION = 2  # of the inputs: after a change they are made again


class Program(Workload):
    """A command that runs to its end by itself.

    files: the files in its folder, text by scale for each name. make: a function
    (folder, scale) for what is more than files. argv and stdin name files of it.
    """

    group = 'programs'
    timed_inside = False
    whole = True

    def __init__(self, name, what, package, argv, files=None, make=None,
                 stdin=None, environment=(), threads=1, modes=('quick', *LONG)):
        self.name = name
        self.what = what
        self.package = package
        self.threads = threads
        self.modes = modes
        self._argv = argv
        self._files = files or {}
        self._make = make
        self._stdin = stdin
        self._environment = list(environment)

    def tool(self):
        return self._argv[0]

    def missing(self):
        """The packages to install before it can run."""
        found = shutil.which(self.tool(), path=ENVIRONMENT['PATH'])
        return [] if found else [self.package]

    def check_built(self, build):
        tree.bench_program(build, 'measure')

    def folder(self, setting):
        return os.path.join(setting.inputs,
                            f'{self.name}-{SCALES[setting.mode]}-v{VERSION}')

    def prepare(self, setting):
        folder = self.folder(setting)
        if os.path.isdir(folder):
            return
        suite.progress(f'making the inputs of {self.name}')
        os.makedirs(setting.inputs, exist_ok=True)
        # Made beside it and renamed, so that no incomplete folder is used.
        scratch = tempfile.mkdtemp(dir=setting.inputs)
        try:
            for name, text in self._files.items():
                with open(os.path.join(scratch, name), 'w') as f:
                    f.write(text(SCALES[setting.mode]))
            if self._make:
                self._make(scratch, SCALES[setting.mode])
            os.rename(scratch, folder)
        except (OSError, subprocess.CalledProcessError) as error:
            raise tree.Refusal(f'{self.name}: its inputs cannot be made: '
                               f'{error}')
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def run(self, setting, where, environment):
        folder = self.folder(setting)
        stdin = None
        if self._stdin:
            stdin = open(os.path.join(folder, self._stdin), 'rb')
        try:
            result = suite.run(
                where, setting.build, self._argv, TIMEOUT_S, quiet=False,
                environment=[*environment, *self._environment], stdin=stdin,
                cwd=folder, base_environment={**ENVIRONMENT, 'HOME': folder})
        finally:
            if stdin:
                stdin.close()
        return sample(result.wall_ns, result.cpu_ns, result)


def fill_repository(folder, scale):
    environment = {**ENVIRONMENT, 'HOME': folder}
    repository = os.path.join(folder, 'repository')
    subprocess.run(['git', 'init', '-q', '-b', 'main', repository], check=True,
                   env=environment)
    subprocess.run(['git', '-C', repository, 'fast-import', '--quiet'],
                   input=inputs.git_stream(150 * scale).encode(), check=True,
                   env=environment)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server(Program):
    """A server with the allocator and a client without. start returns the process, load
    what the client did: (operations, operations a second)."""

    def prepare(self, setting):
        pass

    def run(self, setting, where, environment):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix='mound-bench-'))
            try:
                process, address = self.start(setting, folder, environment)
                stack.callback(process.kill)
                self.wait_until_ready(process, address, where)
                operations, rate = self.load(setting, address)
                process.interrupt(self.ending)
            except (OSError, subprocess.SubprocessError, AttributeError) as e:
                raise suite.Failure(f'{where}: {e}')
            result = process.finish(TIMEOUT_S)
        if result is None or not result.ok:
            how = result.outcome() if result else 'it does not stop'
            raise suite.Failure(f'{where}: {how}')
        figures = sample(1e9 / rate, result.cpu_ns / operations, result,
                         operations, rate)
        figures['operations'] = operations
        return figures

    def launch(self, setting, folder, argv, environment):
        return launch.Process(
            setting.build, argv, environment=environment, cwd=folder,
            base_environment={**ENVIRONMENT, 'HOME': folder})

    def wait_until_ready(self, process, address, where):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.running():
            if self.ready(address):
                return
            time.sleep(POLL_S)
        said = process.stderr_so_far().decode(errors='replace').strip()
        raise suite.Failure(f'{where}: it does not answer {said[-300:]}')

    @staticmethod
    def ask(argv, timeout=TIMEOUT_S):
        return subprocess.run(argv, env=ENVIRONMENT, check=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout


class Redis(Server):
    ending = signal.SIGTERM

    def __init__(self):
        super().__init__('redis', 'redis-server under redis-benchmark, seven '
                         'kinds of command', 'redis-server redis-tools', None,
                         threads=2)

    def missing(self):
        return [package for package, tool in (
            ('redis-server', 'redis-server'), ('redis-tools',
                                               'redis-benchmark'))
            if not shutil.which(tool, path=ENVIRONMENT['PATH'])]

    def start(self, setting, folder, environment):
        port = free_port()
        # Debian's redis-server contains jemalloc: without a preload it would not use
        # the C library's malloc.
        if not any(e.startswith('LD_PRELOAD=') for e in environment):
            environment = [*environment, f'LD_PRELOAD={peers.c_library()}']
        return self.launch(setting, folder, [
            'redis-server', '--port', str(port), '--bind', '127.0.0.1',
            '--save', '', '--dir', folder], environment), port

    def ready(self, port):
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return True
        return False

    def load(self, setting, port):
        kinds = 'set,get,lpush,rpop,sadd,hset,zadd'
        each = 10_000 * SCALES[setting.mode]
        begin = time.monotonic()
        self.ask(['redis-benchmark', '-p', str(port), '-q', '-P', '16', '-c',
                  '20', '-n', str(each), '-r', '20000', '-d', '200', '-t',
                  kinds])
        operations = each * len(kinds.split(','))
        return operations, operations / (time.monotonic() - begin)


class Postgres(Server):
    """If started by root, the server runs as another user, as it requires."""

    ending = signal.SIGINT
    SECONDS = {'quick': 2, 'normal': 3, 'full': 6}

    def __init__(self):
        super().__init__('postgres', 'PostgreSQL under pgbench for a fixed '
                         'time', 'postgresql', None, threads=2,
                         modes=LONG)

    @staticmethod
    def binary(name):
        root = '/usr/lib/postgresql'
        versions = os.listdir(root) if os.path.isdir(root) else []
        for version in sorted(versions, key=float, reverse=True):
            path = os.path.join(root, version, 'bin', name)
            if os.access(path, os.X_OK):
                return path
        return shutil.which(name, path=ENVIRONMENT['PATH'])

    def missing(self):
        return [package for package, tool in (('postgresql', 'postgres'),
                                              ('postgresql', 'initdb'),
                                              ('postgresql-contrib', 'pgbench'))
                if not self.binary(tool)] + (
            ['util-linux'] if os.getuid() == 0 and
            not shutil.which('setpriv', path=ENVIRONMENT['PATH']) else [])

    @staticmethod
    def user():
        for name in ('postgres', 'nobody'):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise suite.Failure('postgres: there is no user to run it as')

    def as_user(self, argv):
        if os.getuid() != 0:
            return argv
        user = self.user()
        return ['setpriv', f'--reuid={user.pw_uid}', f'--regid={user.pw_gid}',
                '--clear-groups', *argv]

    def start(self, setting, folder, environment):
        if os.getuid() == 0:
            os.chown(folder, self.user().pw_uid, self.user().pw_gid)
        data = os.path.join(folder, 'data')
        self.ask(self.as_user([self.binary('initdb'), '-D', data, '-A', 'trust',
                               '-U', 'postgres', '-N', '-E', 'UTF8',
                               '--locale=C.UTF-8']))
        # The allocator is preloaded after setpriv, which is not measured.
        argv = ['env', *environment, self.binary('postgres'), '-D', data, '-k',
                folder, '-c', 'listen_addresses=', '-c', 'fsync=off', '-c',
                'shared_buffers=16MB', '-c', 'max_connections=20']
        return self.launch(setting, folder, self.as_user(argv), []), folder

    def ready(self, folder):
        return subprocess.run(
            [self.binary('pg_isready'), '-q', '-h', folder, '-U',
             'postgres']).returncode == 0

    def load(self, setting, folder):
        pgbench = [self.binary('pgbench'), '-h', folder, '-U', 'postgres']
        self.ask([*pgbench, '-i', '-q', '-s', '1', 'postgres'])
        said = self.ask([*pgbench, '-n', '-c', '4', '-j', '2', '-T',
                         str(self.SECONDS[setting.mode]), 'postgres'])
        done = re.search(r'actually processed: (\d+)', said)
        rate = re.search(r'tps = ([0-9.]+)', said)
        return int(done.group(1)), float(rate.group(1))


def scaled(template, count):
    return lambda scale: template % (count * scale)


def made(function, count):
    return lambda scale: function(count * scale)


PROGRAMS = [
    Redis(),
    Postgres(),
    Program('sqlite3', 'a table in memory is filled, indexed, joined',
            'sqlite3', ['sqlite3', ':memory:'],
            {'script.sql': made(inputs.sql, 20_000)}, stdin='script.sql'),
    Program('python3', 'dictionaries and JSON, with PYTHONMALLOC=malloc',
            'python3', ['/usr/bin/python3', 'script.py'],
            {'script.py': scaled(inputs.PYTHON, 25_000)},
            environment=['PYTHONMALLOC=malloc']),
    Program('lua5.4', 'tables of tables and strings', 'lua5.4',
            ['lua5.4', 'script.lua'],
            {'script.lua': scaled(inputs.LUA, 40_000)}),
    Program('perl', 'hashes of arrays of hashes', 'perl',
            ['perl', 'script.pl'],
            {'script.pl': scaled(inputs.PERL, 30_000)}),
    Program('ruby', 'hashes of arrays of strings', 'ruby',
            ['ruby', '--disable-gems', 'script.rb'],
            {'script.rb': scaled(inputs.RUBY, 30_000)}),
    Program('jq', 'rows grouped, mapped and counted', 'jq',
            ['jq', 'group_by(.tags[2]) | map({n: length, m: (map(.id) | add), '
             't: map(.name) | unique | length})', 'data.json'],
            {'data.json': made(inputs.json_rows, 3_000)}),
    Program('xmllint', 'a document is read into a tree and written',
            'libxml2-utils', ['xmllint', '--format', '--huge', '--output',
                              '/dev/null', 'data.xml'],
            {'data.xml': made(inputs.xml_rows, 15_000)}),
    Program('git', 'log --stat of a repository', 'git',
            ['git', '-C', 'repository', 'log', '--stat'],
            make=fill_repository),
    Program('cc1plus', 'g++ -O1 -c of templates', 'g++',
            ['g++', '-std=c++17', '-O1', '-c', 'heavy.cc', '-o', '/dev/null'],
            {'heavy.cc': made(inputs.cxx_source, 1)}),
    Program('clang-14', 'clang -O1 -c of the same', 'clang-14',
            ['clang-14', '-std=c++17', '-O1', '-c', 'heavy.cc', '-o',
             '/dev/null'],
            {'heavy.cc': made(inputs.cxx_source, 1)}, modes=LONG),
    Program('sort', 'sort --parallel=2 by two keys', 'coreutils',
            ['sort', '--parallel=2', '-S', '64M', '-k4,4n', '-k2,2r',
             'data.txt'],
            {'data.txt': made(inputs.text_lines, 60_000)}, threads=2),
    Program('xz', 'xz -2 -T2', 'xz-utils',
            ['xz', '-2', '-T2', '--block-size=512KiB', '-c', 'data.txt'],
            {'data.txt': made(inputs.text_lines, 25_000)}, threads=2),
    Program('node', 'buffers in maps', 'nodejs', ['node', 'script.js'],
            {'script.js': scaled(inputs.JAVASCRIPT, 10_000)},
            modes=LONG),
]
