# dumps.py: the MemStats that mound writes at the exit of a process, and whether
# the figures in them agree.

import json
import os

# What MOUND_STATS is set to, below a directory: a file for each process.
PATTERN = '%p-%e.json'


class Dumps:
    """What the processes of one run left in a directory.

    problem is None if the main process left its figures and those of all
    processes are consistent; mallocs adds up the processes.
    """

    def __init__(self, directory, main_pid):
        self.mallocs = 0
        self.problem = None
        main_arrived = False
        for name in sorted(os.listdir(directory)):
            problem = self._read(os.path.join(directory, name))
            if problem:
                self.problem = f'{name}: {problem}'
            main_arrived |= name.startswith(f'{main_pid}-')
        if not main_arrived:
            self.problem = 'none from the main process'

    def _read(self, path):
        try:
            with open(path) as f:
                stats = json.load(f)['memstats']
            self.mallocs += stats['Mallocs']
            return contradiction(stats)
        except (ValueError, KeyError, TypeError, OSError) as error:
            return f'{type(error).__name__} {error}'


def contradiction(s):
    """The first identity of MemStats that does not hold, or None."""
    identities = [
        ('Frees <= Mallocs', s['Frees'] <= s['Mallocs']),
        ('HeapObjects = Mallocs - Frees',
         s['HeapObjects'] == s['Mallocs'] - s['Frees']),
        ('Mallocs > 0', s['Mallocs'] > 0),
        ('Alloc = HeapAlloc', s['Alloc'] == s['HeapAlloc']),
        ('HeapAlloc <= HeapInuse', s['HeapAlloc'] <= s['HeapInuse']),
        ('HeapAlloc <= TotalAlloc', s['HeapAlloc'] <= s['TotalAlloc']),
        ('HeapSys = HeapIdle + HeapInuse',
         s['HeapSys'] == s['HeapIdle'] + s['HeapInuse']),
        ('HeapReleased <= HeapIdle', s['HeapReleased'] <= s['HeapIdle']),
        ('Sys = sum of the Sys fields',
         s['Sys'] == s['HeapSys'] + s['StackSys'] + s['MSpanSys']
         + s['MCacheSys'] + s['BuckHashSys'] + s['GCSys'] + s['OtherSys']),
        ('BySize.Frees <= BySize.Mallocs',
         all(c['Frees'] <= c['Mallocs'] for c in s['BySize'])),
        ('sum of BySize.Mallocs <= Mallocs',
         sum(c['Mallocs'] for c in s['BySize']) <= s['Mallocs']),
    ]
    broken = [text for text, holds in identities if not holds]
    return f'not so: {broken[0]}' if broken else None
