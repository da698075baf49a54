#!/usr/bin/env python3
"""Other tools beside mound, in the way preload/misuse.md says: valgrind's tools and
the sanitizers find in a program what they would find without the library.
TAP."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import Skipped, must  # noqa: E402

LIB = os.environ['MOUND_LIB']
CLANG = 'clang-14' if shutil.which('clang-14') else 'clang'
HANG_S = 60
# A sanitizer's runtime that waits for itself does so for ever.
SANITIZER_HANG_S = 20

BUGGY = '''#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline)) static void over(void) {
    char *volatile p = malloc(40); p[40] = 1; free(p);
}
__attribute__((noinline)) static void after(void) {
    char *volatile p = malloc(40); free(p); p[3] = 1;
}
__attribute__((noinline)) static void leak(void) {
    char *volatile p = malloc(333); p[0] = 1; p = NULL;
}
__attribute__((noinline)) static void uninit(void) {
    int *volatile p = malloc(40); if (p[3] > 5) puts("large"); free(p);
}
static int *n;
static void *add(void *p) {
    for (int i = 0; i < 10000; i++) n[0]++;
    return p;
}
__attribute__((noinline)) static void race(void) {
    pthread_t t; n = calloc(10, 4);
    pthread_create(&t, NULL, add, NULL); add(NULL); pthread_join(t, NULL);
    free(n);
}
__attribute__((noinline)) static void fine(void) {
    char *p[1000];
    for (int i = 0; i < 1000; i++) p[i] = memset(malloc(i + 1), 1, i + 1);
    for (int i = 0; i < 1000; i++) p[i] = realloc(p[i], 2 * i + 1);
    for (int i = 0; i < 1000; i++) free(p[i]);
}
#ifdef OPTIONS
const char *__asan_default_options(void) { return OPTIONS; }
#endif
int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "fine";
    if (!strcmp(what, "over")) over();
    else if (!strcmp(what, "after")) after();
    else if (!strcmp(what, "leak")) leak();
    else if (!strcmp(what, "uninit")) uninit();
    else if (!strcmp(what, "race")) race();
    else if (!strcmp(what, "race_and_exit")) { race(); _exit(0); }
    else fine();
    return 0;
}
'''
LEVEL2 = {'MOUND_HARDENED': '2'}
GUARD = {'MOUND_GUARD': '1', 'MOUND_PROFILE_RATE': '1'}


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Skipped('no ' + tool)


def run(argv, settings, hang_s=HANG_S):
    """Runs a program to its end; settings None: without the library."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith('MOUND_') and not k.endswith('SAN_OPTIONS')}
    env['TSAN_OPTIONS'] = 'atexit_sleep_ms=0'
    if settings is not None:
        env['LD_PRELOAD'] = LIB
        env.update(settings)
    return subprocess.run(argv, env=env, text=True, capture_output=True,
                          timeout=hang_s, check=False)


def build(folder, *command):
    """Compiles the buggy program; Skipped where the compiler cannot."""
    need(command[0])
    source = os.path.join(folder, 'buggy.c')
    with open(source, 'w', encoding='utf-8') as f:
        f.write(BUGGY)
    path = os.path.join(folder, re.sub(r'\W+', '_', ' '.join(command)))
    if os.path.exists(path):
        return path
    r = subprocess.run([command[0], '-g', '-O1', '-fno-builtin', '-w', source,
                        '-o', path, *command[1:], '-pthread'],
                       capture_output=True, text=True, check=False)
    if r.returncode != 0:
        raise Skipped('cannot build with ' + ' '.join(command))
    return path


# valgrind.

def errors_of(text):
    """What memcheck said, without the numbers of processes and addresses."""
    lines = re.findall(r'^==\d+== (.*)$', text, re.M)
    return [re.sub(r'Address 0x\w+', 'Address', line.strip())
            for line in lines
            if re.search(r'Invalid|Address|uninit|definitely lost|'
                         r'possibly lost|ERROR SUMMARY|\(buggy\.c', line)]


