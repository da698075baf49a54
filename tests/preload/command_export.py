#!/usr/bin/env python3
"""mound export: what it prints passes promtool and a strict parser of OpenMetrics, the
file for node_exporter is replaced in one step, and what it serves by HTTP. TAP."""
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ['MOUND_SOURCE'], 'tests', 'support'))
import tap  # noqa: E402
import pprof_read  # noqa: E402
from command import MOUND, mound, one_line  # noqa: E402
from pages import keeper  # noqa: E402
from tap import Skipped, must  # noqa: E402

HANG_S = 30
STRICT = 'application/openmetrics-text'
# Debian's own python has the parser.
PARSE = ('import sys\n'
         'from prometheus_client.openmetrics.parser import '
         'text_string_to_metric_families as parse\n'
         'for f in parse(sys.stdin.read()):\n'
         '    print(f.name, f.type, f.unit or "-", len(f.samples))\n')


def promtool(text):
    done = subprocess.run(['promtool', 'check', 'metrics'], input=text, text=True,
                          capture_output=True, timeout=HANG_S, check=False)
    must(done.returncode == 0 and not done.stdout, 'promtool:', done.stdout,
         done.stderr)


def strict(text):
    """The families that a strict parser finds: {name: (type, unit, samples)}."""
    done = subprocess.run(['/usr/bin/python3', '-c', PARSE], input=text, text=True,
                          capture_output=True, timeout=HANG_S, check=False)
    if 'No module named' in done.stderr:
        raise Skipped('no prometheus_client')
    must(done.returncode == 0, done.stderr)
    return {name: (kind, unit, int(n)) for name, kind, unit, n in
            (line.split() for line in done.stdout.splitlines())}


def sample(text, name, **labels):
    """The value of the one sample that has these labels."""
    found = [line for line in text.splitlines() if line.startswith(name + '{') and
             all('%s="%s"' % (k, v) in line for k, v in labels.items())]
    must(len(found) == 1, name, labels, found)
    return float(found[0].split()[-1])


def what_is_printed_passes_both_parsers(_):
    with keeper('odd"na\\me') as one, keeper('two') as two:
        for options in [], ['--classes']:
            text, said = mound('export', *options)
            must(not said, said)
            promtool(text)
            families = strict(text)
            must(families['mound_process_resident_bytes'] == (
                'gauge', 'bytes', 2), families)
            must(('mound_class_live' in families) == bool(options), families)
        pid = str(two.pid)
        must(sample(text, 'mound_mallocs_total', pid=pid) == 10000, 'mallocs')
        must(sample(text, 'mound_class_mallocs_total', pid=pid,
                    **{'class': '32'}) == 1000, 'class')
        parts = [float(v) for v in re.findall(
            r'^mound_memory_bytes\{program="two",.* (\d+)$', text, re.M)]
        absent = sample(text, 'mound_memory_absent_bytes', pid=pid)
        rss = sample(text, 'mound_process_resident_bytes', pid=pid)
        must(len(parts) == 7 and sum(parts) - absent == rss, parts, absent, rss)
        must('program="odd\\"na\\\\me",pid="%d"' % one.pid in text, 'name')


def the_statistics_of_one_as_openmetrics(folder):
    """Also of one that was killed: there they are what is wished for."""
    with keeper('single') as child:
        text, _ = mound('stats', '--openmetrics', '--classes', str(child.pid))
        promtool(text)
        must(strict(text)['mound_class_live'][2] == 10, text)
        child.kill()
        child.wait(timeout=HANG_S)
        dead, _ = mound('stats', '--openmetrics', child.page)
        promtool(dead)
        must(sample(dead, 'mound_mallocs_total') == 10000, dead)
        must(sample(dead, 'mound_process_up') == 0, dead)


def without_a_page_there_is_little_to_print(_):
    text, _ = mound('export')
    promtool(text)
    must(text.endswith('# EOF\n'), text)


def a_process_that_was_killed_is_down(_):
    with keeper('down') as child:
        child.kill()
        child.wait(timeout=HANG_S)
        text, _ = mound('export')
    promtool(text)
    strict(text)
    must(sample(text, 'mound_process_up', program='down') == 0, text)
    must('mound_mallocs_total{program="down"' not in text, text)


