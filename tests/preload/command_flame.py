#!/usr/bin/env python3
"""The page that mound profile --flame writes, in a real browser: clicked, searched,
and with names of functions that are no HTML. TAP."""
import os
import subprocess
import sys
import time

SOURCE = os.environ['MOUND_SOURCE']
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'support'))
import browser  # noqa: E402
import pprof_make  # noqa: E402
import tap  # noqa: E402
from tap import must  # noqa: E402

COMMAND = os.path.join(os.path.dirname(os.environ['MOUND_LIB']), 'command',
                       'mound')
MIB = 1 << 20
WIDE = '.flame > .frame'


def same(got, expected, *what):
    must(got == expected, *what, 'is', repr(got), 'not', repr(expected))


def page(folder, *profiles, verb='profile'):
    """A page in a file, of one profile or of the difference of two."""
    path = os.path.join(folder, 'page.html')
    with open(path, 'wb') as out:
        done = subprocess.run([COMMAND, verb, '--flame', *profiles],
                              stdout=out, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False)
    must(done.returncode == 0 and done.stderr == '', done)
    return path


def write(folder, stacks, name='x.pb.gz'):
    return pprof_make.write(os.path.join(folder, name), stacks)


def frames(b):
    """{name: width in pixels} of what the graph shows."""
    return {name: width for name, width in b.run(
        'Array.from(document.querySelectorAll("%s"), (f) => '
        '[f.textContent, f.getBoundingClientRect().width])' % WIDE)}


def frame(name):
    return ('Array.from(document.querySelectorAll("%s")).find((f) => '
            'f.textContent === %r)' % (WIDE, name))


def text(b, selector):
    return b.run('document.querySelector(%r).textContent' % selector)


def button(label):
    return ('Array.from(document.querySelectorAll("button")).find((f) => '
            'f.textContent === %r)' % label)


def opened(b, path):
    b.errors.clear()
    b.open(path)
    must(not b.errors, 'scripts failed:', b.errors)
    same([r for r in b.requests if not r.startswith('data:')],
         ['file://' + path], 'what the page loads')


TREE = (
    (('read', 'load', 'main'), 100, 100 * MIB, 10, 30 * MIB),
    (('parse', 'load', 'main'), 50, 50 * MIB, 50, 50 * MIB),
    (('log', 'main'), 1000, 800 * MIB, 20, 20 * MIB),
)


def zooms_by_a_click_and_back(b, folder):
    opened(b, page(folder, write(folder, TREE)))
    before = frames(b)
    same(sorted(before), ['all', 'load', 'log', 'main', 'parse', 'read'])
    whole = before['all']
    must(abs(before['load'] - 0.8 * whole) < 2, before)
    must(abs(before['read'] - 0.3 * whole) < 2, before)
    b.click(frame('load'))
    after = frames(b)
    same(sorted(after), ['all', 'load', 'main', 'parse', 'read'])
    must(abs(after['load'] - whole) < 1 and
         abs(after['read'] - 0.375 * whole) < 2, after)
    b.click(button('Show all'))
    same(frames(b), before)
    b.click(frame('read'))
    b.press('Escape')
    same(frames(b), before)


def searches(b, folder):
    opened(b, page(folder, write(folder, TREE)))
    b.click('document.querySelector("input")')
    b.type('LO')
    same(text(b, '.matches'), '2 functions: 100 MiB, 100.0 %')
    same(b.run('Array.from(document.querySelectorAll(".found"), '
               '(f) => f.textContent).sort().join()'), 'load,log')
    b.type('ad')
    same(text(b, '.matches'), '1 function: 80.0 MiB, 80.0 %')
    b.press('Escape')
    same(b.run('document.querySelectorAll(".found").length'), 0)


