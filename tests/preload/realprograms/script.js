// Objects, strings, buffers, compression and two worker threads under node.
const { Worker, isMainThread, parentPort } = require('worker_threads');
const zlib = require('zlib');
const crypto = require('crypto');

function work(seed) {
    const map = new Map();
    let state = seed;
    for (let i = 0; i < 60000; i++) {
        state = (state * 1103515245 + 12345) % 2147483648;
        map.set('key' + state, { i, text: 'x'.repeat(state % 50), list: [i] });
    }
    const text = JSON.stringify([...map].sort());
    const packed = zlib.gzipSync(Buffer.from(text));
    const again = zlib.gunzipSync(packed).toString();
    const hash = crypto.createHash('sha256').update(again).digest('hex');
    return `${map.size} ${text.length} ${hash}`;
}

if (isMainThread) {
    console.log(work(1));
    const results = [2, 3].map((seed) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename);
        worker.on('message', resolve);
        worker.on('error', reject);
        worker.postMessage(seed);
    }));
    Promise.all(results).then((lines) => console.log(lines.join('\n')));
} else {
    parentPort.once('message', (seed) => parentPort.postMessage(work(seed)));
}
