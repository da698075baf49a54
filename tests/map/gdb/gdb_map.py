#!/usr/bin/env python3
"""What moundmap-gdb.py prints of a stopped program's maps is what the program
itself says is in them, in every state of growth; and damaged maps are told from
sound ones, without an end in a loop or a traceback.

    gdb_map.py map|swiss STATES STATES_CC LIBMOUNDMAP
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ['MOUND_SOURCE']
SCRIPT = os.path.join(SOURCE, 'map', 'moundmap-gdb.py')
MODULES = [os.path.join(SOURCE, 'map', name)
           for name in ('moundmap_entries.py', 'moundmap_printers.py')]
# A hang is a failure; the walk of a damaged map may take a while.
LIMIT_S = 300

# A change that damages a map, the map, and what is said of it. The arrays and
# records are where mound_map_hmap.h draws them: *crowded has B=4, so 17
# buckets.
LINK_5 = '(crowded->u_.map_.buckets_ - 10 * 16 - 4 * (5 + 1))'
OLD = 'moving->u_.map_.extra_->old_'
MAP_DAMAGES = [
    ('many->u_.map_.B_ = 77', '*many', r'<B is 77, above 30>'),
    ('many->u_.map_.B_ = 30', '*many', r'<cannot read \d+ bytes at 0x\w+>'),
    ('many->u_.map_.buckets_ = (char *)64', '*many', r'<cannot read '),
    ('many->u_.map_.buckets_ = (char *)0', '*many',
     r'<1000 entries and no buckets>'),
    ('many->u_.map_.count_ = 1002', '*many',
     r'<2 of 1002 entries are missing>'),
    ('crowded->u_.map_.count_ = -1', '*crowded', r' entries are missing>'),
    # Links: to itself, to nowhere, to another block, and to where it came from.
    ('*(unsigned *)%s = 5' % LINK_5, '*crowded',
     r'<bucket 5 of 0x\w+ links to bucket 5>'),
    ('*(unsigned *)%s = 0xffffffff' % LINK_5, '*crowded',
     r'<bucket 5 of 0x\w+ links to bucket 4294967295>'),
    ('crowded->u_.map_.extra_->overflow_.nchunks_ = 3', '*crowded',
     r'links to bucket 20, in block 3 of 3>'),
    ('crowded->u_.map_.extra_->overflow_.u_.many_ = (char **)1', '*crowded',
     r'<cannot read 8 bytes at 0x1>'),
    ('crowded->u_.map_.extra_ = (struct mound_map_extra *)8', '*crowded',
     r'<.*Cannot access memory at address 0x\w+>'),
    ('moving->u_.map_.extra_ = (struct mound_map_extra *)0', '*moving',
     r'<growing without a record of the old array>'),
    ('%s = (struct mound_map_old *)0' % OLD, '*moving',
     r'<growing without a record of the old array>'),
    ('moving->u_.map_.oldbuckets_ = (char *)64', '*moving', r'<cannot read '),
    ('moving->u_.map_.B_ = 0', '*moving', r'<growing to B=0>'),
    ('moving->u_.map_.flags_ |= 4, moving->u_.map_.count_++', '*moving',
     r'<1 of 106 entries are missing; a write is under way>'),
    ('some_seen->u_.map_.B_ = 31', '*some_seen', r'<B is 31, above 30>'),
    ('slices->u_.map_.count_ = 3', '*slices', r'of 3 entries'),
]

# *large has 8 tables, *one_bucket has a table of a group; their headers are
# before the metadata. *crowded has a table that cannot split.
REF = 'large->u_.map_.dir_[1]'
TABLE = '((struct mound_swiss_table *)(%s.base + 16))' % REF
SWISS_DAMAGES = [
    ('large->u_.map_.shift_ = 1', '*large', r'<depth is 63, above 40>'),
    ('large->u_.map_.shift_ = 0', '*large', r'<depth is 64, above 40>'),
    ('large->u_.map_.shift_ = 64 - 30', '*large', r'<cannot read \d+ bytes at|'
     r'<table 0 of 0x\w+ has the depth \d+ and the prefix 0x0>'),
    ('large->u_.map_.dir_ = (struct mound_swiss_ref_ *)64', '*large',
     r'<cannot read '),
    ('large->u_.map_.dir_ = (struct mound_swiss_ref_ *)0', '*large',
     r'<cannot read '),
    ('large->u_.map_.dir_++', '*large',
     r'<table \d of 0x\w+ has the depth 3 and the prefix 0x\w+>'),
    (REF + '.base = (char *)64', '*large', r'<cannot read '),
    (REF + '.base = large->u_.map_.dir_[2].base', '*large', r'<table 1 of 0x\w+ '
     r'has the depth 3 and the prefix 0x4000000000000000>'),
    (REF + '.mask = 0x7f7', '*large',
     r'<table 1 of 0x\w+ has the mask 0x7f7>'),
    (REF + '.mask = 0x7e0', '*large',
     r'<table 1 of 0x\w+ has the mask 0x7e0>'),
    (REF + '.mask = 0xfffffffff0', '*large',
     r'<table 1 of 0x\w+ has the mask 0xfffffffff0>'),
    (TABLE + '->ngroups_log2_ = 6', '*large',
     r'<table 1 of 0x\w+ has the mask 0x3f0, not 0x7f0>'),
    (TABLE + '->depth_ = 200', '*large',
     r'<table 1 of 0x\w+ has the depth 200 and the prefix 0x2'),
    (TABLE + '->depth_ = 2', '*large',
     r'<table 1 of 0x\w+ has the depth 2 and the prefix 0x2'),
    (TABLE + '->prefix_ = 0', '*large',
     r'<table 1 of 0x\w+ has the depth 3 and the prefix 0x0>'),
    ('many->u_.map_.count_ = 1002', '*many',
     r'<2 of 1002 entries are missing>'),
    ('many->u_.map_.flags_ |= 1, many->u_.map_.count_++', '*many',
     r'\(depth=0, writing\).*<1 of 1001 entries are missing; a write is under '
     r'way>'),
    ('crowded->u_.map_.count_ = -1', '*crowded', r' entries are missing>'),
    ('empty->u_.map_.count_ = 1', '*empty', r'<1 of 1 entries are missing>'),
    ('some_seen->u_.map_.dir_ = (struct mound_swiss_ref_ *)1', '*some_seen',
     r'<cannot read 32 bytes at 0x1>'),
    ('apart->u_.map_.one_.base -= 8', '*apart', r'<table 0 of 0x\w+ has '),
    ('slices->u_.map_.count_ = 4', '*slices', r'of 4 entries'),
]


class Results:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, ok, name, *details):
        self.count += 1
        self.failed += not ok
        print('%s %d - %s' % ('ok' if ok else 'not ok', self.count, name))
        if not ok:
            for detail in details:
                for line in str(detail).splitlines():
                    print('# ' + line[:400])
        sys.stdout.flush()

    def done(self):
        print('1..%d' % self.count)
        return 1 if self.failed else 0


def gdb(*commands, program=(), script=True):
    argv = ['gdb', '-nx', '-batch', '-iex', 'set auto-load no',
            '-ex', 'set width 0', '-ex', 'set height 0',
            '-ex', 'set print elements 0', '-ex', 'set confirm off']
    if script:
        argv += ['-ex', 'source ' + SCRIPT]
    for command in commands:
        argv += ['-ex', command]
    return subprocess.run(argv + [*program], text=True, timeout=LIMIT_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL).stdout


def printed(text):
    """The values of print commands, in order: the lines "$1 = ..."."""
    return re.findall(r'^\$\d+ = (.*)$', text, re.M)


def split(value):
    """What stands before the braces, and what is between the top commas in
    them."""
    head, brace, rest = value.partition(' = {')
    if not brace:
        return head, []
    parts, depth, quoted, at, escaped = [], 0, False, 0, False
    rest = rest[:-1]
    for i, c in enumerate(rest):
        if quoted:
            quoted = escaped or c != '"'
            escaped = c == '\\' and not escaped
        elif c == '"':
            quoted = True
        elif c in '{[(':
            depth += 1
        elif c in '}])':
            depth -= 1
        elif c == ',' and depth == 0:
            parts.append(rest[at:i].strip())
            at = i + 1
    parts.append(rest[at:].strip())
    return head, parts


def expected(path):
    """{expression: (head, entries)} of the file that the program wrote."""
    result, entries = {}, None
    with open(path, encoding='utf-8') as f:
        for line in f.read().splitlines():
            if line.startswith('= '):
                name, head = line[2:].split('\t')
                entries = []
                result[name] = head, entries
            else:
                entries.append(line)
    return result


def check_states(results, kind, states, folder):
    file = os.path.join(folder, 'states')
    core = os.path.join(folder, 'core')
    subprocess.run([states, file], check=True, timeout=LIMIT_S)
    names = [name for name in expected(file) if name.startswith('*')]
    b = 'B' if kind == 'map' else 'depth'
    iters = ['begun', 'midway', 'ended', 'at_key']
    text = gdb('break in_loop', 'break ready', 'run ' + file, 'up', 'print it',
               'print here', 'print none', 'continue', *('print ' + n for n in names),
               *('print ' + n for n in iters), 'print *bare',
               'print outgrown->u_.map_',
               'print /r *one_bucket', 'set print elements 3', 'print *many',
               'set print elements 0', 'generate-core-file ' + core,
               program=[states])
    values = printed(text)
    wanted = expected(file)
    results.check(len(values) == 3 + len(names) + len(iters) + 4,
                  'gdb prints every map', text)
    results.check(values[0] == 'ages_iter at = {["me"] = 1}',
                  'the iterator of foreach', values[0])
    results.check(values[1] == 'seen of 1 key (%s=0) = {77}' % b,
                  'a map that is a local variable', values[1])
    results.check(values[2] == 'seen of 0 keys (%s=0)' % b,
                  'an empty map that is a local variable', values[2])
    values = values[3:]
    for name, value in zip(names, values):
        head, entries = split(value)
        results.check(head == wanted[name][0] and
                      sorted(entries) == sorted(wanted[name][1]),
                      '%s: %s' % (name[1:], head),
                      'expected %s' % wanted[name][0], wanted[name][1],
                      'printed ' + value)
    values = values[len(names):]
    results.check(values[0] == 'ages_iter, not at an entry yet',
                  'an iterator before its first entry', values[0])
    results.check(values[1] == 'ages_iter at = {%s}' % wanted['midway'][0],
                  'an iterator at an entry', values[1])
    results.check(values[2] == 'ages_iter, ended',
                  'an iterator that has ended', values[2])
    results.check(values[3] == 'seen_iter at = {%s}' % wanted['at_key'][0],
                  'an iterator of a set', values[3])
    headers = {'map': ['mound_map of 100 entries (B=4, iterator, old iterator)',
                       'mound_map of 201 entries (B=5, iterator, old iterator, '
                       'outgrown arrays)'],
               'swiss': ['mound_swiss of 100 entries (depth=0)',
                         'mound_swiss of 201 entries (depth=0, replaced '
                         'tables)']}
    results.check(values[4] == headers[kind][0],
                  'struct mound_%s: its header' % kind, values[4])
    results.check(values[5] == headers[kind][1],
                  'a header with more to free', values[5])
    results.check(values[6].startswith('{u_ = {map_ = '),
                  'print /r prints the fields', values[6])
    results.check(re.fullmatch(r'numbers of 1000 entries \(%s=\d\) = \{'
                               r'\[\d+\] = \d+, \[\d+\] = \.\.\.\}' % b,
                               values[7]),
                  'set print elements holds', values[7])
    return names, wanted, core


def check_core(results, states, names, wanted, core):
    values = printed(gdb(*('print ' + n for n in names),
                         program=[states, core]))
    results.check(
        [(head, sorted(entries)) for head, entries in map(split, values)] ==
        [(wanted[n][0], sorted(wanted[n][1])) for n in names],
        'the same from a core', values)


def check_damages(results, damages, states, folder):
    # Each to a program that was started anew.
    commands = ['break ready']
    for i, (damage, name, _) in enumerate(damages):
        commands += ['echo damage %d\\n' % i,
                     'run ' + os.path.join(folder, 'states'),
                     'set var ' + damage, 'print ' + name]
    try:
        text = gdb(*commands, program=[states])
    except subprocess.TimeoutExpired:
        text = 'still running after %d s' % LIMIT_S
    for i, (damage, name, said) in enumerate(damages):
        part = re.search(r'^damage %d\n(.*?)(?=^damage |\Z)' % i, text,
                         re.M | re.S)
        part = part[1] if part else text
        values = printed(part)
        results.check(len(values) == 1 and re.search(said, values[0]) and
                      'Traceback' not in part and 'Exception' not in part,
                      'damaged by %s' % damage, part)


def check_cc(results, kind, states_cc, folder):
    state = '(B=0)' if kind == 'map' else '(depth=0)'
    values = printed(gdb('break ready', 'run ' + os.path.join(folder, 'cc'),
                         'print *shapes', 'print by_reference',
                         'print *colours', program=[states_cc]))
    shapes = ['["centre"] = {x = 0, y = 0}', '["corner"] = {x = 3, y = 4}']
    results.check(len(values) == 3, 'C++: gdb prints every map', values)
    head, entries = split(values[0])
    results.check(head == 'points of 2 entries ' + state and
                  sorted(entries) == shapes, 'C++: a map', values[0])
    head, entries = split(values[1])
    results.check(head.endswith('points of 2 entries ' + state) and
                  sorted(entries) == shapes, 'C++: a reference to a map',
                  values[1])
    results.check(values[2] == 'tags of 1 key %s = {"red"}' % state,
                  'C++: a set', values[2])


def check_auto_load(results, states, library, folder):
    """Where gdb looks for scripts of libraries, it finds and loads this one."""
    library = os.path.realpath(library)
    place = folder + library + '-gdb.py'
    os.makedirs(os.path.dirname(place))
    shutil.copy(SCRIPT, place)
    for module in MODULES:
        shutil.copy(module, os.path.dirname(place))
    argv = ['gdb', '-nx', '-batch', '-iex', 'add-auto-load-safe-path ' + folder,
            '-iex', 'set debug-file-directory ' + folder,
            '-iex', 'set auto-load scripts-directory ' + folder,
            '-ex', 'break ready', '-ex', 'run ' + os.path.join(folder, 'auto'),
            '-ex', 'print *lonely', states]
    text = subprocess.run(argv, text=True, timeout=LIMIT_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL).stdout
    results.check(re.search(r'= ages of 1 entry \(\w+=\d\) = \{\[""\] = 0\}',
                            text),
                  'the script is loaded with the library', text)
    results.check(not os.path.exists(os.path.dirname(place) + '/__pycache__'),
                  'it leaves no compiled files there')


def check_others(results, states, folder):
    """Scripts of gdb share their names: libmound's, and those of programs."""
    other = os.path.join(folder, 'other.py')
    with open(other, 'w', encoding='utf-8') as f:
        f.write('read = entries = find_printer = MapPrinter = number = None\n')
    text = gdb('source ' + os.path.join(SOURCE, 'preload', 'mound-gdb.py'),
               'source ' + other, 'break ready',
               'run ' + os.path.join(folder, 'others'), 'print *people',
               program=[states])
    results.check('= ages of 3 entries' in text and '["rob"] = 66' in text and
                  'Traceback' not in text, 'beside other scripts', text)
    os.mkdir(folder + '/alone')
    alone = shutil.copy(SCRIPT, folder + '/alone')
    text = gdb('source ' + alone, script=False)
    results.check(re.search(r'moundmap-gdb\.py: .*No such file.*'
                            r'moundmap_entries\.py', text) and
                  'Traceback' not in text,
                  'what lies beside it is missed by name', text)


def main():
    kind, states, states_cc, library = sys.argv[1:]
    damages = {'map': MAP_DAMAGES, 'swiss': SWISS_DAMAGES}[kind]
    results = Results()
    if shutil.which('gdb') is None:
        results.check(False, 'gdb is there')
        return results.done()
    with tempfile.TemporaryDirectory() as folder:
        names, wanted, core = check_states(results, kind, states, folder)
        check_core(results, states, names, wanted, core)
        check_cc(results, kind, states_cc, folder)
        check_auto_load(results, states, library, folder)
        check_others(results, states, folder)
        check_damages(results, damages, states, folder)
    return results.done()


if __name__ == '__main__':
    sys.exit(main())
