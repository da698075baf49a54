# releases.py: the release of an allocator's library, and its age.
#
# The library tells its name and version (tests/bench/release.c), the table has the date.
# A release that is in neither is of unknown age and never counts as new.

import os
import re
import textwrap

from . import launch, peers, tree

OLD_MONTHS = 24
TIMEOUT_S = 60
LINE = 100  # characters

# Month of publication, and its releases. From the tags of each project's repository; for
# mimalloc from 3.4.4 on, from Debian's changelog.
TABLE = {
    'glibc': '''
        2018-02 2.27   2018-08 2.28   2019-02 2.29   2019-08 2.30
        2020-02 2.31   2020-08 2.32   2021-02 2.33   2021-08 2.34
        2022-02 2.35   2022-08 2.36   2023-02 2.37   2023-08 2.38
        2024-01 2.39   2024-07 2.40   2025-01 2.41   2025-07 2.42''',
    'jemalloc': '''
        2015-08 4.0.0  2015-09 4.0.1 4.0.2 4.0.3  2015-10 4.0.4
        2016-02 4.1.0  2016-05 4.1.1 4.2.0  2016-06 4.2.1
        2016-11 4.3.0 4.3.1  2016-12 4.4.0  2017-02 4.5.0
        2017-06 5.0.0  2017-07 5.0.1  2018-05 5.1.0  2019-04 5.2.0
        2019-08 5.2.1  2022-05 5.3.0  2026-04 5.3.1''',
    'mimalloc': '''
        2021-01 2.0.0  2021-04 2.0.1  2021-06 2.0.2  2021-11 2.0.3
        2022-02 2.0.4 2.0.5  2022-04 2.0.6  2022-11 2.0.7  2022-12 2.0.9
        2023-03 2.1.0  2023-04 2.1.1 2.1.2  2024-04 2.1.4
        2024-05 2.1.5 2.1.6 2.1.7  2025-01 2.1.8 2.1.9 3.0.0 3.0.1
        2025-03 2.2.2 2.2.3 3.0.2 3.0.3  2025-06 2.2.4 3.1.4 3.1.5
        2025-07 3.0.6 3.0.7 3.0.8  2025-09 3.0.9  2025-10 3.0.10
        2025-12 3.0.11
        2026-01 2.2.6 2.2.7 3.0.12 3.1.6 3.2.6 3.2.7  2026-02 3.2.8
        2026-04 2.3.0 2.3.1 2.3.2 3.3.0 3.3.1 3.3.2
        2026-07 2.4.0 2.4.1 3.4.0 3.4.1 3.4.2 3.4.3  2026-08 3.4.4 3.4.5 3.5.0
        2026-09 3.5.1 3.5.2 3.5.3  2026-10 3.6.0  2026-11 3.6.1 3.7.0''',
    'tcmalloc': '''
        2017-07 2.6 2.6.1  2017-11 2.6.2  2017-12 2.6.3  2018-04 2.7
        2020-07 2.8  2020-12 2.8.1  2021-02 2.9  2021-03 2.9.1  2022-05 2.10
        2023-08 2.11 2.12  2023-09 2.13  2023-12 2.14  2024-01 2.15
        2024-09 2.16  2025-08 2.17 2.17.1 2.17.2  2026-01 2.18
        2026-03 2.18.1''',
}


def published(name, version):
    """The month as YYYY-MM, or None."""
    month = None
    for word in TABLE.get(name, '').split():
        if '-' in word:
            month = word
        elif word == version:
            return month
    return None


def mimalloc_version(number):
    """mi_version() in figures: one each, two for the last from 3.0.10 on, and
    two for the last two from 2.3 and 3.3 on."""
    digits = {3: (100, 10, 10), 4: (1000, 100, 100)}.get(
        len(str(number)), (10_000, 100, 100))
    first, second, last = digits
    return f'{number // first}.{number % first // second}.{number % last}'


def parse(line):
    """A line of release.c as (name, version), or None."""
    name, _, rest = line.strip().partition(' ')
    version = re.search(r'\d+(\.\d+)*', rest)
    if name not in TABLE or not version:
        return None
    if name == 'mimalloc':
        return name, mimalloc_version(int(version.group()))
    return name, version.group()


def find(build, peer):
    """{'name', 'version', 'date'} of a peer, date None if not known; None if the library
    does not tell its name."""
    result = launch.run(build, [tree.bench_program(build, 'release')],
                        timeout=TIMEOUT_S, environment=peer.environment())
    found = result and result.ok and parse(result.stdout.decode())
    if not found:
        return None
    name, version = found
    return {'name': name, 'version': version, 'date': published(name, version)}


def tell(build, chosen):
    """Sets the release of each peer but mound, and the name of those given by a path:
    many files are called libmimalloc.so."""
    for peer in chosen:
        if peer.is_mound:
            continue
        peer.release = find(build, peer)
        if peer.release and peer.name == os.path.basename(peer.preloaded or ''):
            peer.name = f'{peer.release["name"]}-{peer.release["version"]}'
    peers.check_names(chosen)


def age_months(release, date):
    """Between a release and a date (YYYY-MM...); None if it is not known."""
    if not release or not release['date']:
        return None
    (y1, m1), (y2, m2) = (map(int, d.split('-')[:2])
                          for d in (release['date'], date))
    return 12 * (y2 - y1) + m2 - m1


def is_old(release, date):
    months = age_months(release, date)
    return months is not None and months > OLD_MONTHS


def describe(release, date):
    """Name, month and age in words."""
    if not release:
        return 'unknown release and age'
    name = f'{release["name"]} {release["version"]}'
    months = age_months(release, date)
    if months is None:
        return f'{name}, unknown age'
    years = f'{months / 12:.1f} years' if months > OLD_MONTHS \
        else f'{months} months'
    return f'{name} of {release["date"]}, {years} old'


def version_of(peer, date):
    """The name of a peer, and its release if it is not ours."""
    return peer.version if peer.is_mound else \
        f'{peer.version} ({describe(peer.release, date)})'


def warning(releases, date):
    """The warning about old releases among those of a table, or None."""
    old = [f'{r["name"]} {r["version"]} of {r["date"]}'
           for r in releases if is_old(r, date)]
    if not old:
        return None
    return textwrap.fill('old releases, of which newer ones may be better: '
                         + ', '.join(old), LINE)
