# servers.py: programs that serve others until they are told to stop. Each is
# started on a free port of 127.0.0.1 (or on a socket in its directory), kept
# busy, asked for results that are known, and stopped in the way it likes.

import concurrent.futures
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

from programs import ENVIRONMENT, Outcome, Program, Trouble, numbers

START_S = 30
POLL_S = 0.05
WORRIES = re.compile(r'error|panic|fatal|crash|corrupt|assert|terminated by '
                     r'signal|double free|segfault', re.IGNORECASE)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_until(ready, process, what):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if not process.running():
            text = process.stderr_so_far().decode(errors='replace')
            raise Trouble(f'{what}: it ended by itself: {text.strip()[-300:]}')
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(POLL_S)
    raise Trouble(f'{what}: not so after {START_S} s')


def worries_in(log, harmless=()):
    """The lines of a log that should not be there, as one text."""
    text = log.decode(errors='replace')
    return '\n'.join(line for line in text.splitlines()
                     if WORRIES.search(line)
                     and not any(word in line for word in harmless))


class Client:
    """A connection that speaks in lines, as redis and memcached do."""

    def __init__(self, port):
        self._socket = socket.create_connection(('127.0.0.1', port), timeout=30)
        self._file = self._socket.makefile('rb')

    def close(self):
        self._file.close()
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def line(self):
        line = self._file.readline()
        if not line:
            raise ConnectionError('the server closed the connection')
        return line.rstrip(b'\r\n')

    def bytes(self, count):
        return self._file.read(count)


class Server(Program):
    """Calls start, work, stop; the lines that work returns are compared."""

    def __init__(self, name, tools, quick=True):
        super().__init__(name, tools, tools=tools, quick=quick)

    def run(self, session):
        process, port = self.start(session)
        try:
            lines = self.work(session, process, port)
            self.stop(process, port)
            result = session.finish(process)
        except (OSError, ValueError) as error:
            log = process.stderr_so_far().decode(errors='replace').strip()
            raise Trouble(f'{type(error).__name__}: {error} {log[-300:]}')
        finally:
            process.kill()
        lines.append('log: ' + self.judge(result.stdout + result.stderr))
        return Outcome({'how it ended': result.outcome().encode(),
                        'results': '\n'.join(lines).encode()}, result)

    def judge(self, log):
        return worries_in(log) or 'clean'


