"""Shared by the runners in python: how a test reports that it failed, or that it cannot
run here, and TAP output. A test is a function that gets a folder."""
import contextlib
import subprocess
import sys
import tempfile
import time


WAIT_S = 60


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def must(condition, *what):
    if not condition:
        raise Failed(' '.join(str(w) for w in what))


def wait_until(condition, *what):
    """Waits until a condition holds, and returns it; a machine may be busy for long."""
    end = time.monotonic() + WAIT_S
    while not (value := condition()):
        must(time.monotonic() < end, 'not within %d s:' % WAIT_S, *what)
        time.sleep(0.005)
    return value


def main(tests, *failures, folder=None):
    """Runs the tests, or those that the command line names, each in a folder of
    its own or in the one given. Failed, OSError, SubprocessError and failures
    are what a test fails by. Returns whether one did."""
    wanted = [t for t in tests if len(sys.argv) < 2 or t.__name__ in sys.argv]
    print('1..%d' % len(wanted))
    failed = 0
    for i, test in enumerate(wanted):
        name = '%d - %s' % (i + 1, test.__name__.replace('_', ' '))
        begin = time.time()
        with contextlib.nullcontext(folder) if folder else \
                tempfile.TemporaryDirectory() as own:
            try:
                test(own)
                print('ok', name, flush=True)
            except Skipped as why:
                print('ok', name, '# SKIP', why, flush=True)
            except (Failed, OSError, subprocess.SubprocessError,
                    *failures) as why:
                failed += 1
                print('not ok', name, flush=True)
                print('#', str(why).replace('\n', '\n# '), flush=True)
        print('# %.1f s' % (time.time() - begin), flush=True)
    return failed > 0
