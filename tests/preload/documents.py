#!/usr/bin/env python3
"""The commands and the C programs of the documents, run as a reader would run them: each
document in a folder of its own, beside an installation of what was built. TAP.

A block of shell or C has a comment before it that says what happens to it:

    <!-- run -->               it is run, and must succeed
    <!-- not run: REASON -->   it is not
    <!-- file: NAME -->        it is a file of that name
    <!-- output -->            it is what the block before it prints, but for numbers
                               and the width of gaps
    <!-- sample -->            the block before it prints each of its lines, but for
                               numbers, gaps, folders, and names of functions and
                               of system libraries; it may print others, too
    <!-- picture: WHAT -->     it is neither a command nor what one prints
    <!-- figures: ... -->      see scripts/figures

In a man page the same words stand in a line .\\" before .EX."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
from tap import must  # noqa: E402

SOURCE = os.environ['MOUND_SOURCE']
BUILT = os.path.realpath(os.environ['MOUND_LIB'])
BUILD = os.path.dirname(os.path.dirname(BUILT))
HANG_S = 120
END = '--- end of block %d ---'


def documents():
    found = [os.path.relpath(os.path.join(d, name), SOURCE)
             for top in ('.', 'alloc', 'map', 'preload', 'scripts', 'tests')
             for d, _, names in ([next(os.walk(SOURCE))] if top == '.' else
                                 os.walk(os.path.join(SOURCE, top)))
             for name in names if re.search(r'\.(md|[1-8])$', name)]
    return sorted(name for name in found if 'corpus' not in name)


def read(name):
    with open(os.path.join(SOURCE, name), encoding='utf-8') as f:
        return f.read()


def markdown_blocks(text):
    """[(comment or '', language or '', content)] of the fenced blocks."""
    return re.findall(r'(?:^<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$', text,
                      re.M | re.S)


def man_blocks(text):
    """The same of a man page, whose blocks name no language."""
    found = re.findall(r'(?:^\.\\" (run|output|sample|file: [^\n]*|not run: [^\n]*)\n)?^\.EX\n'
                       r'(.*?)^\.EE$', text, re.M | re.S)
    return [(comment, 'man', body.replace('\\e', '\\').replace('\\-', '-'))
            for comment, body in found]


def blocks_of(name):
    return (markdown_blocks if name.endswith('.md') else man_blocks)(read(name))


def shape(text):
    """A text without what differs from run to run."""
    text = re.sub(r'0x[0-9a-f]+|[0-9]+(\.[0-9]+)?', 'N', text)
    return [re.sub(r'\b[KMG]?i?B\b', 'B', ' '.join(line.split()))
            for line in text.strip().splitlines()]


def sampled(text):
    """The lines of a sample, without what differs from run to run and from machine to
    machine. A row of a profile keeps its figures, not its function."""
    text = re.sub(r'^(Build ID|Time): .*', r'\1:', text, flags=re.M)
    text = re.sub(r'(?<![\w.])[\w.-]*/[\w./+-]*/([\w.-]+)', r'\1', text)
    lines = []
    for line in shape(re.sub(r'\b[0-9]+(\.[0-9]+)?(m?s|[kMG]B)\b', 'N', text)):
        line = re.sub(r'\b(N [kMG]|N million|N( N)+)(?= |$)', 'N', line)
        line = re.sub(r'\bN bytes? in\b', 'N B in', line)
        line = re.sub(r'^(N\b.*%( N| N B)*) [A-Za-z_].*', r'\1', line)
        if line and not re.match(r'\.\.\.|[\w.:<>~ ()-]*$', line) and \
                'libc.so' not in line and '+N (_start' not in line and \
                not line.startswith('Dropped N nodes'):  # if there are such
            lines.append(line)
    return lines


def install():
    """Installs what was built; returns the folder that stands for /, and in it the
    prefix and the folder of the libraries."""
    root = os.path.join(FOLDER, 'root')
    if not os.path.exists(root):
        if not shutil.which('meson'):
            raise tap.Skipped('no meson')
        done = subprocess.run(
            ['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet'],
            env=dict(os.environ, DESTDIR=root), capture_output=True, text=True,
            timeout=HANG_S)
        must(done.returncode == 0, done.stdout, done.stderr)
    return root, os.path.dirname(folder_of(root, 'bin')), \
        folder_of(root, os.path.basename(BUILT))


def folder_of(root, wanted):
    """The one folder below root that has that name, or a file of it."""
    found = [d for d, folders, names in os.walk(root)
             if wanted in names or os.path.basename(d) == wanted]
    must(len(found) == 1, wanted, found)
    return found[0]


def environment(root, prefix, libdir):
    env = {k: v for k, v in os.environ.items() if not k.startswith('MOUND_')}
    env['PATH'] = ':'.join([prefix + '/bin', env['PATH'],
                            '/usr/lib/go-1.19/bin'])
    env['PKG_CONFIG_PATH'] = libdir + '/pkgconfig'
    env['PKG_CONFIG_SYSROOT_DIR'] = root
    env['LD_LIBRARY_PATH'] = libdir
    env['LC_ALL'] = 'C.UTF-8'
    return env


def run_document(name):
    """Runs the blocks of a document in one shell, in a folder where build-try is
    the build directory and the files of the top level are those of the source."""
    root, prefix, libdir = install()
    if any(comment == 'run' and re.search(r'^mound [a-z]', body, re.M)
           for comment, _, body in blocks_of(name)) and \
            not os.path.exists(prefix + '/bin/mound'):
        raise tap.Skipped('the command was not built')
    folder = os.path.join(FOLDER, name.replace('/', '+'))
    os.mkdir(folder)
    os.symlink(BUILD, os.path.join(folder, 'build-try'))
    os.symlink(os.path.join(SOURCE, 'README.md'),
               os.path.join(folder, 'README.md'))
    script, wanted, samples = ['exec 2>&1 </dev/null', 'set -e'], {}, {}
    for i, (comment, language, body) in enumerate(blocks_of(name)):
        if comment.startswith('file: '):
            with open(os.path.join(folder, comment[6:]), 'w',
                      encoding='utf-8') as f:
                f.write(body)
            if language == 'man':
                script.append('cc -o program %s $(pkg-config --cflags --libs '
                              'mound moundmap) && ./program' % comment[6:])
        elif comment == 'output':
            wanted[last] = body
        elif comment == 'sample':
            samples[last] = body
        elif comment == 'run':
            last = i
            script += [body, 'echo "%s"' % (END % i)]
    done = subprocess.run(['bash', '-c', '\n'.join(script)], cwd=folder,
                          env=environment(root, prefix, libdir), stdout=subprocess.PIPE,
                          text=True, timeout=HANG_S)
    must(done.returncode == 0, name, 'stops in the block after this:',
         done.stdout[-2000:])
    must('ld.so' not in done.stdout, name, 'loads nothing:', done.stdout)
    rest = done.stdout
    for i, (comment, _, _) in enumerate(blocks_of(name)):
        if comment == 'run':
            printed, rest = rest.split((END % i) + '\n', 1)
            if i in wanted:
                must(shape(printed) == shape(wanted[i]), name, 'shows\n',
                     wanted[i], 'but now it is\n', printed)
            gone = [line for line in sampled(samples.get(i, ''))
                    if line not in sampled(printed)]
            must(not gone, name, 'shows lines that are not printed now:\n',
                 '\n'.join(gone), '\nbut these are:\n',
                 '\n'.join(sampled(printed)))


def every_block_says_what_happens_to_it(_):
    known = re.compile(r'run$|output$|sample$|not run: \S|file: \S+$|figures: \S|'
                       r'picture: \S')
    wrong = ['%s: %s' % (name, body.splitlines()[0])
             for name in documents()
             for comment, _, body in blocks_of(name)
             if not known.match(comment)]
    must(not wrong, *wrong)


def test_of(name):
    def test(_):
        run_document(name)
    test.__name__ = 'the_commands_of_%s_run' % name
    return test


TESTS = [every_block_says_what_happens_to_it] + [
    test_of(name) for name in documents()
    if any(re.match('run|file', comment) for comment, _, _ in blocks_of(name))]


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as FOLDER:
        sys.exit(tap.main(TESTS))