def switches_between_what_is_in_use_and_what_was_allocated(b, folder):
    opened(b, page(folder, write(folder, TREE)))

    def rows():
        return b.run('Array.from(document.querySelectorAll(".functions '
                     'tr.row"), (r) => r.cells[4].textContent + " " + '
                     'r.cells[0].textContent)')
    same(rows(), ['parse 50.0 MiB', 'read 30.0 MiB', 'log 20.0 MiB'])
    b.click(button('Allocated, bytes'))
    same(rows(), ['log 800 MiB', 'read 100 MiB', 'parse 50.0 MiB'])
    shown = frames(b)
    must(abs(shown['log'] / shown['all'] - 800 / 950) < 0.01, shown)
    b.click(button('In use, objects'))
    same(rows(), ['parse 50', 'log 20', 'read 10'])
    b.click(button('with callees'))
    same(rows()[0], 'main 0')
    same(b.run('Array.from(document.querySelectorAll(".stacks tr"), (r) => '
               'Array.from(r.querySelectorAll("div"), (d) => d.textContent)'
               '.join())'), ['parse,load,main', 'log,main', 'read,load,main'])


def tells_the_size_of_what_the_mouse_is_over(b, folder):
    opened(b, page(folder, write(folder, TREE)))
    b.move(*b.run('(() => { const r = %s.getBoundingClientRect(); '
                  'return [r.left + 5, r.top + 5]; })()' % frame('load')))
    tip = text(b, '.tip')
    must('load' in tip and '80.0 MiB' in tip and '80.0 %' in tip, tip)


HOSTILE = ('<script>document.title = "caught"</script>',
           '</script><img src=x onerror="document.title=\'caught\'">',
           '"\'`&lt;\\u003c\u2028\x01', 'caf\udcff', '__proto__',
           'constructor', ']]>')


def shows_names_as_text_whatever_they_are(b, folder):
    path = write(folder, [((name, 'main'), 1, MIB, 1, MIB)
                          for name in HOSTILE])
    opened(b, page(folder, path))
    shown = set(frames(b))
    for name in HOSTILE[:3] + HOSTILE[4:]:
        must(name in shown, repr(name), 'is not in', shown)
    must('caf\ufffd' in shown, shown)
    must('caught' not in b.run('document.title'), 'a script of a name ran')
    same(b.run('document.querySelectorAll("img").length'), 0)


def shows_the_difference_of_two_profiles(b, folder):
    one = write(folder, TREE)
    two = write(folder, ((('read', 'load', 'main'), 200, 200 * MIB, 10,
                          70 * MIB),
                         (('parse', 'load', 'main'), 50, 50 * MIB, 0, 0)),
                'y.pb.gz')
    opened(b, page(folder, one, two, verb='diff'))
    b.move(*b.run('(() => { const r = %s.getBoundingClientRect(); '
                  'return [r.left + 5, r.top + 5]; })()' % frame('parse')))
    must('−50.0 MiB' in text(b, '.tip'), text(b, '.tip'))
    shown = frames(b)
    must(abs(shown['parse'] / shown['all'] - 50 / 110) < 0.01, shown)
    must(b.run('getComputedStyle(%s).backgroundColor' % frame('read')) !=
         b.run('getComputedStyle(%s).backgroundColor' % frame('parse')))


def stays_small_and_quick_with_50_000_stacks(b, folder):
    stacks = [(tuple('function_%d_%d' % (k, i % (7 + 40 * k))
                     for k in range(12, 0, -1)) + ('main',), 1,
               1000 + i, 1, 1000 + i) for i in range(50000)]
    begin = time.monotonic()
    path = page(folder, write(folder, stacks))
    must(os.path.getsize(path) < 4 * MIB, os.path.getsize(path), 'bytes')
    opened(b, path)
    took_ms = b.run('(() => { const t = performance.now(); %s.click(); return '
                    'performance.now() - t; })()' % frame('main'))
    must(len(frames(b)) > 10)
    print('# %.1f s, %d bytes, a click takes %.0f ms' % (
        time.monotonic() - begin, os.path.getsize(path), took_ms))


TESTS = (
    zooms_by_a_click_and_back,
    searches,
    switches_between_what_is_in_use_and_what_was_allocated,
    tells_the_size_of_what_the_mouse_is_over,
    shows_names_as_text_whatever_they_are,
    shows_the_difference_of_two_profiles,
    stays_small_and_quick_with_50_000_stacks,
)


def main():
    if browser.find() is None:
        print('1..0 # SKIP no chromium')
        return False
    with browser.Browser() as b:
        def with_browser(test):
            def run(folder):
                test(b, folder)
            run.__name__ = test.__name__
            return run
        return tap.main([with_browser(t) for t in TESTS], browser.Trouble)


if __name__ == '__main__':
    sys.exit(main())
