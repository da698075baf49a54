"""The command mound for tests: runs it, and checks its messages."""
import os
import subprocess

from tap import Skipped, must

LIB = os.path.realpath(os.environ['MOUND_LIB'])
BUILD = os.path.dirname(os.path.dirname(LIB))
MOUND = os.path.join(BUILD, 'preload', 'command', 'mound')
HANG_S = 60


def mound(*argv, status=0, **options):
    """Runs the command; returns its stdout and stderr."""
    done = subprocess.run([MOUND, *argv], capture_output=True, text=True,
                          timeout=HANG_S, check=False, **options)
    must(done.returncode == status, argv, done.returncode, done.stdout,
         done.stderr)
    return done.stdout, done.stderr


def has_mapped(pid, path):
    with open('/proc/%d/maps' % pid, encoding='utf-8') as f:
        return os.path.basename(path) in f.read()


def one_line(said):
    must(said.startswith('mound: ') and said.count('\n') == 1, repr(said))
    return said


def as_nobody(*argv):
    """The arguments that run something as a user without rights."""
    if os.geteuid() != 0:
        raise Skipped('root only')
    return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups',
            *argv]
