#!/usr/bin/env python3
"""MOUND_GUARD: an object that was sampled stands alone. What runs over it, or
uses it after its free, is reported with the stacks of all who had to do with
it; what is no misuse is left alone, and real programs run unchanged. TAP."""
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
from misuse_reports import (  # noqa: E402
    ABORT, FAULT, LETTER, MISUSE, NUL, Report, expect_report, fine, main,
    memstats_of, misuse, must, pointers, probe_passes, real_programs, run)

# Every object is sampled, and every sample guarded while there is a place.
ALL = {'MOUND_GUARD': 1, 'MOUND_PROFILE_RATE': 1}
ALL_BY_FP = {**ALL, 'MOUND_UNWIND': 'fp'}
SOME = {'MOUND_GUARD': 1, 'MOUND_PROFILE_RATE': 65536}
BOTH = {**ALL, 'MOUND_HARDENED': 2}

ADDRESS = r'0x([0-9a-f]+)'
PLACE = ADDRESS + r' is (\d+) bytes? (after|before|into) the object of ' \
    r'(\d+) bytes? at POINTER'
# Of the page that an object stands in, the first byte that faults.
PAGE = 4096


def expect_guard_report(r, status, what, distance, side, size, **stacks):
    """One report: 'what: 0x... is DISTANCE bytes SIDE the object of SIZE bytes
    at the pointer', and in the stack of each title a function."""
    pointer = pointers(r)[0]
    must(r.returncode == status, r.args, 'ended with', r.returncode, r.stderr)
    reports = Report.all_of(r.stderr)
    must(len(reports) == 1, len(reports), 'reports:', r.stderr)
    line = reports[0].line
    m = re.fullmatch('mound: ' + re.escape(what) + ': ' +
                     PLACE.replace('POINTER', '0x%x' % pointer), line)
    must(m, r.args, 'not', what, 'but', line)
    address = int(m[1], 16)
    must((int(m[2]), m[3], int(m[4])) == (distance, side, size), r.args, line)
    must(address == {'after': pointer + size + distance,
                     'before': pointer - distance,
                     'into': pointer + distance}[side], 'arithmetic:', line)
    for title, function in stacks.items():
        stack = reports[0].stacks.get(title.replace('_', ' '), [])
        must(function in stack, r.args, function, 'is not in the stack', title,
             stack, r.stderr)
    must(list(reports[0].stacks) == [t.replace('_', ' ') for t in stacks],
         r.args, 'stacks of', list(reports[0].stacks), 'not', list(stacks))


# Faults.

def an_overflow_faults(_):
    for settings in (ALL, ALL_BY_FP):
        for how, size in (('malloc', 16), ('malloc', 128), ('calloc', 512),
                          ('grown', 128), ('aligned64', 640),
                          ('malloc', 4000)):
            for what, did, function in (
                    ('write_free', 'written_by', 'write_byte'),
                    ('read', 'read_by', 'read_byte')):
                expect_guard_report(
                    misuse(settings, what, how + '/right', size, size, LETTER),
                    FAULT, 'heap overflow', 0, 'after', size,
                    **{did: function, 'allocated_by': 'allocate'})


def an_overflow_far_behind_faults(_):
    expect_guard_report(
        misuse(ALL, 'write_free', 'malloc/right', 128, 128 + 2000, LETTER),
        FAULT, 'heap overflow', 2000, 'after', 128,
        written_by='write_byte', allocated_by='allocate')


def an_underflow_faults(_):
    for distance in (1, 100):
        for what, did, function in (('write_free', 'written_by', 'write_byte'),
                                    ('read', 'read_by', 'read_byte')):
            expect_guard_report(
                misuse(ALL, what, 'malloc/left', 128, -distance, LETTER),
                FAULT, 'heap underflow', distance, 'before', 128,
                **{did: function, 'allocated_by': 'allocate'})


def use_after_free_faults(_):
    for settings in (ALL, ALL_BY_FP):
        for how, size, offset in (('malloc', 100, 0), ('malloc', 100, 99),
                                  ('calloc', 1, 0), ('aligned64', 1000, 500)):
            expect_guard_report(
                misuse(settings, 'free_write', how, size, offset, LETTER),
                FAULT, 'use after free', offset, 'into', size,
                written_by='write_byte', freed_by='release',
                allocated_by='allocate')
    expect_guard_report(misuse(ALL, 'free_read', 'malloc', 100), FAULT,
                        'use after free', 0, 'into', 100,
                        read_by='read_byte', freed_by='release',
                        allocated_by='allocate')