def up_in(path, pid):
    with open(path, encoding='utf-8') as f:
        return sample(f.read(), 'mound_process_up', pid=pid)


def the_file_for_node_exporter(folder):
    path = os.path.join(folder, 'mound.prom')
    with keeper() as child:
        os.umask(0o027)
        mound('export', '--textfile', path)
        with open(path, encoding='utf-8') as f:
            text = f.read()
        promtool(text)
        must('# TYPE mound_mallocs_total counter\n' in text, 'types of counters')
        must(stat.S_IMODE(os.stat(path).st_mode) == 0o640, oct(os.stat(path).st_mode))
        must(os.listdir(folder) == ['mound.prom'], os.listdir(folder))
        again = subprocess.Popen([MOUND, 'export', '--textfile', path, '--interval',
                                  '100ms'], stderr=subprocess.PIPE, text=True)
        try:
            child.kill()
            child.wait(timeout=HANG_S)
            tap.wait_until(lambda: up_in(path, child.pid) == 0, 'the process is down')
            os.unlink(path)
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)
                time.sleep(0.5)
                os.rmdir(path)
                time.sleep(0.3)
        finally:
            again.send_signal(signal.SIGTERM)
            said = again.communicate(timeout=HANG_S)[1]
        must(again.returncode == 0, 'its exit code')
        must(not said or 'Is a directory' in one_line(said), said)
    must(os.listdir(folder) == ['mound.prom'], os.listdir(folder))


def a_file_that_cannot_be_written(folder):
    said = one_line(mound('export', '--textfile', folder + '/no/x', status=2)[1])
    must(said == 'mound: %s/no/x: No such file or directory\n' % folder, said)
    said = one_line(mound('export', '--textfile', folder, status=2)[1])
    must('directory' in said, said)
    must(os.listdir(folder) == [], os.listdir(folder))
    mound('export', '--textfile', 'x', '--listen', '1', status=2)
    mound('export', '--interval', '1s', status=2)
    mound('export', '--textfile', 'x', '--interval', 'often', status=2)


