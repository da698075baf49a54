# trouble.py: files that cannot be used, and how that is said.

import os
import sys


class Unusable(Exception):
    """A file that cannot be used; the text says why."""


def reason(error):
    if isinstance(error, MemoryError):
        return 'there is not enough memory for it'
    return getattr(error, 'strerror', None) or str(error)


told = set()


def complain(name, why):
    """Prints one line on stderr, once: profiles of one program have the same files."""
    line = f'mound-symbolize: {os.fsdecode(name)}: {why}'
    if line not in told:
        told.add(line)
        print(line, file=sys.stderr)
