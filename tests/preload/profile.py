#!/usr/bin/env python3
"""Heap profiles of programs that know what they allocate, of programs that are
hard to unwind, and of real ones; what goes wrong is said in one line. TAP."""
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import pprof_read  # noqa: E402
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
PROBES = os.environ['MOUND_PROBES']
UNWINDS = ('tables', 'libunwind', 'fp')
KIB, MIB = 1 << 10, 1 << 20
HANG_S = 120
GO = next((g for g in ('/usr/lib/go-1.19/bin/go', shutil.which('go'))
           if g and os.path.exists(g)), None)


def probe(name):
    return os.path.join(PROBES, name)


def environment(**variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    env['LD_PRELOAD'] = LIB
    env.update({k: str(v) for k, v in variables.items()})
    return env


def run(argv, status=0, said='', stdin=None, **variables):
    """Runs a program to its end; said is all of its stderr, None: anything."""
    r = subprocess.run(argv, env=environment(**variables), text=True,
                       capture_output=True, timeout=HANG_S, input=stdin,
                       check=False)
    if r.returncode == 77:
        raise Skipped(argv[0])
    must(r.returncode == status, argv, 'ended with', r.returncode, r.stderr)
    must(said is None or r.stderr == said, argv, 'said', r.stderr)
    return r.stdout


def column(profile, sample, name):
    return sample['values'][profile['types'].index(name)]


# Sites that are known.

def parse_sites(text):
    """[(start, end, allocated, inuse)] of what profile_sites prints."""
    sites = [(int(a, 16), int(n), int(k)) for a, n, k in
             re.findall(r'^site \d+ (\w+) (\d+) (\d+)$', text, re.M)]
    starts = sorted([a for a, _, _ in sites] +
                    [int(re.search(r'^end (\w+)$', text, re.M)[1], 16)])
    result = []
    for start, allocated, inuse in sites:
        later = [s for s in starts if s > start]
        result.append((start, min(later) if later else start + 4096,
                       allocated, inuse))
    return result


def site_totals(profile, sites):
    """(allocated, inuse) bytes of each site as the profile has them."""
    totals = [[0, 0] for _ in sites]
    for sample in profile['samples']:
        for i, (start, end, _, _) in enumerate(sites):
            if any(start <= a < end for a in sample['addresses']):
                totals[i][0] += column(profile, sample, 'alloc_space/bytes')
                totals[i][1] += column(profile, sample, 'inuse_space/bytes')
    return totals


def ratios(folder, name, *args, **variables):
    """Per site, what the profile says to what there was: allocated, in use."""
    path = os.path.join(folder, name)
    text = run([probe('profile_sites'), *args], MOUND_PROFILE=path, **variables)
    sites = parse_sites(text)
    must(len(sites) == 10, text)
    profile = pprof_read.read(path)
    return [(a / sites[i][2], k / sites[i][3])
            for i, (a, k) in enumerate(site_totals(profile, sites))]


def each_site_in_one_run(folder, **variables):
    for name in ('sites.pb.gz', 'sites.heap'):
        found = ratios(folder, name, **variables)
        for i, (allocated, _) in enumerate(found):
            must(abs(allocated - 1) < 0.15, name, 'site', i, 'allocated',
                 allocated)
        # A third of 50 MB is in use: 30 samples a site.
        inuse = statistics.mean(k for _, k in found)
        must(abs(inuse - 1) < 0.2, name, 'in use', inuse)


def sites_within_15_percent_in_one_run(folder):
    each_site_in_one_run(folder)


def sites_by_frame_pointers(folder):
    each_site_in_one_run(folder, MOUND_UNWIND='fp')


def sites_by_libunwind(folder):
    each_site_in_one_run(folder, MOUND_UNWIND='libunwind')


def sites_in_hardened_mode(folder):
    each_site_in_one_run(folder, MOUND_HARDENED=1)


def sites_within_3_percent_over_20_runs(folder):
    runs = [ratios(folder, 'mean.pb.gz') for _ in range(20)]
    for i in range(10):
        for kind in (0, 1):
            mean = statistics.mean(r[i][kind] for r in runs)
            must(abs(mean - 1) < (0.03, 0.20)[kind], 'site', i, 'mean', mean)


def every_object_at_a_rate_of_one(folder):
    for i, (allocated, inuse) in enumerate(
            ratios(folder, 'one.pb.gz', '300000', MOUND_PROFILE_RATE=1)):
        must(allocated == 1 and inuse == 1, 'site', i, allocated, inuse)


def memstats_stay_exact(folder):
    stats = []
    for n, variables in enumerate(({}, {'MOUND_PROFILE_RATE': 1},
                                   {'MOUND_PROFILE_RATE': 4096})):
        path = os.path.join(folder, 'stats%d.json' % n)
        if n > 0:
            variables['MOUND_PROFILE'] = os.path.join(folder, 'x.pb.gz')
        run([probe('profile_sites'), '1000000'], MOUND_UNWIND='fp',
            MOUND_STATS=path, **variables)
        with open(path, encoding='utf-8') as f:
            stats.append(json.load(f)['memstats'])
    for name in ('Mallocs', 'Frees', 'TotalAlloc', 'HeapAlloc', 'HeapObjects',
                 'BySize'):
        must(stats[0][name] == stats[1][name] == stats[2][name], name,
             [s[name] for s in stats])
    must(stats[1]['BuckHashSys'] > 0 and stats[0]['BuckHashSys'] == 0,
         'BuckHashSys')


# When.

def threads_are_told_when_it_starts_by_call(_):
    for unwind in UNWINDS:
        run([probe('profile_calls')], MOUND_UNWIND=unwind)


def nothing_is_missed_at_the_edges(_):
    for edge in ('first', 'no-room', 'raw-exit', 'raw-fork'):
        run([probe('profile_edges'), edge])


def a_signal_writes_numbered_profiles(folder):
    path = os.path.join(folder, 'by.pb.gz')
    p = subprocess.Popen(['/usr/bin/python3', '-c', '''
import sys
keep = [bytes(100000) for _ in range(300)]
print("ready", flush=True)
sys.stdin.read()'''], env=environment(MOUND_PROFILE=path,
                                      MOUND_PROFILE_SIGNAL='USR2'),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)
    p.stdout.readline()
    for n in (1, 2):
        p.send_signal(signal.SIGUSR2)
        numbered = os.path.join(folder, 'by.%d.pb.gz' % n)
        deadline = time.time() + 30
        while not os.path.exists(numbered) and time.time() < deadline:
            time.sleep(0.01)
        profile = pprof_read.read(numbered)
        must(profile['totals'][3] > 20 * MIB, numbered, profile['totals'])
    p.communicate('', timeout=HANG_S)
    must(p.returncode == 0, 'python ended with', p.returncode)
    must(len(pprof_read.read(path)['samples']) > 0, 'none at exit')


def growth_writes_numbered_profiles(folder):
    path = os.path.join(folder, 'grow-%n.pb.gz')
    run(['/usr/bin/python3', '-c', 'x = [bytes(50000) for _ in range(4000)]'],
        MOUND_PROFILE=path, MOUND_PROFILE_EVERY='32MiB')
    inuse = [pprof_read.read(os.path.join(folder, name))['totals'][3]
             for name in sorted((n for n in os.listdir(folder)
                                 if n.startswith('grow-')),
                                key=lambda n: int(re.findall(r'\d+', n)[0]))]
    # 200 MB: six of them, and one at the end.
    must(6 <= len(inuse) <= 8, len(inuse), 'profiles')
    must(inuse[:-1] == sorted(inuse[:-1]), 'they do not grow', inuse)


def processes_have_a_profile_each(folder):
    path = os.path.join(folder, 'fork.pb.gz')
    run(['/usr/bin/python3', '-c', '''
import os
x = [bytes(50000) for _ in range(200)]
if os.fork() == 0:
    y = [bytes(60000) for _ in range(400)]
    raise SystemExit
os.wait()'''], MOUND_PROFILE=path)
    names = sorted(n for n in os.listdir(folder) if n.startswith('fork.pb.gz'))
    must(len(names) == 2, names)
    parent, child = [pprof_read.read(os.path.join(folder, n))['totals'][1]
                     for n in names]
    must(child > parent + 10 * MIB, 'parent', parent, 'child', child)


def an_object_that_grows_in_place_counts_with_its_size(folder):
    path = os.path.join(folder, 'grown.pb.gz')
    run(['/usr/bin/python3', '-c', '''
import os, signal
x = bytearray()
for i in range(2000):
    x += bytes(50000)
os.kill(os.getpid(), signal.SIGUSR1)'''], MOUND_PROFILE=path,
        MOUND_PROFILE_SIGNAL='USR1')
    inuse = pprof_read.read(os.path.join(folder, 'grown.1.pb.gz'))['totals'][3]
    # Python takes an eighth more, and has some MiB of its own.
    must(100_000_000 < inuse < 120_000_000, inuse)


# Formats.

def go_pprof(*args):
    if GO is None:
        raise Skipped('no go')
    return subprocess.run([GO, 'tool', 'pprof', *args], capture_output=True,
                          text=True, timeout=HANG_S, check=True,
                          env={'HOME': '/tmp', 'PATH': os.environ['PATH'],
                               'PPROF_TMPDIR': '/tmp'}).stdout


def go_reads_both_forms_and_names_the_sites(folder):
    for name in ('go.pb.gz', 'go.heap'):
        path = os.path.join(folder, name)
        run([probe('profile_sites')], MOUND_PROFILE=path)
        text = go_pprof('-top', '-cum', '-sample_index=alloc_space', path)
        for i in range(10):
            must(re.search(r'\bsite_%d$' % i, text, re.M), name, text)
        must(not re.search(r'mcache|sampled_small|unwind_stack|malloc_slow',
                           text), 'our own frames', text)


def bytes_by_file(path):
    """Bytes allocated, by the file of the innermost frame."""
    profile = pprof_read.read(path)
    files = {m['id']: m['file'] for m in profile['mappings']}
    found = {}
    for sample in profile['samples']:
        file = os.path.basename(files.get((sample['mappings'] or [0])[0], ''))
        found[file] = found.get(file, 0) + column(profile, sample,
                                                  'alloc_space/bytes')
    return found


def what_an_unloaded_library_allocated_is_its_own(folder):
    for name in ('reload.pb.gz', 'reload.heap'):
        path = os.path.join(folder, name)
        run([probe('profile_reload')], MOUND_PROFILE=path, MOUND_PROFILE_RATE=1)
        found = bytes_by_file(path)
        must(found.get('profile_busy.so', 0) > 55 * MIB and
             0 < found.get('profile_idle.so', 0) < 5 * MIB, name, found)


def one_loaded_by_a_relative_path_has_a_whole_one(folder):
    path = os.path.join(folder, 'relative.pb.gz')
    libraries = run([probe('profile_reload'), 'relative'], MOUND_PROFILE=path,
                    MOUND_PROFILE_RATE=1).split()
    files = [os.path.normpath(m['file'])
             for m in pprof_read.read(path)['mappings']]
    must(set(map(os.path.realpath, libraries)) <= set(files), libraries, files)


def readers_name_its_functions(folder):
    for name in ('named.pb.gz', 'named.heap'):
        path = os.path.join(folder, name)
        run([probe('profile_reload')], MOUND_PROFILE=path, MOUND_PROFILE_RATE=1)
        text = go_pprof('-top', '-cum', '-sample_index=alloc_space', path)
        must(re.search(r'\b62400kB .* busy$', text, re.M) and
             re.search(r'\b2080kB .* idle$', text, re.M), name, text)


# Hard to unwind, and hard on who unwinds.

def probes_pass_while_every_malloc_is_sampled(folder):
    hard = (['small_stack', 'signal'], ['small_stack', 'coroutine'],
            ['thread_exit'], ['short_threads', '1500'], ['cancel'],
            ['fork_busy', 'fork', 'busy', '1', '10'], ['signal_storm'],
            ['plugin_loop'], ['fatal_signal', 'abort'],
            ['exit_ways', 'quick_exit'],
            ['unwind_reload'], ['unwind_descriptors'], ['unwind_small_stack'],
            ['unwind_locks', 'loader'], ['unwind_locks', 'profiler'],
            ['unwind_locks', 'libunwind'])
    for argv in hard:
        for unwind in UNWINDS if argv in hard[:3] else UNWINDS[:2]:
            r = subprocess.run([probe(argv[0]), *argv[1:]], text=True,
                               capture_output=True, timeout=HANG_S,
                               check=False, env=environment(
                MOUND_PROFILE=os.path.join(folder, 'probe-%p.heap'),
                MOUND_PROFILE_RATE=1, MOUND_UNWIND=unwind))
            must(r.returncode == 0 and r.stderr == '', argv, unwind,
                 r.returncode, r.stderr)


def a_filter_that_forbids_what_unwinding_wants(folder):
    for unwind in UNWINDS:
        run([probe('profile_filter')], said=None, MOUND_UNWIND=unwind,
            MOUND_PROFILE=os.path.join(folder, 'f.pb.gz'),
            MOUND_PROFILE_RATE=1000)


def jitted_code(folder):
    node = shutil.which('node')
    if node is None:
        raise Skipped('no node')
    path = os.path.join(folder, 'node-%p.pb.gz')
    out = run([node, '-e', '''
let x = [];
for (let i = 0; i < 300; i++) x.push(Buffer.alloc(20000, i));
console.log(JSON.parse(JSON.stringify(x.map(b => b.length))).length)'''],
              MOUND_PROFILE=path, MOUND_PROFILE_RATE=64 * KIB)
    must(out == '300\n', out)
    for name in os.listdir(folder):
        if name.startswith('node-'):
            pprof_read.read(os.path.join(folder, name))


# Bad input.

def a_path_that_cannot_be_written(folder):
    for path in ('/nowhere/x.pb.gz', '/dev/full', folder):
        # Of the full one it is known at the end only: echo has closed its stderr
        # then.
        r = subprocess.run(['sh', '-c', 'echo hello'] if path == '/dev/full'
                           else ['/bin/echo', 'hello'], capture_output=True,
                           text=True, timeout=HANG_S, check=False,
                           env=environment(MOUND_PROFILE=path))
        must(r.returncode == 0 and r.stdout == 'hello\n', path, r)
        must(re.fullmatch(r'mound: MOUND_PROFILE: cannot write \S+.*\n',
                          r.stderr), path, r.stderr)


def a_full_disk_leaves_no_half_profile(folder):
    small = os.path.join(folder, 'limit.pb.gz')

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    r = subprocess.run([probe('profile_sites'), '3000000'], text=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       preexec_fn=limit, timeout=HANG_S, check=False,
                       env=environment(MOUND_PROFILE=small))
    must(r.returncode == 0, r.returncode, r.stderr)
    must(re.fullmatch(r'mound: MOUND_PROFILE: cannot write .*: File too large\n',
                      r.stderr), r.stderr)
    must(not os.path.exists(small) and
         not any(n.startswith('limit') for n in os.listdir(folder)), 'left')


def a_libunwind_that_cannot_be_loaded(folder):
    with open(os.path.join(folder, 'libunwind.so.8'), 'wb') as f:
        f.write(b'this is no library')
    path = os.path.join(folder, 'none.pb.gz')
    r = subprocess.run([probe('profile_sites'), '2000000'], text=True,
                       capture_output=True, timeout=HANG_S, check=False,
                       env=environment(MOUND_PROFILE=path,
                                       MOUND_UNWIND='libunwind',
                                       LD_LIBRARY_PATH=folder))
    must(r.returncode == 0, r.stderr)
    must(re.fullmatch(r'mound: MOUND_UNWIND=libunwind: .*; '
                      r'using unwind tables\n', r.stderr), r.stderr)
    must(len(pprof_read.read(path)['samples']) > 0, 'nothing sampled')


def frame_pointers_that_are_none(folder):
    """Debian's python has none: what stands there leads anywhere."""
    path = os.path.join(folder, 'wild.pb.gz')
    run(['/usr/bin/python3', '-c', 'import json\n'
         'json.loads(json.dumps([{"a": str(i)} for i in range(20000)]))'],
        MOUND_PROFILE=path, MOUND_PROFILE_RATE=16 * KIB, MOUND_UNWIND='fp',
        PYTHONMALLOC='malloc')
    must(len(pprof_read.read(path)['samples']) > 20, 'nothing sampled')


# Probes for tracers.

def tracers_find_the_probes(_):
    text = subprocess.run(['readelf', '-n', LIB], capture_output=True,
                          text=True, check=True).stdout
    if os.uname().machine != 'x86_64':
        raise Skipped('registers of another machine')
    for name, arguments in (('alloc', '8@%rdi 8@%rsi 8@%rdx'),
                            ('free', '8@%rdi')):
        found = re.search(r'Provider: otel_memory\s+Name: %s\s+Location: .*, '
                          r'Semaphore: 0x(\w+)\s+Arguments: %s\n' % (
                              name, arguments), text)
        must(found and int(found[1], 16) != 0, name, text)


# Real programs.

def real_programs(folder):
    path = os.path.join(folder, 'real-%e-%p.pb.gz')
    source = os.path.join(folder, 'real.cc')
    with open(source, 'w', encoding='utf-8') as f:
        f.write('#include <map>\n#include <string>\n#include <stdexcept>\n'
                'int main() { std::map<int, std::string> m; int n = 0;\n'
                'for (int i = 0; i < 100000; i++) try { m[i] = std::string('
                '100, 1); if (i % 3 == 0) throw std::runtime_error("x"); }\n'
                'catch (const std::exception &) { n++; } return n != 33334; }')
    program = os.path.join(folder, 'real')
    run(['g++', '-O2', '-o', program, source], MOUND_PROFILE=path)
    run([program], MOUND_PROFILE=path)
    run(['/usr/bin/python3', '-c', 'import json\n'
         'json.loads(json.dumps([{"a": str(i)} for i in range(50000)]))'],
        MOUND_PROFILE=path, PYTHONMALLOC='malloc')
    for name in ('cc1plus', 'real', 'python3.11'):
        found = [n for n in os.listdir(folder)
                 if n.startswith('real-%s' % name[:4])]
        must(found, 'no profile of', name, os.listdir(folder))
        profile = pprof_read.read(os.path.join(folder, found[0]))
        must(profile['totals'][1] > 1 * MIB, name, profile['totals'])
        deepest = max(len(s['addresses']) for s in profile['samples'])
        must(deepest > 3, name, 'stacks of', deepest)


TESTS = [
    sites_within_15_percent_in_one_run, sites_by_frame_pointers,
    sites_by_libunwind, sites_in_hardened_mode, sites_within_3_percent_over_20_runs,
    every_object_at_a_rate_of_one, memstats_stay_exact,
    threads_are_told_when_it_starts_by_call, nothing_is_missed_at_the_edges,
    a_signal_writes_numbered_profiles,
    growth_writes_numbered_profiles, processes_have_a_profile_each,
    an_object_that_grows_in_place_counts_with_its_size,
    go_reads_both_forms_and_names_the_sites,
    what_an_unloaded_library_allocated_is_its_own,
    one_loaded_by_a_relative_path_has_a_whole_one, readers_name_its_functions,
    probes_pass_while_every_malloc_is_sampled,
    a_filter_that_forbids_what_unwinding_wants, jitted_code,
    a_path_that_cannot_be_written, a_full_disk_leaves_no_half_profile,
    a_libunwind_that_cannot_be_loaded, frame_pointers_that_are_none,
    tracers_find_the_probes, real_programs,
]


if __name__ == '__main__':
    sys.exit(tap.main(TESTS, pprof_read.Malformed))
