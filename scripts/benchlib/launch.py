# launch.py: runs a program under the launcher of tests/bench/measure.c, which
# reports what the program alone took.

import json
import os
import signal
import subprocess
import tempfile

from . import tree


class Result:
    """The result of a run: output, status, and the launcher's report."""

    def __init__(self, report, stdout, stderr):
        self.stdout = stdout
        self.stderr = stderr
        self.exit = report['exit']
        self.signal = report['signal']
        self.pid = report['pid']
        self.times = report['times']
        self.wall_ns = report['wall_ns']
        self.cpu_ns = report['user_ns'] + report['sys_ns']
        self.maxrss_kib = report['maxrss_kib']
        self.minor_faults = report['minor_faults']
        self.major_faults = report['major_faults']

    @property
    def ok(self):
        return self.exit == 0 and self.signal == 0

    def outcome(self):
        """How it ended, in words."""
        if self.signal:
            return f'killed by {signal.Signals(self.signal).name}'
        return f'exit status {self.exit}'


def plain_environment():
    """The environment without variables that would change a run's allocator unseen:
    Meson's tests, for example, make glibc fill all memory."""
    return {name: value for name, value in os.environ.items()
            if name not in ('LD_PRELOAD', 'MALLOC_PERTURB_')}


class Process:
    """A running program; finish() waits for it."""

    def __init__(self, build, argv, environment=(), cpu=None, times=1,
                 stdin=None, cwd=None, base_environment=None):
        launcher = tree.bench_program(build, 'measure')
        self._directory = tempfile.TemporaryDirectory(prefix='mound-launch-')
        self._report = os.path.join(self._directory.name, 'report')
        self._name = os.path.basename(argv[0])
        options = ['-n', str(times)]
        if cpu is not None:
            options += ['-c', str(cpu)]
        # Output goes to files: a pipe that a stray child keeps open would
        # make the harness wait for that child.
        self._out = tempfile.TemporaryFile(dir=self._directory.name)
        self._err = tempfile.TemporaryFile(dir=self._directory.name)
        self._popen = subprocess.Popen(
            [launcher, *options, self._report, *environment, *argv],
            stdin=stdin or subprocess.DEVNULL, stdout=self._out,
            stderr=self._err, cwd=cwd,
            env=plain_environment() if base_environment is None
            else base_environment,
            start_new_session=True)

    def running(self):
        return self._popen.poll() is None

    def kill(self):
        """Kills the program and all processes that it started."""
        if self.running():
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def interrupt(self, signum):
        """Sends a signal to the program itself, not to the launcher."""
        for pid in children(self._popen.pid):
            os.kill(pid, signum)

    def stderr_so_far(self):
        return self._read(self._err)

    def finish(self, timeout=None):
        """Waits and returns a Result, or None if timeout seconds were over."""
        try:
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
            except BaseException:  # interrupted: leave nothing running
                self.kill()
                raise
            stdout, stderr = self._read(self._out), self._read(self._err)
            if self._popen.returncode != 0:
                raise tree.Refusal(f'{self._name}: the launcher failed: '
                                   + stderr.decode(errors='replace').strip())
            with open(self._report) as f:
                return Result(json.load(f), stdout, stderr)
        finally:
            self._out.close()
            self._err.close()
            self._directory.cleanup()

    @staticmethod
    def _read(file):
        file.seek(0)
        return file.read()


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        return [int(word) for word in f.read().split()]


def run(build, argv, timeout=None, **options):
    return Process(build, argv, **options).finish(timeout)
