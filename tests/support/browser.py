"""A real browser without a window: chromium, controlled by its own protocol over a pipe
(--remote-debugging-pipe) to open a page, click and type."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ('chromium', 'chromium-browser', 'google-chrome',
         'chromium-headless-shell')
LIMIT_S = 60


def find():
    return next((p for p in map(shutil.which, NAMES) if p), None)


class Trouble(Exception):
    pass


class Browser:
    """A browser with one page. errors are the exceptions of its scripts, requests all
    addresses that it loaded or tried to load."""

    def __init__(self, width=1400, height=900):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        argv = [find(), '--headless', '--remote-debugging-pipe',
                '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
                '--disable-background-networking', '--disable-extensions',
                f'--user-data-dir={self.folder.name}', 'about:blank',
                f'--window-size={width},{height}']
        if os.geteuid() == 0:
            argv.append('--no-sandbox')
        self._process = subprocess.Popen(
            ['sh', '-c', f'exec "$@" 3<&{commands} 4>&{answers}', 'sh', *argv],
            pass_fds=(commands, answers), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k != 'LD_PRELOAD'})
        os.close(commands)
        os.close(answers)
        self._buffer = b''
        self._number = 0
        self._session = None
        self.errors, self.requests, self._loaded = [], [], 0
        target = self.call('Target.createTarget', url='about:blank')
        self._session = self.call('Target.attachToTarget', flatten=True,
                                  targetId=target['targetId'])['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.call(domain + '.enable')
        self.call('Emulation.setDeviceMetricsOverride', width=width,
                  height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self.folder.cleanup()

    def _read(self, until):
        while b'\0' not in self._buffer:
            ready, _, _ = select.select([self._in], [], [],
                                        max(0, until - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b''
            if not data:
                raise Trouble('the browser does not answer')
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b'\0')
        message = json.loads(text)
        method, params = message.get('method'), message.get('params', {})
        if method == 'Runtime.exceptionThrown':
            self.errors.append(params['exceptionDetails'])
        elif method == 'Log.entryAdded':
            self.errors.append(params['entry'])
        elif method == 'Network.requestWillBeSent':
            self.requests.append(params['request']['url'])
        elif method == 'Page.loadEventFired':
            self._loaded += 1
        return message

    def call(self, method, **params):
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        until = time.monotonic() + LIMIT_S
        while True:
            answer = self._read(until)
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise Trouble(f"{method}: {answer['error']}")
                return answer['result']

    def open(self, path):
        loaded = self._loaded
        self.requests.clear()
        self.call('Page.navigate', url='file://' + os.path.abspath(path))
        until = time.monotonic() + LIMIT_S
        while self._loaded == loaded:
            self._read(until)

    def run(self, script):
        """The value of an expression in the page."""
        result = self.call('Runtime.evaluate', expression=script,
                           returnByValue=True)
        if 'exceptionDetails' in result:
            raise Trouble(str(result['exceptionDetails']))
        return result['result'].get('value')

    def click(self, element):
        """Clicks in the middle of an element that an expression returns."""
        box = self.run('(() => { const e = %s; e.scrollIntoView('
                       '{block: "nearest"}); const b = '
                       'e.getBoundingClientRect(); return [b.left + b.width / '
                       '2, b.top + b.height / 2]; })()' % element)
        self.move(*box)
        for kind in ('mousePressed', 'mouseReleased'):
            self.call('Input.dispatchMouseEvent', type=kind, x=box[0],
                      y=box[1], button='left', clickCount=1)

    def move(self, x, y):
        self.call('Input.dispatchMouseEvent', type='mouseMoved', x=x, y=y)

    def type(self, text):
        self.call('Input.insertText', text=text)

    def press(self, key):
        for kind in ('keyDown', 'keyUp'):
            self.call('Input.dispatchKeyEvent', type=kind, key=key, code=key)

    def screenshot(self, path):
        data = self.call('Page.captureScreenshot', captureBeyondViewport=True)
        with open(path, 'wb') as f:
            f.write(base64.b64decode(data['data']))
