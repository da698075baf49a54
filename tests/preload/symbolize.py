#!/usr/bin/env python3
"""What mound-symbolize makes of profiles that are put together here, by hand,
from what a program tells of itself, and of one that mound writes.

symbolize.py PROGRAM: the program that symbolized.cc is."""
import gzip
import lzma
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

SCRIPT = os.path.join(os.path.dirname(os.environ['MOUND_LIB']), 'symbolize',
                      'mound-symbolize')
PROGRAM = os.path.abspath(sys.argv[1])
TIMEOUT_S = 120
U64 = (1 << 64) - 1


def run(*argv, **options):
    return subprocess.run(argv, capture_output=True, text=True,
                          timeout=TIMEOUT_S, **options)


def tool(*argv):
    done = run(*argv)
    if done.returncode != 0:
        raise AssertionError('%s: %s' % (argv[0], done.stderr))
    return done.stdout


def symbolize(*arguments, **options):
    return run(sys.executable, SCRIPT, *arguments, **options)


# Profiles.

def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value & U64)
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(**fields):
    """A message from f1=..., f2=...; what is None is left out."""
    return b''.join(field(int(name[1:]), value)
                    for name, value in fields.items() if value is not None)


def read_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return n, at


def parse(data):
    """The fields as (number, value, bytes)."""
    at = 0
    out = []
    while at < len(data):
        start = at
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            n, at = read_varint(data, at)
            value = data[at:at + n]
            at += n
        else:
            n = {1: 8, 5: 4}[key & 7]
            value = None
            at += n
        out.append((key >> 3, value, data[start:at]))
    return out


def values(fields, number):
    return [value for n, value, _ in fields if n == number]


