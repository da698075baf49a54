// series.js: resident memory over time as stacked areas, and the table of size classes.
'use strict';

const parts = [
  {key: 'live', label: 'live objects', colour: '#2f7ed8'},
  {key: 'rounding', label: 'rounding inside them', colour: '#7db3ee'},
  {key: 'holes', label: 'holes: free slots', colour: '#e8833a'},
  {key: 'caches', label: 'caches', colour: '#f2b233'},
  {key: 'idle', label: 'idle pages', colour: '#8cbf5a'},
  {key: 'records', label: 'records of mound', colour: '#8a6fc0'},
  {key: 'other', label: 'not mound’s', colour: '#9aa3ad'},
];
const POINTS_MAX = 800;

// partOf returns the resident bytes of a part. Memory without pages was usually never
// touched, which happens in large objects, so it is subtracted from those that are live.
function partOf(s, key) {
  return key === 'live' ? Math.max(0, s.live - (s.absent || 0)) : s[key] || 0;
}

// thin keeps at most POINTS_MAX samples: of each group the one with the largest RSS.
function thin(samples) {
  const group = Math.ceil(samples.length / POINTS_MAX), left = [];
  for (let i = 0; i < samples.length; i += group)
    left.push(samples.slice(i, i + group).reduce(
      (a, b) => b.rss > a.rss ? b : a));
  return left;
}

// niceStep returns a step between grid lines: 1, 2 or 5 times a power of base.
function niceStep(range, lines) {
  const rough = range / lines, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
}

function niceBytes(range, lines) {
  let step = 4096;
  while (step * lines < range)
    step *= 2;
  return step;
}

function seriesView(all, marks) {
  const samples = thin(all);
  const W = 1200, H = 320, LEFT = 66, TOP = 10, BOTTOM = 26, RIGHT = 8;
  const begin = samples[0].seconds;
  const end = Math.max(samples[samples.length - 1].seconds, begin + 1e-3);
  const sumOf = (s) => parts.reduce((sum, p) => sum + partOf(s, p.key), 0);
  const most = Math.max(1, ...samples.map((s) => Math.max(s.rss, sumOf(s))));
  const x = (t) => LEFT + (W - LEFT - RIGHT) *
    Math.max(0, Math.min(1, (t - begin) / (end - begin)));
  const y = (n) => H - BOTTOM - (H - BOTTOM - TOP) * n / most;
  const svg = node('svg', {class: 'chart', viewBox: `0 0 ${W} ${H}`,
    role: 'img',
    'aria-label': 'resident memory over time'});
  for (let n = 0, step = niceBytes(most, 6); n <= most; n += step)
    svg.append(
      node('line', {class: 'grid', x1: LEFT, x2: W - RIGHT, y1: y(n), y2: y(n)}),
      node('text', {x: LEFT - 6, y: y(n) + 4, 'text-anchor': 'end'},
        n === 0 ? '0' : bytesText(n)));
  const below = samples.map(() => 0);
  for (const p of parts) {
    const low = samples.map((s, i) => `${x(s.seconds)},${y(below[i])}`);
    samples.forEach((s, i) => { below[i] += partOf(s, p.key); });
    const high = samples.map((s, i) => `${x(s.seconds)},${y(below[i])}`);
    svg.append(node('path', {fill: p.colour,
      d: 'M' + high.join('L') + 'L' + low.reverse().join('L') + 'Z'}));
  }
  svg.append(node('path', {class: 'rss', d: 'M' + samples.map(
    (s) => `${x(s.seconds)},${y(s.rss)}`).join('L')}));
  const step = niceStep(end - begin, 8);
  for (let i = Math.ceil(begin / step); i * step <= end; i++)
    svg.append(node('text', {x: x(i * step), y: H - 8,
      'text-anchor': 'middle'}, secondsText(i * step)));
  marks.forEach((m, i) => {
    const late = x(m.seconds) > W - 90;
    svg.append(node('line', {class: 'mark', x1: x(m.seconds), x2: x(m.seconds),
      y1: TOP, y2: H - BOTTOM}),
    node('text', {x: x(m.seconds) + (late ? -4 : 4), y: TOP + 10 + 15 * i,
      class: 'over', 'text-anchor': late ? 'end' : 'start'}, m.name));
  });
  svg.addEventListener('mousemove', (event) => {
    const box = svg.getBoundingClientRect();
    const t = begin + (end - begin) * ((event.clientX - box.left) / box.width *
      W - LEFT) / (W - LEFT - RIGHT);
    const s = samples.reduce((a, b) =>
      Math.abs(b.seconds - t) < Math.abs(a.seconds - t) ? b : a);
    showTip(event, node('b', {}, secondsText(s.seconds)), node('table', {},
      ...[{label: 'RSS', key: 'rss'}, ...parts].map((p) => node('tr', {},
        node('td', {}, p.label),
        node('td', {class: 'n'}, bytesText(partOf(s, p.key)))))));
  });
  svg.addEventListener('mouseleave', hideTip);
  return node('div', {}, svg, node('div', {class: 'legend'}, ...parts.map((p) => {
    const box = node('i');
    box.style.background = p.colour;
    return node('span', {}, box, p.label);
  }), node('span', {class: 'quiet'}, 'line: RSS')));
}

// classesView shows rows of [size, objects, live, rounding, holes and free slots];
// rounding is null where it is not known.
function classesView(rows) {
  const titles = ['size', 'objects', 'live', 'rounding (estimated)',
    'free slots and caches', 'waste'];
  return node('table', {class: 'classes'},
    node('tr', {}, ...titles.map((t) => node('th', {class: 'n'}, t))),
    ...rows.map((r) => node('tr', {},
      node('td', {class: 'n'}, r[0] === 0 ? 'large' : bytesText(r[0])),
      node('td', {class: 'n'}, countText(r[1])),
      ...[r[2], r[3], r[4], r[3] + r[4]].map((v) => node('td', {class: 'n'},
        v === null ? 'not known' : bytesText(v))))));
}
