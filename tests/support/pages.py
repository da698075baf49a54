"""Pages of processes for tests: a /dev/shm of one's own, and programs that keep pages."""
import contextlib
import os
import subprocess
import sys

KEEPER = os.path.join(os.environ['MOUND_PROBES'], 'page_keeper')
INSIDE = 'TEST_OWN_SHM'


def is_root():
    """Whether this is root of the machine, and not of a namespace of its own."""
    with open('/proc/self/uid_map', encoding='utf-8') as f:
        return os.geteuid() == 0 and f.read().split() == ['0', '0', '4294967295']


def own_shm():
    """Starts the test once more where /dev/shm is empty, if that can be done here, so
    that it sees no pages of others."""
    if INSIDE in os.environ:
        return
    unshare = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
    mount = [*unshare, 'sh', '-c',
             'mount -t tmpfs -o mode=1777 none /dev/shm && exec "$@"', 'sh']
    if subprocess.run([*mount, 'true'], capture_output=True,
                      check=False).returncode == 0:
        os.execvpe(mount[0], [*mount, sys.executable, *sys.argv],
                   {**os.environ, INSIDE: '1'})


@contextlib.contextmanager
def keeper(name='keeper', *members, **env):
    """A process that keeps a page: its Popen, with the path of the page in .page."""
    child = subprocess.Popen([KEEPER, name, *members], stdout=subprocess.PIPE, text=True,
                             env={**os.environ, **env})
    child.page = child.stdout.readline().strip()
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(child.page)