class Read:
    """A profile that was written: names of functions by address."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            self.fields = parse(gzip.decompress(f.read()))
        strings = values(self.fields, 6)
        functions = {}
        for f in map(parse, values(self.fields, 5)):
            f = {n: v for n, v, _ in f}
            assert f[1] not in functions, 'two functions have one id'
            functions[f[1]] = tuple(
                strings[f.get(n, 0)].decode() for n in (2, 3, 4))
        self.names, self.system_names, self.files = {}, {}, {}
        self.by_location = {}
        for l in map(parse, values(self.fields, 4)):
            address = (values(l, 3) or [0])[0]
            lines = values(l, 4)
            assert len(lines) <= 1, 'a location has two lines'
            if lines:
                name = functions[values(parse(lines[0]), 1)[0]]
                (self.names[address], self.system_names[address],
                 self.files[address]) = name
                self.by_location[values(l, 1)[0]] = name[0]
        self.named_mappings = [values(m, 1)[0] for m in map(
            parse, values(self.fields, 3)) if values(m, 7) == [1]]


class Run:
    """What a program told of itself: pcs, starts as addresses in its file, and
    its mapping with code."""

    def __init__(self, path):
        told, maps = tool(path).split('mappings:\n')
        self.path = path
        with open(path, 'rb') as f:
            relocated = f.read(17)[16] == 3  # ET_DYN
        own = [re.match(r'(\w+)-(\w+) ..(.). (\w+)', line).groups()
               for line in maps.splitlines() if line.endswith(' ' + path)]
        base = int(own[0][0], 16) if relocated else 0
        self.start, self.limit, self.offset = next(
            (int(a, 16), int(b, 16), int(c, 16))
            for a, b, x, c in own if x == 'x')
        self.pcs, self.starts = {}, {}
        for line in told.splitlines():
            name, start, pc = line.split()
            self.pcs[name] = int(pc, 16)
            self.starts[name] = int(start, 16) - base
        found = re.search(r'Build ID: (\w+)', tool('readelf', '-n', path))
        self.build_id = found.group(1) if found else ''

    def fn(self, name):
        return 'fn_%#x (%s)' % (self.starts[name], os.path.basename(self.path))

    def profile(self, build_id=None, time_ns=None):
        """A profile of all pcs, with everything that must be kept."""
        build_id = self.build_id if build_id is None else build_id
        strings = [b'', b'space', b'bytes', os.fsencode(self.path),
                   build_id.encode(), b'[no stack]', b'[vdso]']
        last = len(self.pcs)
        locations = b''.join(
            field(4, message(f1=i + 1, f2=1, f3=pc))
            for i, pc in enumerate(self.pcs.values()))
        return (
            # Some strings come late, and a field that nobody knows.
            b''.join(field(6, s) for s in strings[:3]) +
            field(1, message(f1=1, f2=2)) + field(11, message(f1=1, f2=2)) +
            (b'' if time_ns is None else field(9, time_ns)) +
            field(3, message(f1=1, f2=self.start, f3=self.limit,
                             f4=self.offset or None, f5=3,
                             f6=4 if build_id else None)) +
            field(3, message(f1=2, f2=1 << 63, f3=(1 << 63) + 4096, f5=6)) +
            field(5, message(f1=7, f2=5, f3=5)) +
            field(4, message(f1=last + 1, f4=message(f1=7))) +
            field(4, message(f1=last + 2, f2=2, f3=(1 << 63) + 5)) +
            field(4, message(f1=last + 3, f3=1)) + locations +
            field(2, message(f1=varint(1) + varint(2), f2=varint(5),
                             f3=message(f1=2, f3=99))) +
            field(13, varint(1) + varint(2)) + varint(99 << 3 | 1) + b'8 bytes.'
            + b''.join(field(6, s) for s in strings[3:]))


class Folder:
    """A temporary folder."""

    def __init__(self, name):
        self.name = name

    def path(self, name):
        return os.path.join(self.name, name)

    def write(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)
        return self.path(name)

    def profile(self, program, **options):
        return self.write('x.pb.gz', gzip.compress(program.profile(**options)))

    def files(self):
        return {name: open(self.path(name), 'rb').read()
                for name in os.listdir(self.name)}

    def binary(self, name, *how):
        """A copy of the program that objcopy has changed."""
        tool('objcopy', *how, PROGRAM, self.path(name))
        return self.path(name)


def same(got, wanted):
    if got != wanted:
        raise AssertionError('%r, not %r' % (got, wanted))


def quiet(done):
    same((done.returncode, done.stdout, done.stderr), (0, '', ''))


def complained(done, status, text):
    same((done.returncode, done.stdout), (status, ''))
    lines = done.stderr.splitlines()
    if len(lines) != 1 or not lines[0].startswith('mound-symbolize: ' + text):
        raise AssertionError('it said %r' % done.stderr)


def named(folder, program, *arguments, **options):
    """Names by function, from a profile of the program."""
    path = folder.profile(program, **options)
    quiet(symbolize(*arguments, path))
    read = Read(path)
    return {name: read.names.get(pc) for name, pc in program.pcs.items()}


# The tests.

FULL = {'exported': 'exported', 'hidden': 'hidden', 'copied': 'copied',
        'template': 'zoo::Cage<std::string>::add',
        'long_template': 'zoo::Row<...>::add', 'sizeless': 'sizeless'}


def names_functions_of_c_and_of_cplusplus(folder):
    same(named(folder, Run(PROGRAM)), FULL)


def keeps_the_mangled_name_and_the_file_beside_it(folder):
    program = Run(PROGRAM)
    path = folder.profile(program)
    quiet(symbolize(path))
    read = Read(path)
    pc = program.pcs['template']
    same(read.system_names[pc][:3], '_ZN')
    same(read.system_names[program.pcs['exported']], 'exported')
    same(read.files[pc], PROGRAM)


def leaves_names_as_they_are_without_a_demangler(folder):
    program = Run(PROGRAM)
    path = folder.profile(program)
    quiet(symbolize(path, env={**os.environ, 'PATH': folder.name}))
    read = Read(path)
    pc = program.pcs['template']
    same(read.names[pc][:3], '_ZN')
    same(read.names[pc], read.system_names[pc])


def names_functions_of_a_stripped_program_by_their_start(folder):
    shutil.copy(PROGRAM, folder.path('stripped'))
    tool('strip', folder.path('stripped'))
    program = Run(folder.path('stripped'))
    # After the last function there is no telling what it is.
    same(named(folder, program), {
        'exported': 'exported', 'sizeless': None,
        **{f: program.fn(f)
           for f in ('hidden', 'copied', 'template', 'long_template')}})


def needs_no_sections_for_that(folder):
    path = folder.binary('bare', '--strip-all')
    with open(path, 'r+b') as f:
        f.seek(0x28)  # where the sections are
        f.write(bytes(8))
        f.seek(0x3c)  # how many, and which has their names
        f.write(bytes(4))
    program = Run(PROGRAM)
    # readelf finds no build id there, but the notes are in a segment too.
    bare = Run(path)
    bare.build_id = program.build_id
    same(named(folder, bare)['hidden'], bare.fn('hidden'))


def reads_symbols_from_a_separate_file(folder):
    stripped = Run(folder.binary('stripped', '--strip-all'))
    build_id = stripped.build_id
    os.makedirs(folder.path('debug/.build-id/' + build_id[:2]))
    folder.binary('debug/.build-id/%s/%s.debug' % (build_id[:2], build_id[2:]),
                  '--only-keep-debug')
    same(named(folder, stripped, '--debug-dir', folder.path('debug')), FULL)


def link_debug(folder, name):
    """A stripped program without build ID, and where its symbols are."""
    debug = folder.binary('cut.debug', '--only-keep-debug', '--remove-section',
                          '.note.gnu.build-id')
    program = folder.binary(name, '--strip-all', '--remove-section',
                            '.note.gnu.build-id',
                            '--add-gnu-debuglink=' + debug)
    os.utime(program, (1, 1))
    return Run(program), debug


def follows_a_debug_link(folder):
    program, debug = link_debug(folder, 'linked')
    under = folder.path('debug' + os.path.dirname(program.path) + '/cut.debug')
    for place in (debug, folder.path('.debug/cut.debug'), under):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.rename(debug, place)
        same(named(folder, program, '--debug-dir', folder.path('debug'),
                   time_ns=time.time_ns()), FULL)
        debug = place
    os.unlink(debug)
    left = named(folder, program, time_ns=time.time_ns())
    assert 'hidden' not in left.values(), left


def takes_no_debug_file_with_another_checksum(folder):
    program, debug = link_debug(folder, 'linked')
    with open(debug, 'ab') as f:
        f.write(b'more')
    complained(symbolize(folder.profile(program, time_ns=time.time_ns())), 0,
               debug + ': its checksum is not')
    # One that names itself, or no file, does no harm.
    for text in (b'linked\0\0' + bytes(4), b'x', b'/etc/passwd\0' + bytes(4)):
        section = folder.write('section', text)
        path = folder.binary('odd', '--strip-all', '--add-section',
                             '.gnu_debuglink=' + section)
        quiet(symbolize(folder.profile(Run(path))))


def reads_symbols_from_minidebuginfo(folder):
    small = folder.binary('small', '--only-keep-debug', '--strip-debug')
    with open(small, 'rb') as f:
        folder.write('small.xz', lzma.compress(f.read()))
    program = Run(folder.binary(
        'program', '--strip-all', '--add-section',
        '.gnu_debugdata=' + folder.path('small.xz')))
    got = named(folder, program)
    same({f: got[f] for f in ('exported', 'hidden', 'template')},
         {f: FULL[f] for f in ('exported', 'hidden', 'template')})


def leaves_a_file_with_another_build_id_alone(folder):
    path = folder.profile(Run(PROGRAM), build_id='0123456789abcdef')
    before = folder.files()
    complained(symbolize(path), 0, PROGRAM + ': the file has changed')
    same(folder.files(), before)


def leaves_a_file_that_is_gone_alone(folder):
    shutil.copy(PROGRAM, folder.path('gone'))
    path = folder.profile(Run(folder.path('gone')))
    os.unlink(folder.path('gone'))
    complained(symbolize(path), 0, folder.path('gone') + ': No such file')


def leaves_a_damaged_file_alone(folder):
    copy = folder.path('copy')
    shutil.copy(PROGRAM, copy)
    path = folder.profile(Run(copy))
    for nbytes in (0, 3, 40, 64, 200, 5000):
        os.truncate(copy, nbytes)
        complained(symbolize(path), 0, copy + ': ')
        shutil.copy(PROGRAM, copy)


def takes_a_file_without_build_id_if_it_is_older_than_the_process(folder):
    program = Run(folder.binary('plain', '--remove-section',
                                '.note.gnu.build-id'))
    same(program.build_id, '')
    written_ns = os.stat(program.path).st_mtime_ns
    same(named(folder, program, time_ns=written_ns + 1), FULL)
    path = folder.profile(program, time_ns=written_ns - 1)
    complained(symbolize(path), 0, program.path + ': without a build id')
    same(Read(path).named_mappings, [])


def keeps_everything_else_byte_for_byte(folder):
    program = Run(PROGRAM)
    before = parse(program.profile())
    path = folder.profile(program)
    quiet(symbolize(path))
    after = Read(path).fields
    nchanged = 0
    for (number, value, old), (number_after, value_after, new) in zip(
            before, after):
        same(number_after, number)
        if new != old:
            assert number in (3, 4), 'field %d has changed' % number
            assert value_after.startswith(value), 'not at the end'
            nchanged += 1
    same(nchanged, 1 + len(program.pcs))
    same({number for number, _, _ in after[len(before):]}, {5, 6})
    same(Read(path).named_mappings, [1])


def leaves_a_profile_with_names_as_it_is(folder):
    path = folder.profile(Run(PROGRAM))
    quiet(symbolize(path))
    before = folder.files(), os.stat(path).st_ino
    quiet(symbolize(path))
    same((folder.files(), os.stat(path).st_ino), before)


def replaces_a_profile_with_its_permissions_behind_a_link(folder):
    path = folder.profile(Run(PROGRAM))
    os.chmod(path, 0o640)
    os.symlink('x.pb.gz', folder.path('link'))
    quiet(symbolize(folder.path('link')))
    same(os.readlink(folder.path('link')), 'x.pb.gz')
    same(os.stat(path).st_mode & 0o777, 0o640)
    same(len(Read(path).named_mappings), 1)
    same(sorted(folder.files()), ['link', 'x.pb.gz'])


def writes_another_file_with_o(folder):
    path = folder.profile(Run(PROGRAM))
    before = folder.files()['x.pb.gz']
    quiet(symbolize('-o', folder.path('out'), path))
    same(folder.files()['x.pb.gz'], before)
    same(len(Read(folder.path('out')).named_mappings), 1)
    mask = os.umask(0)
    os.umask(mask)
    same(os.stat(folder.path('out')).st_mode & 0o777, 0o666 & ~mask)
    # Also a copy of one in which nothing is to be named.
    quiet(symbolize('-o', folder.path('copy'), folder.path('out')))
    same(folder.files()['copy'], folder.files()['out'])


def reads_several_profiles_and_passes_over_a_bad_one(folder):
    path = folder.profile(Run(PROGRAM))
    shutil.copy(path, folder.path('y.pb.gz'))
    complained(symbolize(path, folder.path('none'), folder.path('y.pb.gz')), 1,
               folder.path('none') + ': No such file')
    same(Read(path).named_mappings, [1])
    same(Read(folder.path('y.pb.gz')).named_mappings, [1])


def refuses_what_is_no_profile_and_writes_nothing(folder):
    good = Run(PROGRAM).profile()
    packed = gzip.compress(good)
    for data, why in (
            (b'heap profile: 1: 2 [3: 4] @ heap_v2/5\n', 'not gzip'),
            (good, 'not gzip'),
            (b'', 'this is not a profile'),
            (packed[:-20], 'the gzip file is cut short'),
            (packed[:15], 'the gzip file is cut short'),
            (packed[:40] + b'\xff' * 8 + packed[48:], 'the gzip file is '),
            (packed[:-8] + bytes(4) + packed[-4:], 'the gzip file is damaged'),
            (packed + b'more', 'the gzip file is damaged'),
            (gzip.compress(b''), 'this is not a profile'),
            (gzip.compress(b'some text\n'), 'the'),
            (gzip.compress(good[:-1]), 'the profile is damaged'),
            (gzip.compress(good + b'\xff' * 12), 'the profile is damaged'),
            (gzip.compress(good + field(3, 1)), 'this is not a profile'),
            (gzip.compress(good + field(3, message(f1=5, f5=9999))),
             'the profile is damaged'),
            (gzip.compress(good + field(4, message(f1=50, f2=60))),
             'the profile is damaged')):
        path = folder.write('x.pb.gz', data)
        for out in ((), ('-o', folder.path('out'))):
            complained(symbolize(*out, path), 1, path + ': ' + (
                '' if why == 'the' else why))
            same(folder.files(), {'x.pb.gz': data})


def bomb(data, times):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b''.join([packer.compress(data) for _ in range(times)] +
                    [packer.flush()])


def refuses_a_small_file_that_unpacks_to_a_large_one(folder):
    good = Run(PROGRAM).profile()
    mib = 1 << 20

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    for times, data, why in (
            (300, bytes(mib), 'unpacked, it has more than'),
            (10, field(9, 1) * (mib // 2), 'the profile has more than')):
        packed = gzip.compress(good) + bomb(data, times)
        path = folder.write('bomb.pb.gz', packed)
        complained(symbolize(path, preexec_fn=limit), 1, path + ': ' + why)
        same(folder.files(), {'bomb.pb.gz': packed})


def tells_its_version(_):
    with open(os.path.join(os.environ['MOUND_SOURCE'], 'meson.build'),
              encoding='utf-8') as f:
        version = re.search(r"^  version: '(.*)',$", f.read(), re.M)[1]
    done = symbolize('--version')
    same((done.returncode, done.stdout, done.stderr),
         (0, 'mound-symbolize %s\n' % version, ''))


def damaged_bytes_never_end_in_a_traceback(folder):
    good = Run(PROGRAM).profile()
    program = folder.path('copy')
    shutil.copy(PROGRAM, program)
    with open(program, 'rb') as f:
        sound = f.read()
    path = folder.profile(Run(program))
    seed = int(os.environ.get('SEED', time.time_ns()))
    print('# SEED=%d' % seed)
    random_ = random.Random(seed)
    for i in range(24):
        data = bytearray(good if i % 2 else sound)
        # Headers and tables are where it counts.
        last = len(data) if i % 2 else random_.choice((0x400, len(data)))
        for _ in range(random_.choice((1, 5, 50, 500))):
            data[random_.randrange(last)] = random_.randrange(256)
        if i % 2:
            done = symbolize(folder.write('y.pb.gz', gzip.compress(data)))
        else:
            folder.write('copy', data)
            done = symbolize('-o', folder.path('out'), path)
        assert done.returncode in (0, 1), done
        for line in done.stderr.splitlines():
            assert line.startswith('mound-symbolize: '), done.stderr


def tells_why_it_cannot_write(folder):
    path = folder.profile(Run(PROGRAM))
    out = folder.path('none/out')
    complained(symbolize('-o', out, path), 1, out + ': No such file')


def ends_with_2_for_wrong_arguments(folder):
    for arguments in ((), ('--what', 'x'), ('-o', 'out', 'x', 'y'), ('-o',)):
        done = symbolize(*arguments, cwd=folder.name)
        same((done.returncode, done.stdout), (2, ''))
        assert 'mound-symbolize: error: ' in done.stderr, done.stderr
    same(folder.files(), {})
    done = symbolize('--help')
    same((done.returncode, done.stderr), (0, ''))
    assert '--debug-dir' in done.stdout and 'PROFILE' in done.stdout


def names_the_functions_of_a_profile_that_mound_wrote(folder):
    path = folder.path('heap.pb.gz')
    done = run(PROGRAM, 'allocate', env={
        **os.environ, 'LD_PRELOAD': os.environ['MOUND_LIB'],
        'MOUND_PROFILE': path, 'MOUND_PROFILE_RATE': '1'})
    same((done.returncode, done.stderr), (0, ''))
    before = len(parse(gzip.decompress(folder.files()['heap.pb.gz'])))
    quiet(symbolize(path))
    read = Read(path)
    assert len(read.fields) > before
    stacks = []
    for sample in map(parse, values(read.fields, 2)):
        ids, at, stack = values(sample, 1)[0], 0, []
        while at < len(ids):
            location, at = read_varint(ids, at)
            stack.append(read.by_location.get(location))
        stacks.append(stack)
    wanted = ['allocate_inner', 'zoo::allocate_outer', 'main']
    assert any(stack[i:i + 3] == wanted for stack in stacks
               for i in range(len(stack))), stacks


TESTS = (
    names_functions_of_c_and_of_cplusplus,
    keeps_the_mangled_name_and_the_file_beside_it,
    leaves_names_as_they_are_without_a_demangler,
    names_functions_of_a_stripped_program_by_their_start,
    needs_no_sections_for_that,
    reads_symbols_from_a_separate_file,
    follows_a_debug_link,
    takes_no_debug_file_with_another_checksum,
    reads_symbols_from_minidebuginfo,
    leaves_a_file_with_another_build_id_alone,
    leaves_a_file_that_is_gone_alone,
    leaves_a_damaged_file_alone,
    takes_a_file_without_build_id_if_it_is_older_than_the_process,
    keeps_everything_else_byte_for_byte,
    leaves_a_profile_with_names_as_it_is,
    replaces_a_profile_with_its_permissions_behind_a_link,
    writes_another_file_with_o,
    reads_several_profiles_and_passes_over_a_bad_one,
    refuses_what_is_no_profile_and_writes_nothing,
    refuses_a_small_file_that_unpacks_to_a_large_one,
    damaged_bytes_never_end_in_a_traceback,
    tells_its_version,
    tells_why_it_cannot_write,
    ends_with_2_for_wrong_arguments,
    names_the_functions_of_a_profile_that_mound_wrote,
)


def main():
    failed = 0
    print('1..%d' % len(TESTS))
    for i, test in enumerate(TESTS):
        with tempfile.TemporaryDirectory() as name:
            try:
                test(Folder(name))
                state = 'ok'
            except Exception:
                state = 'not ok'
                failed += 1
                print(re.sub('^', '# ', traceback.format_exc(), flags=re.M))
        print('%s %d - %s' % (state, i + 1, test.__name__.replace('_', ' ')),
              flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