# What memcheck says of each mistake.
MISTAKES = {'over': '0 bytes after a block of size 40 alloc',
            'after': '3 bytes inside a block of size 40 free',
            'leak': '333 bytes in 1 blocks are definitely lost',
            'fine': 'ERROR SUMMARY: 0 errors'}
MEMCHECK = ['valgrind', '--leak-check=full']
said_alone = {}  # by program and argument


def expect_memcheck(folder, command, whats, settings):
    """The command finds what plain valgrind finds without the library."""
    for what in whats:
        if ('memcheck', what) not in said_alone:
            said_alone['memcheck', what] = errors_of(
                run([*MEMCHECK, build(folder, 'gcc'), what], None).stderr)
        alone = said_alone['memcheck', what]
        must(any(MISTAKES[what] in e for e in alone), 'alone:', alone)
        r = run([*command, what], settings)
        must(r.returncode == 0 and errors_of(r.stderr) == alone, command, what,
             'not', alone, 'but', r.stderr)


def memcheck_with_the_library_preloaded(folder):
    need('valgrind')
    command = [*MEMCHECK, build(folder, 'gcc')]
    expect_memcheck(folder, command, MISTAKES, {})
    expect_memcheck(folder, command, ['over'], {**LEVEL2, **GUARD})


def memcheck_of_a_program_that_is_linked_to_it(folder):
    need('valgrind')
    directory, name = os.path.split(LIB)
    command = [*MEMCHECK, build(folder, 'gcc', '-L' + directory, '-l:' + name,
                                '-Wl,-rpath,' + directory)]
    expect_memcheck(folder, command, ['leak'], None)


# What valgrind does not replace is built on what it does.
BUILT_ON_OTHERS = '''#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
static void *find(const char *name) {
    void *function = dlsym(RTLD_DEFAULT, name);
    if (!function) abort();
    return function;
}
int main(void) {
    void (*sized)(void *, size_t) = find("free_sized");
    void (*aligned_sized)(void *, size_t, size_t) = find("free_aligned_sized");
    void (*old)(void *) = find("cfree");
    void *p = reallocarray(reallocarray(malloc(3), 10, 10), 1000, 100);
    sized(p, 100000);
    aligned_sized(aligned_alloc(64, 640), 64, 640);
    if (posix_memalign(&p, 128, 100) != 0) return 1;
    old(realloc(memalign(64, 64), 640));
    old(valloc(10));
    if (malloc_usable_size(p) < 100) return 2;
    free(p);
    malloc_trim(0);
    mallinfo2();
    return 0;
}
'''


def every_tool_of_valgrind_serves_every_name(folder):
    need('valgrind')
    source, program = (os.path.join(folder, 'others' + end) for end in ('.c', ''))
    with open(source, 'w', encoding='utf-8') as f:
        f.write(BUILT_ON_OTHERS)
    directory, name = os.path.split(LIB)
    plain = ['gcc', '-g', '-fno-builtin', '-D_GNU_SOURCE', '-w', source, '-o']
    subprocess.run([*plain, program], check=True)
    subprocess.run([*plain, program + '-linked', '-L' + directory, '-l:' + name,
                    '-Wl,-rpath,' + directory, '-Wl,--no-as-needed'], check=True)
    for tool, settings, argv in (('memcheck', {}, program),
                                 ('massif', {}, program), ('dhat', {}, program),
                                 ('drd', {}, program), ('none', {}, program),
                                 ('memcheck', None, program + '-linked')):
        command = ['valgrind', '--tool=' + tool]
        if tool in ('massif', 'dhat'):
            command.append('--%s-out-file=/dev/null' % tool)
        if tool in ('memcheck', 'drd'):
            command.append('--error-exitcode=9')
        r = run([*command, argv], settings)
        must(r.returncode == 0 and 'mound' not in r.stderr, *command,
             settings, 'ended with', r.returncode, r.stderr)


def callgrind_counts_our_instructions(folder):
    need('valgrind', 'callgrind_annotate')
    out = os.path.join(folder, 'callgrind')
    r = run(['valgrind', '--tool=callgrind', '--callgrind-out-file=' + out,
             build(folder, 'gcc')], {})
    must(r.returncode == 0, r.stderr)
    text = subprocess.run(['callgrind_annotate', '--inclusive=yes', out],
                          capture_output=True, text=True, check=True).stdout
    must(re.search(r'malloc\.c:mound_malloc|:malloc \[.*libmound', text), text)
    must('buggy.c:main' in text, text)


