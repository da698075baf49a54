#!/usr/bin/env python3
"""The map's headers in other people's programs: they say nothing under the warnings
that people build with, in any C and C++, and refuse C++ types that they would break.

    headers.py [TEST...]
"""
import os
import shutil
import subprocess
import sys

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import tap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WARNINGS = ('-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wcast-qual '
            '-pedantic -Wundef -Wcast-align').split()
CXX_WARNINGS = ('-Wold-style-cast -Wuseless-cast '
                '-Wzero-as-null-pointer-constant').split()
C = ('gcc', 'clang'), ('c11', 'c17', 'c2x', 'gnu11')
CXX = ('g++', 'clang++'), ('c++11', 'c++14', 'c++17', 'c++20', 'c++2b')
MAPS = ((), ('-DMAP_SWISS',))
BOTH = '''
#include <mound_map.h>
#include <mound_swiss.h>
MOUND_MAP_STR(ages, int)
MOUND_SWISS_STR(swiss_ages, int)
MOUND_SET_U64(members)
MOUND_SWISS_SET_U64(swiss_members)
'''
LIMIT_S = 120


def compile(compiler, text, *options, language):
    if not shutil.which(compiler):
        raise tap.Skipped(f'no {compiler}')
    return subprocess.run(
        [compiler, '-x', language, '-I', os.path.join(SOURCE, 'map'),
         '-I', os.path.join(SOURCE, 'map', 'swiss'),
         '-I', os.path.join(SOURCE, 'tests', 'map'), *options,
         '-o', '/dev/null', '-'],
        input=text, capture_output=True, text=True, timeout=LIMIT_S)


def expect_silence(compiler, *options, language):
    with open(os.path.join(HERE, 'all.c')) as f:
        text = f.read()
    more = CXX_WARNINGS if language == 'c++' else []
    if compiler == 'clang++':
        more = [w for w in more if w != '-Wuseless-cast']  # gcc's only
    for which in MAPS:
        r = compile(compiler, text, *WARNINGS, *more, *options, *which,
                    language=language)
        tap.must(r.returncode == 0 and r.stderr == '', compiler, *options,
                 *which, '\n' + r.stderr[:2000])


def gcc_says_nothing_of_any_c(_):
    for std in C[1]:
        expect_silence('gcc', '-fsyntax-only', '-std=' + std, language='c')


def gcc_says_nothing_of_any_cxx(_):
    for std in CXX[1]:
        expect_silence('g++', '-fsyntax-only', '-std=' + std, language='c++')


def clang_says_nothing_of_any_c(_):
    for std in C[1]:
        expect_silence('clang', '-fsyntax-only', '-std=' + std, language='c')


def clang_says_nothing_of_any_cxx(_):
    for std in CXX[1]:
        expect_silence('clang++', '-fsyntax-only', '-std=' + std,
                       language='c++')


def what_is_found_while_optimizing_is_nothing_either(_):
    expect_silence('gcc', '-O2', '-c', language='c')
    expect_silence('g++', '-O2', '-c', language='c++')


def machines_without_sse2_have_no_warnings_of_their_own(_):
    expect_silence('clang', '--target=x86_64-linux-gnu', '-mno-sse2',
                   '-fsyntax-only', language='c')
    for level in '-O2', '-O3':
        expect_silence('gcc', '-U__SSE2__', level, '-c', language='c')
        expect_silence('g++', '-U__SSE2__', level, '-c', language='c++')


def both_maps_go_into_one_file(_):
    for language, compiler, std in (('c', 'gcc', 'c11'), ('c++', 'g++', 'c++11')):
        r = compile(compiler, BOTH, *WARNINGS, '-std=' + std, '-fsyntax-only',
                    language=language)
        tap.must(r.returncode == 0 and r.stderr == '', r.stderr[:2000])


REFUSED = '''
#include <string>
#include <memory>
#include <utility>
#include <mound_map.h>
#include <mound_swiss.h>
struct plain { int a; double b; };
struct refers { const std::string *to; };
typedef std::pair<int, int> both; // its assignment is not trivial, copies are
static uint64_t string_hash(const std::string &s, uint64_t seed) {
    return mound_hash_bytes(s.data(), s.size(), seed);
}
static bool string_eq(const std::string &a, const std::string &b) {
    return a == b;
}
%s
'''


# The lines that declare types, for either map.
def lines(*names):
    for line in names:
        yield line
        yield line.replace('MOUND_MAP_', 'MOUND_SWISS_').replace(
            'MOUND_SET_', 'MOUND_SWISS_SET_')


def refused(line):
    r = compile('g++', REFUSED % line, '-std=c++11', '-fsyntax-only',
                language='c++')
    if r.returncode == 0:
        return False
    tap.must('trivially copyable; store a pointer to this type' in r.stderr,
             line, r.stderr[:2000])
    return True


def cxx_types_that_own_memory_are_refused(_):
    for line in lines(
            'MOUND_MAP_U64(names, std::string)',
            'MOUND_MAP_U64(names, std::unique_ptr<int>)',
            'MOUND_SET_DECLARE(names, std::string, string_hash, string_eq)',
            'MOUND_MAP_DECLARE(names, std::string, int, string_hash, string_eq)'):
        tap.must(refused(line), line, 'compiles')


def cxx_types_that_are_plain_are_taken(_):
    for line in lines(
            'MOUND_MAP_U64(names, plain)', 'MOUND_MAP_U64(names, refers)',
            'MOUND_MAP_U64(names, both)', 'MOUND_MAP_U64(names, std::string *)',
            'namespace n { MOUND_MAP_STR(names, plain) }'):
        tap.must(not refused(line), line, 'is refused')


sys.exit(tap.main([
    gcc_says_nothing_of_any_c,
    gcc_says_nothing_of_any_cxx,
    clang_says_nothing_of_any_c,
    clang_says_nothing_of_any_cxx,
    what_is_found_while_optimizing_is_nothing_either,
    machines_without_sse2_have_no_warnings_of_their_own,
    both_maps_go_into_one_file,
    cxx_types_that_own_memory_are_refused,
    cxx_types_that_are_plain_are_taken,
]))