def a_write_to_where_realloc_moved_from_faults(_):
    expect_guard_report(misuse(ALL, 'realloc_write_old', 'malloc', 100, 7, 1),
                        FAULT, 'use after free', 7, 'into', 100,
                        written_by='write_byte', freed_by='realloc_write_old',
                        allocated_by='allocate')


def a_fault_in_a_thread_with_a_small_stack(_):
    expect_guard_report(misuse(ALL, 'fault_in_thread', 'malloc/right', 128,
                               128),
                        FAULT, 'heap overflow', 0, 'after', 128,
                        written_by='fault_here', allocated_by='allocate')


def a_fault_on_a_signal_stack(_):
    expect_guard_report(misuse(ALL, 'fault_on_signal_stack', 'malloc/right',
                               128, 128),
                        FAULT, 'heap overflow', 0, 'after', 128,
                        written_by='write_byte', allocated_by='allocate')


def faults_of_four_threads_at_once(_):
    for _ in range(10):
        r = misuse(ALL, 'faults_at_once', 'malloc/right', 128, 128)
        must(r.returncode == FAULT, r.returncode, r.stderr)
        # One report is whole; the process ends while others begin.
        report = Report.all_of(r.stderr)[0]
        must('heap overflow: 0x' in report.line, report.line)
        must('write_byte' in report.stacks['written by'] and
             'allocate' in report.stacks['allocated by'], r.stderr)


def a_fault_in_a_child(_):
    r = misuse(ALL, 'fault_in_child', 'malloc/right', 128, 128)
    expect_guard_report(r, 0, 'heap overflow', 0, 'after', 128,
                        written_by='write_byte', allocated_by='allocate')
    must(r.stdout.endswith('after\n'), r.stdout)


def a_fault_elsewhere_is_not_ours(_):
    r = misuse(ALL, 'fault_elsewhere')
    must(r.returncode == FAULT and r.stderr == '', r.returncode, r.stderr)


def a_handler_of_the_program_sees_the_fault(_):
    # It came later than ours, which it replaces.
    r = misuse(ALL, 'own_handler', 'malloc/right', 128, 128, 1)
    must(r.returncode == 3 and r.stdout.endswith('handled\n') and
         r.stderr == '', r)
    # It came before the first malloc: we report and pass on.
    r = misuse(ALL, 'own_handler', 'malloc/right', 128, 128)
    must(r.stdout.endswith('handled\n'), r)
    expect_guard_report(r, 3, 'heap overflow', 0, 'after', 128,
                        written_by='write_byte', allocated_by='allocate')


def a_fault_that_comes_again_is_reported_once(_):
    r = misuse(ALL, 'idle_handler', 'malloc/right', 128, 128)
    must(r.stdout.endswith('often\n'), r)
    expect_guard_report(r, 3, 'heap overflow', 0, 'after', 128,
                        written_by='write_byte', allocated_by='allocate')


def each_object_has_its_report_and_another_after_its_free(_):
    r = misuse(ALL, 'jumping_handler', 'malloc/right', 128, 128)
    must(r.returncode == 0 and r.stdout.count('jumped\n') == 4, r)
    lines = [report.line for report in Report.all_of(r.stderr)]
    objects = re.findall(r'pointer (0x\w+)', r.stdout)
    must(len(lines) == 3 and len(objects) == 2, lines, objects)
    for line, what, at in zip(lines, ('heap overflow', 'heap overflow',
                                      'use after free'),
                              (objects[0], objects[1], objects[1])):
        must(what in line and line.endswith(' at ' + at), what, at, line)


def a_handler_that_passes_on_to_ours(_):
    for malloc_first in (1, 0):
        r = misuse(ALL, 'chained_handler', 'malloc/right', 128, 128,
                   malloc_first)
        must('passed on\n' in r.stdout, r)
        expect_guard_report(r, FAULT, 'heap overflow', 0, 'after', 128,
                            written_by='write_byte', allocated_by='allocate')


# What is found at the free.

def an_overflow_too_near_to_fault_is_found_at_the_free(_):
    for how, size, distance in (('malloc/right', 24, 0),
                                ('malloc/right', 1, 3),
                                ('calloc/right', 100, 11),
                                ('malloc/left', 128, 0),
                                ('aligned64/left', 100, 1000)):
        for value in (NUL, LETTER):
            expect_guard_report(
                misuse(ALL, 'write_free', how, size, size + distance, value),
                ABORT, 'free(): heap overflow found', distance, 'after',
                size, freed_by='release', allocated_by='allocate')


def an_underflow_is_found_at_the_free(_):
    for size, distance in ((32, 1), (100, 1000)):
        expect_guard_report(
            misuse(ALL, 'write_free', 'malloc/right', size, -distance, LETTER),
            ABORT, 'free(): heap underflow found', distance, 'before', size,
            freed_by='release', allocated_by='allocate')