def massif_knows_the_sites(folder):
    need('valgrind', 'ms_print')
    out = os.path.join(folder, 'massif')
    r = run(['valgrind', '--tool=massif', '--massif-out-file=' + out,
             build(folder, 'gcc')], {})
    must(r.returncode == 0, r.stderr)
    text = subprocess.run(['ms_print', out], capture_output=True, text=True,
                          check=True).stdout
    must(re.search(r'0x\w+: fine \(buggy\.c:\d+\)', text), text)


def helgrind_and_drd_find_the_race_and_no_other(folder):
    need('valgrind')
    program = build(folder, 'gcc')
    for tool in ('helgrind', 'drd'):
        r = run(['valgrind', '--tool=' + tool, program, 'race'], {})
        must('add (buggy.c' in r.stderr and 'libmound' not in r.stderr,
             tool, r.stderr)
        r = run(['valgrind', '--tool=' + tool, program, 'fine'], {})
        must('ERROR SUMMARY: 0 errors' in r.stderr, tool, r.stderr)


def valgrind_runs_the_helper_thread(folder):
    need('valgrind')
    program = build(folder, 'gcc')
    for tool in ('memcheck', 'callgrind', 'helgrind'):
        command = ['valgrind', '-q', '--tool=' + tool, program, 'fine']
        if tool == 'callgrind':
            command.insert(3, '--callgrind-out-file=/dev/null')
        r = run(command, {'MOUND_CONTROL': '1'})
        must(r.returncode == 0 and r.stderr == '', tool, r.returncode, r.stderr)


# Sanitizers.

ASAN = {'over': 'heap-buffer-overflow', 'leak': '333 byte(s) leaked',
        'fine': None}
LSAN = {'leak': '333 byte(s) leaked', 'fine': None}
MSAN = {'uninit': 'use-of-uninitialized-value', 'fine': None}
TSAN = {'race': 'ThreadSanitizer: data race',
        'race_and_exit': 'ThreadSanitizer: data race', 'fine': None}
SOME_SETTINGS = ({'MOUND_UNWIND': 'fp'}, LEVEL2, GUARD, {'MOUND_CONTROL': '1'})


def expect_sanitizer(program, cases, settings):
    """It finds with the library what it finds without, and nothing else."""
    for what, line in cases.items():
        if (program, what) not in said_alone:
            said_alone[program, what] = run([program, what], None)
        alone = said_alone[program, what]
        said = alone.stderr == '' if line is None else line in alone.stderr
        must(said and (line is None) == (alone.returncode == 0), 'alone:',
             program, what, alone.returncode, alone.stderr)
        r = run([program, what], settings, hang_s=SANITIZER_HANG_S)
        said = r.stderr == '' if line is None else line in r.stderr
        must(said and r.returncode == alone.returncode and
             'mound:' not in r.stderr, program, what, settings, 'ended with',
             r.returncode, 'not', alone.returncode, r.stderr)


def expect_sanitizer_beside(program, cases):
    """The first of the cases, beside settings of ours."""
    first = dict([next(iter(cases.items()))])
    for settings in SOME_SETTINGS:
        expect_sanitizer(program, first, settings)


def asan_in_a_library(folder):
    program = build(folder, 'gcc', '-fsanitize=address')
    expect_sanitizer(program, ASAN, {})
    expect_sanitizer_beside(program, ASAN)


def asan_in_a_library_that_is_preloaded_first(folder):
    program = build(folder, 'gcc', '-fsanitize=address')
    runtime = subprocess.run(['gcc', '-print-file-name=libasan.so'],
                             capture_output=True, text=True,
                             check=True).stdout.strip()
    expect_sanitizer(program, {'over': ASAN['over'], 'fine': None},
                     {'LD_PRELOAD': runtime + ':' + LIB})