class Redis(Server):
    """redis-benchmark with a BGSAVE in the middle, then a look at the data."""

    def start(self, session):
        port = free_port()
        process = session.start(
            ['redis-server', '--port', str(port), '--bind', '127.0.0.1',
             '--save', '', '--dir', session.directory])
        wait_until(lambda: self.ask(port, 'PING') == b'PONG', process,
                   'redis answers')
        return process, port

    def ask(self, port, *words):
        client = Client(port)
        try:
            return self.command(client, *words)
        finally:
            client.close()

    @staticmethod
    def command(client, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        client.send(b'*%d\r\n' % len(words) + b''.join(
            b'$%d\r\n%s\r\n' % (len(w), w) for w in words))
        line = client.line()
        if line[:1] == b'$' and line != b'$-1':
            return client.bytes(int(line[1:]) + 2)[:-2]
        return line[1:]

    def work(self, session, process, port):
        ours = {f'ours:{i}': b'v' * (n % 2000)
                for i, n in enumerate(numbers(5, 1000))}
        client = Client(port)
        for key, value in ours.items():
            self.command(client, 'SET', key, value)
        benchmark = session.start(
            ['redis-benchmark', '-p', str(port), '-q', '-P', '16', '-c', '20',
             '-n', str(30_000 * session.scale), '-r', '20000', '-d', '200',
             '-t', 'set,get,incr,lpush,rpop,sadd,hset,zadd,mset'])
        try:
            wait_until(lambda: int(self.command(client, 'DBSIZE')) > 3000,
                       benchmark, 'the benchmark is under way')
            saving = self.command(client, 'BGSAVE')
            result = session.finish(benchmark)
        finally:
            benchmark.kill()
        wait_until(lambda: b'rdb_bgsave_in_progress:0'
                   in self.command(client, 'INFO', 'persistence'), process,
                   'the save is done')
        info = self.command(client, 'INFO', 'persistence')
        same = sum(self.command(client, 'GET', key) == value
                   for key, value in ours.items())
        deleted = sum(int(self.command(client, 'DEL', key)) for key in ours)
        empty = self.command(client, 'FLUSHALL')
        client.close()
        check = session.run(['redis-check-rdb', 'dump.rdb'])
        os.remove(session.path('dump.rdb'))
        return [f'BGSAVE: {saving.decode()}',
                f'save ok: {b"rdb_last_bgsave_status:ok" in info}',
                f'check of the saved file: {check.outcome()}',
                f'benchmark: {result.outcome()}',
                f'own keys kept: {same}, deleted: {deleted}',
                f'FLUSHALL: {empty.decode()}']

    def stop(self, process, port):
        client = Client(port)
        client.send(b'SHUTDOWN NOSAVE\r\n')
        client.close()

    def judge(self, log):
        return worries_in(log, harmless=['WARNING']) or 'clean'


class Postgres(Server):
    """pgbench, then the sums that each of its transactions keeps equal.

    The server refuses to run as root, so as root it gets another user; the
    library and the directory are readable to all for that reason.
    """

    def missing(self):
        return [] if self.binary('postgres') else ['postgres']

    @staticmethod
    def binary(name):
        found = shutil.which(name, path=ENVIRONMENT['PATH'])
        root = '/usr/lib/postgresql'
        versions = os.listdir(root) if os.path.isdir(root) else []
        for version in sorted(versions, key=float, reverse=True):
            path = os.path.join(root, version, 'bin', name)
            if os.access(path, os.X_OK):
                return path
        return found

    @staticmethod
    def user():
        for name in ('postgres', 'nobody'):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise Trouble('there is no user to run it as')

    def as_user(self, argv):
        if os.getuid() != 0:
            return argv
        user = self.user()
        return ['setpriv', f'--reuid={user.pw_uid}', f'--regid={user.pw_gid}',
                '--clear-groups', *argv]

    def prepare(self, directory, scale):
        if os.getuid() == 0:
            os.chown(directory, self.user().pw_uid, self.user().pw_gid)
        subprocess.run(
            self.as_user([self.binary('initdb'), '-D', 'fresh', '-A', 'trust',
                          '-U', 'postgres', '-N', '-E', 'UTF8',
                          '--locale=C.UTF-8']),
            cwd=directory, check=True, stdout=subprocess.DEVNULL,
            env={**ENVIRONMENT, 'HOME': directory})

    def start(self, session):
        shutil.rmtree(session.path('data'), ignore_errors=True)
        subprocess.run(self.as_user(['cp', '-r', 'fresh', 'data']), check=True,
                       cwd=session.directory)
        os.chmod(session.path('data'), 0o700)
        process = session.start(self.as_user(
            [self.binary('postgres'), '-D', 'data', '-k', session.directory,
             '-c', 'listen_addresses=', '-c', 'fsync=off', '-c',
             'shared_buffers=16MB', '-c', 'max_connections=20']))
        ready = [self.binary('pg_isready'), '-q', '-h', session.directory,
                 '-U', 'postgres']
        wait_until(lambda: subprocess.run(ready).returncode == 0, process,
                   'postgres accepts connections')
        return process, None

    def work(self, session, process, port):
        options = ['-h', session.directory, '-U', 'postgres']
        pgbench = [self.binary('pgbench'), *options]
        made = session.run([*pgbench, '-i', '-q', '-s', '1', 'postgres'])
        ran = session.run([*pgbench, '-c', '4', '-j', '2', '-t',
                           str(150 * session.scale), 'postgres'])
        said = [line for line in ran.stdout.decode().splitlines()
                if 'transactions actually' in line or 'failed' in line]
        sums = session.run(
            [self.binary('psql'), *options, '-X', '-A', '-t', '-c',
             'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = '
             '(SELECT sum(bbalance) FROM pgbench_branches), '
             '(SELECT sum(tbalance) FROM pgbench_tellers) = '
             '(SELECT sum(delta) FROM pgbench_history), '
             '(SELECT count(*) FROM pgbench_history);'
             'SELECT md5(string_agg(i::text || repeat(chr(65 + i % 26), '
             "i % 99), ',' ORDER BY i % 997, i)) "
             'FROM generate_series(1, 100000) i;'
             'SELECT jsonb_object_agg(i, i * 7)::text::jsonb #>> \'{77}\' FROM '
             'generate_series(1, 20000) i;', 'postgres'])
        return [f'filling: {made.outcome()}', f'pgbench: {ran.outcome()}',
                *said, f'psql: {sums.outcome()}', sums.stdout.decode(),
                sums.stderr.decode()]

    def stop(self, process, port):
        process.interrupt(signal.SIGINT)

    def judge(self, log):
        # What it answers to those who ask too early whether it is ready.
        early = ['the database system is starting up']
        return worries_in(log, harmless=early) or 'clean'


class Nginx(Server):
    """Two workers that compress a file for four clients at a time."""

    def start(self, session):
        port = free_port()
        with open(session.path('page.txt'), 'w') as f:
            f.writelines(f'{n} line\n' for n in numbers(6, 40_000))
        owner = 'user root;' if os.getuid() == 0 else ''
        with open(session.path('nginx.conf'), 'w') as f:
            f.write(f'''{owner} daemon off; worker_processes 2; pid nginx.pid;
                error_log stderr notice; events {{ }}
                http {{
                    access_log off; gzip on; gzip_types text/plain;
                    types {{ text/plain txt; }}
                    client_body_temp_path tmp; proxy_temp_path tmp;
                    fastcgi_temp_path tmp; uwsgi_temp_path tmp;
                    scgi_temp_path tmp;
                    server {{ listen 127.0.0.1:{port};
                              root {session.directory}; }}
                }}''')
        process = session.start(['nginx', '-p', session.directory, '-e',
                                 'stderr', '-c', session.path('nginx.conf')])
        wait_until(lambda: self.fetch(port, 'page.txt', {}), process,
                   'nginx answers')
        return process, port

    @staticmethod
    def fetch(port, name, headers):
        request = urllib.request.Request(f'http://127.0.0.1:{port}/{name}',
                                         headers=headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read()

    def work(self, session, process, port):
        def get(i):
            return self.fetch(port, 'page.txt',
                              {'Accept-Encoding': 'gzip'} if i % 2 else {})
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            bodies = list(pool.map(get, range(100 * session.scale)))
        return [f'{len(bodies)} replies',
                *sorted({f'{len(body)} bytes, begins {body[10:20]!r}'
                         for body in bodies})]

    def stop(self, process, port):
        process.interrupt(signal.SIGQUIT)


class Memcached(Server):
    """Values of many sizes set, read and deleted over one connection."""

    def start(self, session):
        port = free_port()
        user = ['-u', 'root'] if os.getuid() == 0 else []
        process = session.start(
            ['memcached', '-l', '127.0.0.1', '-p', str(port), '-U', '0', '-m',
             '512', '-t', '2', *user])
        wait_until(lambda: Client(port).close() or True, process,
                   'memcached answers')
        return process, port

    def work(self, session, process, port):
        client = Client(port)
        replies = {}

        def count(reply):
            replies[reply] = replies.get(reply, 0) + 1

        values = {b'key%d' % i: b'v' * (n % 8000)
                  for i, n in enumerate(numbers(7, 4000 * session.scale))}
        for key, value in values.items():
            client.send(b'set %s 0 0 %d\r\n%s\r\n' % (key, len(value), value))
            count(client.line())
        for key, value in values.items():
            client.send(b'get %s\r\n' % key)
            header = client.line()
            if header == b'END':  # it is not there, which nothing else says
                count(b'none')
                continue
            same = client.bytes(len(value) + 2)[:-2] == value
            count(b'%s %s' % (header.split()[0], b'same' if same else b'other'))
            count(client.line())
        for key in values:
            client.send(b'delete %s\r\n' % key)
            count(client.line())
        client.close()
        return [f'{reply.decode()}: {n}'
                for reply, n in sorted(replies.items())]

    def stop(self, process, port):
        process.interrupt(signal.SIGTERM)


SERVERS = [
    Redis('redis-server', ['redis-server', 'redis-benchmark']),
    Postgres('postgres, pgbench', ['postgres']),
    Nginx('nginx', ['nginx']),
    Memcached('memcached', ['memcached']),
]