@contextlib.contextmanager
def serving(*options, address='0'):
    child = subprocess.Popen([MOUND, 'export', '--listen', address, *options],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = child.stdout.readline().strip()
    if not line and 'without libmicrohttpd' in child.stderr.read():
        raise Skipped('built without libmicrohttpd')
    try:
        must(line.endswith('/metrics'), line)
        yield line[:-len('/metrics')]
    finally:
        child.send_signal(signal.SIGTERM)
        status = child.wait(timeout=HANG_S)
        child.stdout.close()
        child.stderr.close()
    must(status == 0, 'exit code', status)


def get(url, method='GET', status=200, **headers):
    """The content and the type."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            must(status == 200, url, 'is there')
            return answer.read().decode(), answer.headers['Content-Type']
    except urllib.error.HTTPError as error:
        must(error.code == status, url, error.code)
        return error.read().decode(), error.headers['Content-Type']


def metrics_by_http_have_the_form_that_was_accepted(_):
    with keeper(), serving('--classes') as at:
        must(at.startswith('http://127.0.0.1:'), at)
        text, kind = get(at + '/metrics')
        must(kind.startswith('text/plain; version=0.0.4'), kind)
        promtool(text)
        must('# TYPE mound_mallocs_total counter\n' in text, text)
        text, kind = get(at + '/metrics', Accept=STRICT + ';version=1.0.0,*/*;q=0.1')
        must(kind.startswith(STRICT), kind)
        families = strict(text)
        must(families['mound_mallocs'][0] == 'counter', families)
        must(families['mound_allocated_bytes'][:2] == ('counter', 'bytes'), families)
        must(families['mound_class_live'][2] == 10, families)


def variables_by_http_are_those_of_one_process(_):
    with serving() as at:
        must('mound run' in get(at + '/debug/vars', status=404)[0], 'none')
        with keeper('one') as one:
            text, kind = get(at + '/debug/vars')
            must(kind.startswith('application/json'), kind)
            found = json.loads(text)
            must(found['memstats']['Mallocs'] == 10000, found)
            with keeper('two') as two:
                said = get(at + '/debug/vars', status=400)[0]
                must('?pid=%d' % two.pid in said and '?pid=%d' % one.pid in said, said)
                found = json.loads(get(at + '/debug/vars?pid=%d' % two.pid)[0])
                must(found['mound']['pid'] == two.pid, found)
                get(at + '/debug/vars?pid=1', status=400)


def what_else_is_requested(_):
    with keeper(), serving() as at:
        must('/metrics' in get(at + '/')[0], 'the index')
        get(at + '/no/such', status=404)
        get(at + '/metrics', method='POST', status=405)
        get(at + '/metrics', method='HEAD')
        get(at + '/metrics', status=403, Host='example.com')
        get(at + '/metrics', Host='localhost:1')
        must('no samples' in get(at + '/debug/pprof/heap', status=503)[0], 'heap')


def fetch(at, ret):
    """Appends what is served to ret; False: not now."""
    try:
        with urllib.request.urlopen(at, timeout=HANG_S) as answer:
            ret.append(answer.read())
            return True
    except urllib.error.HTTPError as e:
        must(e.code in (404, 503), e)
        return False


def a_profile_by_http(folder):
    """Of a process that takes samples and answers."""
    path = os.path.join(folder, 'own.pb.gz')
    work = '$| = 1; @x = map { "x" x 1000 } 1..20000; print "ready\n"; while (1) { $s = "x" x 5000; undef $s }'
    child = subprocess.Popen(
        [MOUND, 'run', '-o', 'profile=' + path, '-o', 'profile_rate=64KiB', 'perl', '-e',
         work], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        must(child.stdout.readline() == 'ready\n', 'not started')
        with serving() as at:
            found = []
            tap.wait_until(lambda: fetch(at + '/debug/pprof/heap?pid=%d' % child.pid,
                                         found), 'a profile')
            with urllib.request.urlopen(at + '/debug/vars?pid=%d' % child.pid,
                                        timeout=HANG_S) as answer:
                must(json.load(answer)['mound']['program'] == 'perl', 'its name')
        taken = os.path.join(folder, 'taken.pb.gz')
        with open(taken, 'wb') as f:
            f.write(found[-1])
        profile = pprof_read.read(taken)
        must(profile['totals'][3] > 10 << 20, profile['totals'])
    finally:
        child.kill()
        child.communicate(timeout=HANG_S)


def addresses(_):
    for wrong in 'abc', '127.0.0.1', '1:2:3', '[::1:80', '127.0.0.1:99999', '::1:80', '':
        said = mound('export', '--listen', wrong, status=2)[1]
        must('--listen ' + wrong in said, said)
    with serving(address='[::1]:0') as at:
        must(at.startswith('http://[::1]:'), at)
        get(at + '/metrics')
    with serving() as at:
        port = at.rpartition(':')[2]
        said = one_line(mound('export', '--listen', port, status=2)[1])
        must('Address already in use' in said, said)


def many_connections(_):
    """Those over the limit are closed; when the others go, it serves again."""
    with keeper(), serving() as at:
        host, _, port = at[len('http://'):].rpartition(':')
        idle = [socket.create_connection((host, int(port))) for _ in range(50)]
        time.sleep(0.2)
        for connection in idle:
            connection.close()
        time.sleep(0.2)
        promtool(get(at + '/metrics')[0])


TESTS = [
    what_is_printed_passes_both_parsers,
    the_statistics_of_one_as_openmetrics,
    without_a_page_there_is_little_to_print,
    a_process_that_was_killed_is_down,
    the_file_for_node_exporter,
    a_file_that_cannot_be_written,
    metrics_by_http_have_the_form_that_was_accepted,
    variables_by_http_are_those_of_one_process,
    what_else_is_requested,
    a_profile_by_http,
    addresses,
    many_connections,
]

if __name__ == '__main__':
    sys.exit(tap.main(TESTS))
