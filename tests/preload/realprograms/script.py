# Dictionaries, strings, threads, compression and a child process under python.
import hashlib
import re
import subprocess
import sys
import threading
import zlib


def work(state, results):
    rows = {}
    for i in range(30000):
        state = (state * 1103515245 + 12345) % 2147483648
        rows[f'key{state}'] = ('xy' * (state % 40), [i])
    text = repr(sorted(rows.items()))
    again = zlib.decompress(zlib.compress(text.encode(), 1))
    results.append((len(rows), len(re.findall('xy\'', text)),
                    hashlib.sha256(again).hexdigest()))


results = []
threads = [threading.Thread(target=work, args=(seed, results))
           for seed in (1, 2, 3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for line in sorted(results):
    print(*line)
child = subprocess.run([sys.executable, '-c', 'print(sum(range(10 ** 6)))'],
                       stdout=subprocess.PIPE, check=True)
print(child.stdout.decode(), end='')
