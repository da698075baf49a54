#!/usr/bin/env python3
"""The man page mound(1) and the completion for bash agree with what the verbs say of
themselves. TAP."""
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from command import MOUND, mound  # noqa: E402
from pages import keeper  # noqa: E402
from tap import Skipped, must  # noqa: E402

PRELOAD = os.path.join(os.environ['MOUND_SOURCE'], 'preload')
PAGE = os.path.join(PRELOAD, 'mound.1')
COMPLETION = os.path.join(PRELOAD, 'command', 'completion.bash')
HANG_S = 30
OF_EACH = {'--help', '--usage', '--version'}


def verbs():
    return re.findall(r'^.{0,22}mound ([a-z]+) ', mound('--help')[0], re.M)


def options_of(verb):
    """{long option: (short one or '', argument or '')}, but those that each has."""
    found = re.findall(r'^  (?:-(.),|   ) (--[a-z-]+)(?:=(\S+))?',
                       mound(verb, '--help')[0], re.M)
    return {name: (short, argument) for short, name, argument in found
            if name not in OF_EACH}


def page():
    with open(PAGE, encoding='utf-8') as f:
        return f.read()


def sections():
    """{verb: its part of the page, without escapes}."""
    text = re.sub(r'\\f.|\\&', '', page().replace('\\-', '-'))
    text = text[text.index('.SH VERBS'):text.index('.SH ENVIRONMENT')]
    return {part.split()[1]: part for part in text.split('.SS ')[1:]}


def the_page_has_every_verb_and_no_other(_):
    must(sorted(sections()) == sorted(verbs()), sorted(sections()), sorted(verbs()))
    must(len(verbs()) == len(set(verbs())) > 8, verbs())


def the_page_has_the_arguments_of_each_verb(_):
    for verb, text in sections().items():
        usage = re.match(r'Usage: mound %s \[OPTION...\] ?(.*)\n' % verb,
                         mound(verb, '--help')[0])[1]
        must(text.splitlines()[0] == ('mound %s %s' % (verb, usage)).strip(), verb, usage)


def the_page_has_every_option_of_each_verb_and_no_other(_):
    for verb, text in sections().items():
        there = {name: (short, argument) for short, name, argument in re.findall(
            r'^\.BR (?:-(.) ", " )?(--[a-z-]+)(?: =(\S+))?$', text, re.M)}
        must(there == options_of(verb), verb, there, options_of(verb))


def the_page_has_the_exit_codes_and_aliases(_):
    for verb, text in sections().items():
        own = mound(verb, '--help')[0]
        must('Exit status: ' in text and 'Exit status: ' in own, verb)
        codes = [set(re.findall(r'\b[0-9]\b', part.partition('Exit status: ')[2]))
                 for part in (text, own)]
        must(codes[0] == codes[1], verb, *codes)
    for alias, verb in ('explain', 'stats'), ('trim', 'release'):
        must('mound ' + alias in sections()[verb], alias)
        mound(alias, '--help')


def every_call_in_the_documents_has_a_verb_and_options_that_exist(_):
    source, called, known = os.environ['MOUND_SOURCE'], 0, {}
    for folder, _, names in os.walk(source):
        for name in names:
            if not name.endswith('.md') or '/build' in folder:
                continue
            with open(os.path.join(folder, name), encoding='utf-8') as f:
                text = f.read()
            blocks = re.findall(r'^```sh\n(.*?)^```', text, re.M | re.S)
            calls = re.findall(r'`mound ([a-z]+)((?: [^`\n]*)?)`', text) + \
                re.findall(r'^mound ([a-z]+)([^\n|#]*)', '\n'.join(blocks), re.M)
            for verb, rest in calls:
                verb = {'explain': 'stats', 'trim': 'release'}.get(verb, verb)
                if verb in ('heap', 'metadata'):
                    continue  # names of mappings
                must(verb in verbs(), name, verb)
                if verb not in known:
                    known[verb] = set(options_of(verb)) | OF_EACH
                own, dashes, _ = rest.partition(' -- ')
                if not dashes and verb in ('run', 'record', 'check'):
                    own = re.match(r'(?: -\S+)*', rest)[0]  # then the program
                options = re.findall(r'(?<= )--[a-z-]+', own)
                must(known[verb].issuperset(options), name, verb, rest)
                called += 1
    must(called > 30, called)


def the_page_is_well_formed(_):
    if not shutil.which('mandoc'):
        raise Skipped('no mandoc')
    done = subprocess.run(['mandoc', '-Tlint', '-Wwarning', PAGE], text=True,
                          capture_output=True, timeout=HANG_S, check=False)
    must(done.returncode == 0 and not done.stdout, done.stdout)


def complete(*words, cwd=None):
    """What bash has for the last of the words."""
    script = ('compopt() { :; }\nsource "$COMPLETION"\n'
              'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n'
              'COMP_WORDS[0]=mound\n'
              '_mound "$1" "${@: -1}" "${@: -2:1}"\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
              'complete -p mound')
    done = subprocess.run(['bash', '-c', script, 'bash', MOUND, *words], text=True,
                          capture_output=True, timeout=HANG_S, check=True, cwd=cwd,
                          env={**os.environ, 'COMPLETION': COMPLETION})
    must(not done.stderr, done.stderr)
    *found, registered = done.stdout.splitlines()
    must(registered == 'complete -F _mound mound', registered)
    return [word for word in found if word]


def completion_has_every_verb(_):
    must(set(complete('')) == {*verbs(), '--help', '--version'}, complete(''))
    must(complete('st') == ['stats'], complete('st'))


def completion_has_every_option(_):
    for verb in verbs():
        wanted = {name + ('=' if argument else '')
                  for name, (_, argument) in options_of(verb).items()} | OF_EACH
        must(set(complete(verb, '-')) == wanted, verb, complete(verb, '-'), wanted)
    must(complete('explain', '--cl') == ['--classes'], 'the alias')


def completion_has_processes_programs_and_files(folder):
    with keeper() as child:
        pid = str(child.pid)
        for verb in 'stats', 'profile', 'release', 'trim', 'doctor':
            must(pid in complete(verb, pid[:1]), verb, complete(verb, pid[:1]))
    with open(os.path.join(folder, 'my file.pb.gz'), 'w', encoding='utf-8'):
        pass
    must(complete('diff', 'my', cwd=folder) == ['my file.pb.gz'], 'diff')
    must(complete('profile', '--output', 'my', cwd=folder) == ['my file.pb.gz'], 'out')
    must('sleep' in complete('run', 'slee'), complete('run', 'slee'))
    must('sleep' in complete('run', '--', 'slee'), 'behind --')
    must(complete('run', 'sleep', 'my', cwd=folder) == ['my file.pb.gz'], 'its words')
    must(complete('run', '-o', 'decay=1', 'slee') == complete('run', 'slee'), '-o')


def completion_has_values(_):
    must(complete('top', '--sort', '=', 'r') == ['rss', 'rate'], 'after =')
    must(complete('top', '--sort', '=') == complete('top', '-s', ''), 'at =')
    must('memlimit=' in complete('run', '-o', 'mem'), 'option')


TESTS = [
    the_page_has_every_verb_and_no_other,
    the_page_has_the_arguments_of_each_verb,
    the_page_has_every_option_of_each_verb_and_no_other,
    the_page_has_the_exit_codes_and_aliases,
    every_call_in_the_documents_has_a_verb_and_options_that_exist,
    the_page_is_well_formed,
    completion_has_every_verb,
    completion_has_every_option,
    completion_has_processes_programs_and_files,
    completion_has_values,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
