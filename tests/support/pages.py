"""Programs that keep pages, for tests."""
import contextlib
import os
import subprocess

KEEPER = os.path.join(os.environ['MOUND_PROBES'], 'page_keeper')


def is_root():
    """Whether this is root of the machine, not of a user namespace."""
    with open('/proc/self/uid_map', encoding='utf-8') as f:
        return os.geteuid() == 0 and f.read().split() == ['0', '0', '4294967295']


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
