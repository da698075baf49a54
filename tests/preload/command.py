#!/usr/bin/env python3
"""The command mound, as a user calls it: its help and exit codes, and hostile pages.
TAP."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from command import MOUND, mound, one_line  # noqa: E402
from tap import must  # noqa: E402


def the_help_lists_every_verb_and_each_has_its_own(_):
    help_text, _ = mound('--help')
    verbs = [line.split('mound ')[1].split()[0]
             for line in help_text.partition('\n\n')[2].splitlines()]
    must('clean' in verbs, verbs)
    must(all(len(line) <= 100 for line in help_text.splitlines()), help_text)
    for verb in verbs:
        own, _ = mound(verb, '--help')
        must('Usage: mound ' + verb in own and 'xit status' in own, own)
        must(mound('help', verb)[0] == own, verb)
    must(mound('--version')[0].split()[0] == 'mound', 'version')


def wrong_usage_is_exit_code_2_and_says_what_is_near(_):
    _, said = mound(status=2)
    must(said.startswith('Usage: mound'), said)
    must('mound clean' in one_line(mound('claen', status=2)[1]), 'claen')
    must('--help' in one_line(mound('xyzzy', status=2)[1]), 'xyzzy')
    must('--no-such' in mound('clean', '--no-such', status=2)[1], 'option')


def a_full_disk_is_an_error(_):
    with open('/dev/full', 'w', encoding='utf-8') as full:
        done = subprocess.run([MOUND, '--help'], stdout=full, text=True,
                              stderr=subprocess.PIPE, check=False)
    must(done.returncode == 2, done.returncode)
    must('No space left' in one_line(done.stderr), done.stderr)


TESTS = [
    the_help_lists_every_verb_and_each_has_its_own,
    wrong_usage_is_exit_code_2_and_says_what_is_near,
    a_full_disk_is_an_error,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