def an_overflow_is_found_when_realloc_moves(_):
    r = misuse(ALL, 'write_realloc', 'malloc/right', 100, 100, LETTER)
    # As a part of realloc it is a free.
    expect_guard_report(r, ABORT, 'free(): heap overflow found', 0, 'after',
                        100, freed_by='write_realloc', allocated_by='allocate')


def a_double_free(_):
    for settings in (ALL, ALL_BY_FP):
        for what in ('double_free', 'double_free_thread'):
            expect_guard_report(misuse(settings, what, 'malloc', 100), ABORT,
                                'free(): double free', 0, 'into',
                                100, by='release_again', freed_by='release',
                                allocated_by='allocate')


def an_interior_pointer(_):
    for offset in (1, 16, 99):
        expect_guard_report(misuse(ALL, 'interior', 'malloc', 100, offset),
                            ABORT, 'free(): interior pointer', offset, 'into',
                            100, by='release', allocated_by='allocate')
    expect_guard_report(misuse(ALL, 'interior_freed', 'malloc', 100, 16),
                        ABORT, 'free(): interior pointer', 16, 'into', 100,
                        by='release_again', freed_by='release',
                        allocated_by='allocate')


def a_size_that_was_not_asked_for(_):
    for settings in (ALL, BOTH):
        for given in (0, 99, 101, 200):
            expect_report(misuse(settings, 'sized', 'malloc', 100, given),
                          ABORT, 'free_sized(): size mismatch (given %d): '
                          'POINTER SPAN' % given, call='sized')


def a_freed_object_in_other_calls(_):
    for what, call in (('realloc_freed', 'realloc'),
                       ('usable_freed', 'malloc_usable_size')):
        expect_report(misuse(ALL, what, 'malloc', 100), ABORT,
                      call + '(): already freed: POINTER SPAN', call=what,
                      freed_by='release', allocated_by='allocate')


def after_a_report_the_program_goes_on_if_told_so(_):
    for arguments in (('double_free', 'malloc', 24),
                      ('double_free_thread', 'malloc', 24),
                      ('interior', 'malloc', 100, 16),
                      ('interior_freed', 'malloc', 100, 16),
                      ('write_free', 'malloc/right', 100, 100, NUL),
                      ('write_free', 'malloc/right', 100, -1, NUL),
                      ('write_realloc', 'malloc/right', 100, 100, NUL),
                      ('sized', 'malloc', 100, 99),
                      ('realloc_freed', 'malloc', 100),
                      ('usable_freed', 'malloc', 100)):
        r = misuse({**ALL, 'MOUND_MISUSE': 'report'}, *arguments)
        must(r.returncode == 0 and r.stdout.endswith('after\n'), arguments, r)
        must(len(Report.all_of(r.stderr)) == 1, arguments, r.stderr)
        r = misuse({**ALL, 'MOUND_MISUSE': 'ignore'}, *arguments)
        must(r.returncode == 0 and r.stdout.endswith('after\n') and
             r.stderr == '', arguments, r)


# What is no misuse. Objects above a page are never guarded, and their usable
# size is that of the slot.

WAYS = ('malloc', 'calloc', 'grown', 'aligned8', 'aligned64', 'aligned4096')


def the_usable_size_is_what_was_asked_for(_):
    for settings in (ALL, BOTH):
        for how in WAYS:
            fine(settings, 'usable_exact', how, PAGE - 8)


def the_right_size_is_right(_):
    for settings in (ALL, BOTH):
        for how in WAYS:
            fine(settings, 'sized_right', how, 40000)


def the_size_of_an_object_that_shrank(_):
    for settings in (ALL, BOTH):
        fine(settings, 'sized_right', 'shrunk', PAGE)
        fine(settings, 'usable_exact', 'shrunk', 3000)


def the_size_of_objects_aligned_to_16(_):
    for settings in (ALL, BOTH):
        fine(settings, 'sized_right', 'aligned16', PAGE)
        fine(settings, 'usable_exact', 'aligned16', PAGE - 8)


def objects_of_no_bytes(_):
    for settings in (ALL, BOTH):
        fine(settings, 'no_bytes')


def realloc_keeps_contents(_):
    for settings in (ALL, BOTH):
        fine(settings, 'realloc_keeps', 'malloc', 1)


def what_is_no_misuse(_):
    for what in ('calloc_zero', 'handler_frees', 'usable_in_handler'):
        fine(ALL, what)
    fine(ALL, 'nothing_is_lost', 'malloc', 300)


