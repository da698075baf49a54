# mound-symbolize: writes names of functions into heap profiles.
#
#   mound-symbolize [-o OUT] [--debug-dir DIR] PROFILE...
#   mound-symbolize --version
#
# Profiles in pprof's format have addresses only. This adds names from the files that the
# addresses were mapped from, if those still have the same build ID. If a file has no
# symbol for an address, its unwind table at least gives the start of the function.
# Everything else in a profile is kept, byte for byte.
#
# The build packs these modules into one file (pack.py), which needs python alone, so
# that it can be copied to where the profile was written.
#
# Exit status: 0, also if some file could not be read: it is named on stderr; 1
# if a profile could not be read or written; 2 for wrong arguments.

import argparse
import gzip
import io
import os
import stat
import sys
import tempfile
import zlib

from lookup import symbolize
from pprof import Profile
from trouble import Unusable, complain, reason

VERSION = '0.1.0'
DEBUG_DIR = '/usr/lib/debug'
# A few bytes of gzip can expand to any size. The largest profile that mound writes has
# some 100 MB.
PROFILE_MAX = 1 << 28
CHUNK = 1 << 20
GZIP_MAGIC = b'\x1f\x8b'
GZIP_LEVEL = 6


def unpack(data):
    if data and not data.startswith(GZIP_MAGIC):
        raise Unusable('not gzip, so not a profile in pprof\'s form')
    unpacked = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while chunk := file.read(CHUNK):
                unpacked += chunk
                if len(unpacked) > PROFILE_MAX:
                    raise Unusable(f'unpacked, it has more than {PROFILE_MAX} '
                                   'bytes, too many for a profile')
    except EOFError as error:
        raise Unusable('the gzip file is cut short') from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Unusable('the gzip file is damaged') from error
    return bytes(unpacked)


def write_file(path, data, like):
    """Writes a file under another name and renames it; it gets owner and permissions of
    the file that it replaces, or those of a new file."""
    if like is not None and not stat.S_ISREG(like.st_mode):
        with open(path, 'wb') as file:  # a device or a pipe
            file.write(data)
        return
    path = os.path.realpath(path)
    fd, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + '.',
                                     dir=os.path.dirname(path))
    try:
        with open(fd, 'wb') as file:
            file.write(data)
            if like is None:
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(file.fileno(), 0o666 & ~mask)
            else:
                try:
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                except OSError:  # then the file is ours
                    pass
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def stat_if_there(path):
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def run(path, out, debug_dir):
    """Names the functions in one profile; returns whether that succeeded."""
    name = path
    try:
        with open(path, 'rb') as file:
            data = file.read(PROFILE_MAX + 1)
            like = os.fstat(file.fileno())
        if out is None and not stat.S_ISREG(like.st_mode):
            raise Unusable('not a regular file')
        if len(data) > PROFILE_MAX:
            raise Unusable(f'it has more than {PROFILE_MAX} bytes, too many '
                           'for a profile')
        profile = Profile(unpack(data))
        symbolize(profile, debug_dir)
        if profile.changed:
            data = gzip.compress(profile.bytes(), GZIP_LEVEL, mtime=0)
        if out is not None:
            name = out
            write_file(out, data, stat_if_there(out))
        elif profile.changed:
            write_file(path, data, like)
    except (OSError, Unusable, MemoryError) as error:
        complain(name, reason(error))
        return False
    return True


def main():
    parser = argparse.ArgumentParser(
        prog='mound-symbolize',
        description='Writes names of functions into heap profiles that mound '
        'has written in pprof\'s form (MOUND_PROFILE=FILE.pb.gz), so that they '
        'can be read on other machines.')
    parser.add_argument('-o', '--output', metavar='OUT',
                        help='write OUT instead of changing PROFILE')
    parser.add_argument('--debug-dir', metavar='DIR', default=DEBUG_DIR,
                        help='where separate symbols are (%(default)s)')
    parser.add_argument('--version', action='version',
                        version='%(prog)s ' + VERSION)
    parser.add_argument('profiles', metavar='PROFILE', nargs='+')
    options = parser.parse_args()
    if options.output is not None and len(options.profiles) > 1:
        parser.error('-o takes one PROFILE')
    done = [run(path, options.output, options.debug_dir)
            for path in options.profiles]
    return 0 if all(done) else 1


if __name__ == '__main__':
    sys.exit(main())
