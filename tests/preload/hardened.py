#!/usr/bin/env python3
"""MOUND_HARDENED=2: each misuse is reported by its exact line and the stack
of the call, what is no misuse is left alone, and real programs run unchanged.
TAP."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
from misuse_reports import (  # noqa: E402
    ABORT, FAULT, LETTER, MIB, MISUSE, NUL, Report, expect_report, fine, main,
    memstats_of, misuse, must, probe_passes, real_programs)

LEVEL1 = {'MOUND_HARDENED': 1}
LEVEL2 = {'MOUND_HARDENED': 2}
LARGE_SIZES = (33000, 50000, 200000, 3000000, 20000000)
OVER = (': heap overflow: %d byte%s written past the end of a block of %d '
        'byte%s: POINTER SPAN')
UNDER = (': heap underflow: %d byte%s written before the beginning of a block '
         'of %d byte%s: POINTER SPAN')
DOUBLE = ': double free or never allocated: POINTER SPAN'
INTERIOR = ': interior pointer: POINTER SPAN'
WRITTEN = ('free(): use after free: byte %d of a block of %d byte%s was written '
           'since: POINTER SPAN')


def written(form, nbytes, size):
    return form % (nbytes, 's'[nbytes == 1:], size, 's'[size == 1:])


def late(offset, size):
    return WRITTEN % (offset, size, 's'[size == 1:])


SIZES = (1, 7, 8, 15, 16, 17, 20, 24, 33, 40, 100, 1000, 5000, 32760, 32761,
         33000, 57336, 100000, 500000)


def an_overflow_by_one_byte(_):
    for size in SIZES:
        for value in (NUL, LETTER):
            expect_report(
                misuse(LEVEL2, 'write_free', 'malloc', size, size, value),
                ABORT, 'free()' + written(OVER, 1, size), call='release')


def an_underflow(_):
    # Any byte of the head, which is before these, may be the letter.
    for size in SIZES:
        for nbytes in (1, 2, 7, 8):
            expect_report(
                misuse(LEVEL2, 'write_free', 'malloc', size, -nbytes, LETTER),
                ABORT, 'free()' + written(UNDER, nbytes, size), call='release')
    for how in ('calloc', 'grown', 'shrunk', 'aligned64', 'aligned4096',
                'valloc'):
        for size in (5, 100, 5000, 40000):
            expect_report(
                misuse(LEVEL2, 'write_free', how, size, -1, NUL),
                ABORT, 'free()' + written(UNDER, 1, size), call='release')
    expect_report(misuse(LEVEL2, 'write_realloc', 'malloc', 24, -1, NUL),
                  ABORT, 'realloc()' + written(UNDER, 1, 24),
                  call='write_realloc')


def an_object_that_lives_on_is_looked_at_in_the_end(_):
    for size in SIZES:
        for offset, form in ((size, OVER), (-1, UNDER)):
            r = misuse(LEVEL2, 'write_keep', 'malloc', size, offset, NUL)
            expect_report(r, ABORT, 'exit()' + written(form, 1, size))
            must(r.stdout.endswith('after\n'), r.stdout)



def an_overflow_anywhere_in_the_slack(_):
    # The slots are of 64, 1024 and 57344 bytes; of the last two bytes of each
    # one in 256 may be the letter.
    for size, offsets in ((33, range(33, 46)), (900, range(900, 1006, 11)),
                          (50000, (50001, 53000, 57319, 57320, 57325))):
        for offset in offsets:
            expect_report(
                misuse(LEVEL2, 'write_free', 'malloc', size, offset, LETTER),
                ABORT, 'free()' + written(OVER, offset + 1 - size, size),
                call='release')


def an_overflow_with_zeros_is_no_double_free(_):
    # The whole slot behind it: what is beyond is not known.
    for size, count, nbytes in ((24, 8, 8), (20, 12, 12), (20, 40, 12)):
        expect_report(misuse(LEVEL2, 'write_free', 'malloc', size, size, NUL,
                             count),
                      ABORT, 'free()' + written(OVER, nbytes, size),
                      call='release')


def an_overflow_however_it_was_allocated(_):
    for how in ('calloc', 'grown', 'shrunk', 'aligned8', 'aligned64',
                'aligned4096', 'valloc'):
        for size in (5, 100, 5000, 40000):
            expect_report(misuse(LEVEL2, 'write_free', how, size, size, NUL),
                          ABORT, 'free()' + written(OVER, 1, size), call='release')


def an_overflow_of_objects_aligned_to_16(_):
    for size in (5, 15, 100):
        expect_report(
            misuse(LEVEL2, 'write_free', 'aligned16', size, size, NUL),
            ABORT, 'free()' + written(OVER, 1, size), call='release')


def an_overflow_is_seen_by_each_call(_):
    for what, call in (('write_realloc', 'realloc'),
                       ('write_usable', 'malloc_usable_size'),
                       ('write_free_sized', 'free_sized')):
        for size in (24, 100, 50000):
            expect_report(misuse(LEVEL2, what, 'malloc', size, size, NUL),
                          ABORT, call + '()' + written(OVER, 1, size), call=what)


def a_write_after_free_at_exit(_):
    for size, offset in ((1, 0), (100, 0), (100, 57), (100, 99), (5000, 4999),
                         (32000, 31999)):
        # By then the program has returned from main.
        for value in (NUL, LETTER):
            r = misuse(LEVEL2, 'free_write', 'malloc', size, offset, value)
            expect_report(r, ABORT, late(offset, size), call=None)
            must(r.stdout.endswith('after\n'), r.stdout)


def a_write_after_free_when_others_have_been_freed(_):
    for size, offset in ((1, 0), (100, 57), (5000, 4999), (32000, 30000)):
        r = misuse(LEVEL2, 'free_write_churn', 'malloc', size, offset, LETTER)
        expect_report(r, ABORT, late(offset, size), call='churn')
        must('churned' not in r.stdout, r.stdout)


def use_of_a_large_object_after_its_free_faults(_):
    for level in (LEVEL1, LEVEL2):
        for size in LARGE_SIZES:
            for value in (NUL, LETTER):
                r = misuse(level, 'free_write', 'malloc', size, size // 2,
                           value)
                must(r.returncode == FAULT and 'after' not in r.stdout, r)
            r = misuse(level, 'free_read', 'malloc', size)
            must(r.returncode == FAULT and 'after' not in r.stdout, r)


def a_write_to_where_realloc_moved_from(_):
    expect_report(
        misuse(LEVEL2, 'realloc_write_old', 'malloc', 100, 99, LETTER),
        ABORT, late(99, 100), call=None)


def a_large_object_cannot_be_touched_where_realloc_moved_from(_):
    for level in (LEVEL1, LEVEL2):
        for size in (*LARGE_SIZES, 300000, 600000):
            r = misuse(level, 'realloc_write_old', 'malloc', size, size // 2,
                       LETTER)
            must(r.returncode == FAULT and 'after' not in r.stdout, r)


def a_double_free(_):
    for what in ('double_free', 'double_free_thread'):
        for size in (1, 24, 100, 5000, 32000):
            expect_report(misuse(LEVEL2, what, 'malloc', size), ABORT,
                          'free()' + DOUBLE, call='release_again')
        for size in LARGE_SIZES:
            for level in (LEVEL1, LEVEL2):
                expect_report(misuse(level, what, 'malloc', size), ABORT,
                              'free(): already freed: POINTER SPAN',
                              call='release_again')


def a_double_free_much_later(_):
    # The span of a larger object is gone by then.
    for size, line in ((24, DOUBLE), (100, DOUBLE),
                       (50000, ': already freed: POINTER SPAN')):
        expect_report(misuse(LEVEL2, 'double_free_churn', 'malloc', size),
                      ABORT, 'free()' + line, call='release_again')


def use_of_a_freed_object_by_other_calls(_):
    for what, call in (('realloc_freed', 'realloc'),
                       ('usable_freed', 'malloc_usable_size')):
        for size in (24, 100, 32000):
            expect_report(misuse(LEVEL2, what, 'malloc', size), ABORT,
                          call + '()' + DOUBLE, call=what)
        for size in LARGE_SIZES:
            expect_report(misuse(LEVEL2, what, 'malloc', size), ABORT,
                          call + '(): already freed: POINTER SPAN', call=what)


def an_interior_pointer(_):
    for size, offset in ((100, 16), (100, 1), (100, 99), (5000, 4096),
                         (50000, 16), (500000, 8192)):
        expect_report(misuse(LEVEL2, 'interior', 'malloc', size, offset),
                      ABORT, 'free()' + INTERIOR, call='release')
    for size, offset in ((100, 16), (5000, 4096), (32000, 16)):
        expect_report(misuse(LEVEL2, 'interior_freed', 'malloc', size, offset),
                      ABORT, 'free()' + INTERIOR, call='release_again')


def any_size_but_the_one_asked_for(_):
    for size in (1, 24, 100, 5000, 100000):
        for given in (0, size - 1, size + 1, size * 2, 10 ** 12):
            line = ': size mismatch (given %d): POINTER SPAN' % given
            expect_report(misuse(LEVEL2, 'sized', 'malloc', size, given),
                          ABORT, 'free_sized()' + line, call='sized')
            expect_report(
                misuse(LEVEL2, 'aligned_sized', 'aligned64', size, given),
                ABORT, 'free_aligned_sized()' + line, call='aligned_sized')


WAYS = ('malloc', 'calloc', 'grown', 'shrunk', 'aligned8', 'aligned64',
        'aligned4096')


def the_usable_size_is_what_was_asked_for(_):
    for how in WAYS:
        fine(LEVEL2, 'usable_exact', how, 300000)


def the_right_size_is_right(_):
    for how in WAYS:
        fine(LEVEL2, 'sized_right', how, 300000)


def the_size_of_objects_aligned_to_16(_):
    fine(LEVEL2, 'sized_right', 'aligned16', 5000)
    fine(LEVEL2, 'usable_exact', 'aligned16', 5000)


def the_usable_size_in_a_handler_leaves_the_canary_out(_):
    fine(LEVEL2, 'usable_in_handler')


def freed_memory_does_not_hold_what_it_held(_):
    for size in (1, 24, 100, 5000, 32000):
        fine(LEVEL2, 'free_read', 'malloc', size)


def what_is_handed_out_is_zero(_):
    fine(LEVEL2, 'new_is_zero')


def an_object_of_no_bytes_may_not_be_touched(_):
    for level in (LEVEL1, LEVEL2):
        for how in ('malloc', 'calloc', 'aligned16'):
            r = misuse(level, 'touch_none', how, 0)
            must(r.returncode == FAULT and 'after' not in r.stdout, r)
        expect_report(misuse(level, 'double_free', 'malloc', 0), ABORT,
                      'free()' + DOUBLE, call='release_again')


def realloc_keeps_contents_and_canaries(_):
    for seed in (0, 1, 2):
        fine(LEVEL2, 'realloc_keeps', 'malloc', seed)


def what_is_no_misuse(_):
    for what in ('no_bytes', 'calloc_zero', 'nothing_is_lost', 'handler_frees',
                 'many_live'):
        fine(LEVEL2, what)


def threads_pass_objects_on(_):
    fine(LEVEL2, 'threads')


def children_free_and_allocate_while_objects_wait(_):
    fine(LEVEL2, 'forks', 'plain')
    fine(LEVEL2, 'forks', 'busy', 5000, 20)
    fine(LEVEL2, 'forks', 'bare')


def out_of_memory_is_an_answer(_):
    for size in (100, 1000, 100000):
        fine(LEVEL2, 'memory_ends', 'malloc', size, limit_bytes=100 * MIB)


def what_waits_keeps_its_pages(_):
    for size in (5000, 32000):
        fine(LEVEL2, 'keeps_pages', 'malloc', size)


def what_was_never_touched_is_not_touched(_):
    fine(LEVEL2, 'sparse', 'malloc', 1 << 30)


GOES_ON = (('write_free', 'malloc', 24, 24, NUL),
           ('write_free', 'malloc', 500000, 500000, NUL),
           ('write_realloc', 'malloc', 100, 100, NUL),
           ('write_realloc', 'malloc', 24, 24, NUL, 8),
           ('write_realloc', 'malloc', 50000, 50000, LETTER),
           ('write_usable', 'malloc', 100, 100, NUL),
           ('write_free_sized', 'malloc', 100, 100, NUL),
           ('free_write', 'malloc', 100, 3, LETTER),
           ('free_write_churn', 'malloc', 100, 3, LETTER),
           ('double_free', 'malloc', 24), ('double_free', 'malloc', 50000),
           ('double_free', 'malloc', 500000),
           ('double_free_churn', 'malloc', 24),
           ('realloc_freed', 'malloc', 24), ('usable_freed', 'malloc', 24),
           ('interior', 'malloc', 100, 16),
           ('interior', 'malloc', 50000, 16), ('sized', 'malloc', 100, 99),
           ('aligned_sized', 'aligned64', 100, 99))


def after_a_report_the_program_goes_on_if_told_so(_):
    for arguments in GOES_ON:
        r = misuse({**LEVEL2, 'MOUND_MISUSE': 'report'}, *arguments)
        must(r.returncode == 0 and 'after\n' in r.stdout, arguments, r)
        must(len(Report.all_of(r.stderr)) == 1, arguments, r.stderr)


def ignored_misuse_is_silent(_):
    for arguments in GOES_ON:
        r = misuse({**LEVEL2, 'MOUND_MISUSE': 'ignore'}, *arguments)
        must(r.returncode == 0 and 'after\n' in r.stdout and r.stderr == '',
             arguments, r)


def probes_pass(_):
    for argv in (['signal_storm'], ['fatal_signal', 'segv'], ['thread_exit'],
                 ['cancel'], ['keys'], ['plugin_loop'], ['constructors'],
                 ['first_call', 'free'],
                 ['contracts/realloc_pairs', 'very_large']):
        probe_passes(LEVEL2, *argv)


def the_end_beside_busy_threads_reports_nothing(_):
    for level in (LEVEL1, LEVEL2):
        for _ in range(5):
            probe_passes(level, 'exit_busy')


def figures_add_up(folder):
    for argv in (['leave_some', 'malloc', 500], ['threads', 'malloc', 3000]):
        stats = memstats_of(LEVEL2, folder, MISUSE, *argv)
        must(stats['HeapObjects'] > 0, stats)


TESTS = [
    an_overflow_by_one_byte, an_underflow,
    an_object_that_lives_on_is_looked_at_in_the_end,
    an_object_of_no_bytes_may_not_be_touched, what_is_handed_out_is_zero,
    an_overflow_anywhere_in_the_slack,
    an_overflow_with_zeros_is_no_double_free,
    an_overflow_however_it_was_allocated, an_overflow_of_objects_aligned_to_16,
    an_overflow_is_seen_by_each_call, a_write_after_free_at_exit,
    a_write_after_free_when_others_have_been_freed,
    use_of_a_large_object_after_its_free_faults,
    a_write_to_where_realloc_moved_from,
    a_large_object_cannot_be_touched_where_realloc_moved_from, a_double_free,
    a_double_free_much_later, use_of_a_freed_object_by_other_calls,
    an_interior_pointer, any_size_but_the_one_asked_for,
    the_usable_size_is_what_was_asked_for, the_right_size_is_right,
    the_size_of_objects_aligned_to_16,
    the_usable_size_in_a_handler_leaves_the_canary_out,
    freed_memory_does_not_hold_what_it_held, realloc_keeps_contents_and_canaries,
    what_is_no_misuse, threads_pass_objects_on,
    children_free_and_allocate_while_objects_wait, out_of_memory_is_an_answer,
    what_waits_keeps_its_pages, what_was_never_touched_is_not_touched,
    after_a_report_the_program_goes_on_if_told_so, ignored_misuse_is_silent,
    probes_pass, the_end_beside_busy_threads_reports_nothing, figures_add_up,
    *real_programs(LEVEL2),
]

if __name__ == '__main__':
    sys.exit(main(TESTS))