def more_live_objects_than_places(_):
    for settings in (ALL, ALL_BY_FP, BOTH):
        fine(settings, 'many_live')


def threads_pass_objects_on(_):
    for settings in (ALL, BOTH):
        fine(settings, 'threads', 'malloc', 2000)


def children_free_and_allocate(_):
    fine(ALL, 'forks', 'plain', 0, 20)
    fine(ALL, 'forks', 'busy', 1000, 20)
    fine(ALL, 'forks', 'bare', 0, 20)


def figures_add_up(folder):
    for settings in (ALL, ALL_BY_FP, BOTH):
        for argv in (('leave_some', 'malloc', 60), ('many_live',),
                     ('threads', 'malloc', 500)):
            memstats_of(settings, folder, MISUSE, *argv)
    # What a guarded object counts for is not much other than an ordinary one.
    plain, guarded = [
        memstats_of(settings, folder, MISUSE, 'leave_some', 'malloc', 60)
        for settings in ({}, ALL_BY_FP)]
    for name in ('Mallocs', 'Frees', 'HeapObjects'):
        must(plain[name] == guarded[name], name, plain[name], guarded[name])


def probes_pass(_):
    for argv in (['fatal_signal', 'abort'], ['thread_exit'],
                 ['small_stack', 'thread'], ['cancel'], ['keys'],
                 ['constructors']):
        probe_passes(ALL, *argv)


# Both modes at once: each object is as long as it was asked to be.

def both_modes_see_an_overflow_by_one_byte(_):
    for size in (16, 20, 24, 100, 128):
        for value in (NUL, LETTER):
            r = misuse(BOTH, 'write_free', 'malloc', size, size, value)
            must(r.returncode in (ABORT, FAULT), r.returncode, r.stderr)
            report = Report.all_of(r.stderr)[0]
            must('heap overflow' in report.line, report.line)
            must('allocate' in report.stacks.get('allocated by', ()),
                 'not by whom it was allocated:', r.stderr)


def both_modes_tell_the_size_that_was_asked_for(_):
    expect_guard_report(misuse(BOTH, 'free_write', 'malloc', 100, 3, LETTER),
                        FAULT, 'use after free', 3, 'into', 100,
                        written_by='write_byte', freed_by='release',
                        allocated_by='allocate')
    expect_guard_report(misuse(BOTH, 'double_free', 'malloc', 100), ABORT,
                        'free(): double free', 0, 'into', 100,
                        by='release_again', freed_by='release',
                        allocated_by='allocate')
    expect_guard_report(misuse(BOTH, 'interior', 'malloc', 100, 16), ABORT,
                        'free(): interior pointer', 16, 'into', 100,
                        by='release', allocated_by='allocate')


# Real programs, with one object in 64 KiB guarded.

def python_keeps_its_fault_handler(_):
    """faulthandler is installed after ours."""
    r = run(['/usr/bin/python3', '-X', 'faulthandler', '-c',
             'import faulthandler; faulthandler._sigsegv()'], SOME)
    must(r.returncode == -signal.SIGSEGV and
         'Fatal Python error: Segmentation fault' in r.stderr and
         'mound' not in r.stderr, r)


TESTS = [
    an_overflow_faults, an_overflow_far_behind_faults, an_underflow_faults,
    use_after_free_faults, a_write_to_where_realloc_moved_from_faults,
    a_fault_in_a_thread_with_a_small_stack, a_fault_on_a_signal_stack,
    faults_of_four_threads_at_once, a_fault_in_a_child,
    a_fault_elsewhere_is_not_ours, a_handler_of_the_program_sees_the_fault,
    a_fault_that_comes_again_is_reported_once,
    each_object_has_its_report_and_another_after_its_free,
    a_handler_that_passes_on_to_ours,
    an_overflow_too_near_to_fault_is_found_at_the_free,
    an_underflow_is_found_at_the_free, an_overflow_is_found_when_realloc_moves,
    a_double_free, an_interior_pointer, a_size_that_was_not_asked_for,
    a_freed_object_in_other_calls,
    after_a_report_the_program_goes_on_if_told_so,
    the_usable_size_is_what_was_asked_for, the_right_size_is_right,
    the_size_of_an_object_that_shrank, the_size_of_objects_aligned_to_16,
    objects_of_no_bytes, realloc_keeps_contents, what_is_no_misuse,
    more_live_objects_than_places, threads_pass_objects_on,
    children_free_and_allocate, figures_add_up, probes_pass,
    both_modes_see_an_overflow_by_one_byte,
    both_modes_tell_the_size_that_was_asked_for,
    python_keeps_its_fault_handler, *real_programs(SOME),
]

if __name__ == '__main__':
    sys.exit(main(TESTS))