def asan_in_a_library_with_options_of_the_program(folder):
    """They are not lost; who wants the order of libraries verified has it."""
    program = build(folder, 'gcc', '-fsanitize=address',
                    '-DOPTIONS="verify_asan_link_order=0:exitcode=42"')
    must(run([program, 'over'], {}).returncode == 42, 'not its exit code')
    program = build(folder, 'gcc', '-fsanitize=address')
    r = run([program, 'fine'], {'ASAN_OPTIONS': 'verify_asan_link_order=1'})
    must(r.returncode != 0 and 'does not come first' in r.stderr, r.stderr)
    r = run([program, 'over'], {'ASAN_OPTIONS': 'exitcode=43'})
    must(r.returncode == 43 and 'heap-buffer-overflow' in r.stderr, r.stderr)


def asan_in_a_library_of_clang(folder):
    need(CLANG)
    runtime = subprocess.run(
        [CLANG, '-print-file-name=libclang_rt.asan-%s.so' %
         os.uname().machine], capture_output=True, text=True,
        check=True).stdout.strip()
    if not os.path.exists(runtime):
        raise Skipped('no runtime of clang')
    program = build(folder, CLANG, '-fsanitize=address', '-shared-libasan',
                    '-Wl,-rpath,' + os.path.dirname(runtime))
    expect_sanitizer(program, {'over': ASAN['over'], 'fine': None}, {})


def asan_inside_the_program(folder):
    expect_sanitizer(build(folder, 'gcc', '-fsanitize=address',
                           '-static-libasan'), ASAN, {})


def asan_inside_a_program_of_clang(folder):
    expect_sanitizer(build(folder, CLANG, '-fsanitize=address'), ASAN, {})


def lsan_in_a_library(folder):
    program = build(folder, 'gcc', '-fsanitize=leak')
    expect_sanitizer(program, LSAN, {})
    expect_sanitizer_beside(program, LSAN)


def lsan_inside_a_program_of_clang(folder):
    expect_sanitizer(build(folder, CLANG, '-fsanitize=leak'), LSAN, {})


def tsan_in_a_library(folder):
    program = build(folder, 'gcc', '-fsanitize=thread')
    expect_sanitizer(program, TSAN, {})
    expect_sanitizer_beside(program, TSAN)


def tsan_inside_the_program(folder):
    expect_sanitizer(build(folder, 'gcc', '-fsanitize=thread',
                           '-static-libtsan'), TSAN, {})


def tsan_inside_a_program_of_clang(folder):
    program = build(folder, CLANG, '-fsanitize=thread')
    expect_sanitizer(program, TSAN, {})
    expect_sanitizer_beside(program, TSAN)


def msan_inside_a_program_of_clang(folder):
    expect_sanitizer(build(folder, CLANG, '-fsanitize=memory'), MSAN, {})


def ubsan_leaves_malloc_to_us(folder):
    """It brings no malloc: the program runs on ours."""
    r = run([build(folder, 'gcc', '-fsanitize=undefined')],
            {'MOUND_STATS': '1'})
    must(r.returncode == 0 and re.search(r'mallocs +[1-9][0-9]{3}', r.stderr),
         r.stderr)


TESTS = [
    memcheck_with_the_library_preloaded,
    memcheck_of_a_program_that_is_linked_to_it,
    every_tool_of_valgrind_serves_every_name,
    callgrind_counts_our_instructions, massif_knows_the_sites,
    helgrind_and_drd_find_the_race_and_no_other,
    valgrind_runs_the_helper_thread,
    asan_in_a_library, asan_in_a_library_that_is_preloaded_first,
    asan_in_a_library_with_options_of_the_program,
    asan_in_a_library_of_clang, asan_inside_the_program,
    asan_inside_a_program_of_clang,
    lsan_in_a_library, lsan_inside_a_program_of_clang,
    tsan_in_a_library, tsan_inside_the_program, tsan_inside_a_program_of_clang,
    msan_inside_a_program_of_clang, ubsan_leaves_malloc_to_us,
]


def main():
    # One folder: what one test builds another runs.
    with tempfile.TemporaryDirectory() as folder:
        return tap.main(TESTS, folder=folder)


if __name__ == '__main__':
    sys.exit(main())
