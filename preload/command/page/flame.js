// flame.js: a profile as a flame graph with zoom and search, and as a table of functions.
'use strict';

const ROW_PX = 20, PIXEL_MIN = 1;
const FUNCTIONS_SHOWN = 30, STACKS_SHOWN = 10, DEPTH_SHOWN = 8;
const metrics = [
  {label: 'In use, bytes', text: bytesText},
  {label: 'In use, objects', text: countText},
  {label: 'Allocated, bytes', text: bytesText},
  {label: 'Allocated, objects', text: countText},
];

// buildTree makes nodes from the columns of a profile. The width of a node is its amount
// or, in a difference, the sum of all additions and subtractions below it.
function buildTree(profile) {
  const nodes = profile.parent.map((parent, i) => ({
    name: profile.names[profile.function[i]] || 'all', parent: null, children: [],
    depth: 0, total: profile.total.map((t) => t[i]),
    width: (profile.width || profile.total).map((w) => w[i]),
  }));
  nodes.forEach((n, i) => {
    if (i === 0)
      return;
    n.parent = nodes[profile.parent[i]];
    n.parent.children.push(n);
    n.depth = n.parent.depth + 1;
  });
  return nodes;
}

function selfOf(n, m) {
  return n.children.reduce((rest, c) => rest - c.total[m], n.total[m]);
}

// colour is the same for names with the same beginning; in a difference, red has grown.
function colour(n, m, isDiff) {
  if (n.depth === 0)
    return 'hsl(210 8% var(--light))';
  if (isDiff) {
    const share = n.width[m] === 0 ? 0 : n.total[m] / n.width[m];
    return `hsl(${share < 0 ? 210 : 8} ${20 + 65 * Math.abs(share)}% ` +
      'var(--light))';
  }
  const prefix = n.name.split(/(?<=[a-z0-9])_|::|[(<+]/, 1)[0];
  let hash = 7;
  for (const c of prefix)
    hash = (hash * 31 + c.charCodeAt(0)) % 997;
  return `hsl(${18 + hash % 42} ${62 + hash % 25}% var(--light))`;
}

function flameView(profile) {
  const nodes = buildTree(profile), root = nodes[0];
  const isDiff = Boolean(profile.width);
  const amount = (value) => (isDiff && value > 0 ? '+' : '') +
    metrics[metric].text(value);
  let metric = Math.max(0, root.width.findIndex((w) => w > 0)), focus = root, wanted = '', byTotal = false;

  const graph = node('div', {class: 'flame'});
  const matches = node('span', {class: 'quiet matches'});
  const search = node('input', {type: 'search', spellcheck: 'false',
    placeholder: 'Search functions  ( / )', 'aria-label': 'Search functions',
    oninput: () => find(search.value)});
  const reset = node('button', {type: 'button', class: 'plain reset',
    onclick: () => zoom(root)}, 'Show all');
  const table = node('table', {class: 'functions'});
  const stacks = node('table', {class: 'stacks'});
  const about = node('p', {class: 'facts quiet'});

  const isFound = (name) =>
    wanted !== '' && name.toLowerCase().includes(wanted);

  function tipOf(n, event) {
    const m = metrics[metric];
    const row = (label, value) => node('tr', {}, node('td', {class: 'quiet'},
      label), node('td', {class: 'n'}, amount(value)), node('td', {class: 'n'},
      isDiff ? '' : percentText(value, root.total[metric])));
    showTip(event, node('b', {}, n.name), node('table', {},
      row(m.label, n.total[metric]), row('by itself', selfOf(n, metric))));
  }

  function draw() {
    const shown = [];
    const whole = graph.clientWidth || 1000;
    let deepest = 0;
    const place = (n, left, share) => {
      const width = share * whole;
      if (width < PIXEL_MIN)
        return;
      deepest = Math.max(deepest, n.depth);
      const frame = node('div', {class: 'frame', tabindex: '0', role: 'button',
        onclick: () => zoom(n), onmousemove: (e) => tipOf(n, e),
        onmouseleave: hideTip,
        onkeydown: (e) => e.key === 'Enter' && zoom(n)},
      width > 24 ? n.name : '');
      frame.style.left = 100 * left + '%';
      frame.style.width = 100 * share + '%';
      frame.style.top = n.depth * ROW_PX + 'px';
      frame.style.background = colour(n, metric, isDiff);
      if (width < 24)
        frame.style.padding = '0';
      frame.classList.toggle('above', n.depth < focus.depth);
      frame.classList.toggle('found', isFound(n.name));
      shown.push(frame);
    };
    const below = (n, left, share) => {
      place(n, left, share);
      if (n.width[metric] <= 0 || share * whole < PIXEL_MIN)
        return;
      const sorted = [...n.children].sort(
        (a, b) => b.width[metric] - a.width[metric]);
      for (const c of sorted) {
        const part = share * c.width[metric] / n.width[metric];
        below(c, left, part);
        left += part;
      }
    };
    for (let n = focus.parent; n !== null; n = n.parent)
      place(n, 0, 1);
    below(focus, 0, 1);
    graph.replaceChildren(...shown);
    graph.style.height = (deepest + 1) * ROW_PX + 'px';
    reset.disabled = focus === root;
    about.textContent = [profile.about, metrics[metric].label + ': ' +
      amount(root.total[metric])].filter(Boolean).join(' · ');
  }

  // Sums the nodes that match, each byte once: the search stops below a match.
  function countMatches() {
    const names = new Set();
    let sum = 0;
    const visit = (n, counted) => {
      const found = isFound(n.name);
      if (found)
        names.add(n.name);
      if (found && !counted)
        sum += n.total[metric];
      n.children.forEach((c) => visit(c, counted || found));
    };
    visit(root, false);
    matches.textContent = wanted === '' ? '' :
      `${names.size} function${names.size === 1 ? '' : 's'}: ` +
      amount(sum) +
      (isDiff ? '' : `, ${percentText(sum, root.total[metric])}`);
  }

  function find(text) {
    wanted = text.trim().toLowerCase();
    countMatches();
    draw();
  }

  function zoom(n) {
    hideTip();
    focus = n;
    draw();
  }

  function functions() {
    const sums = new Map();
    const visit = (n, above) => {
      const sum = sums.get(n.name) || {name: n.name, self: 0, total: 0};
      sums.set(n.name, sum);
      sum.self += selfOf(n, metric);
      const again = above.has(n.name);
      if (!again)
        sum.total += n.total[metric];
      above.add(n.name);
      n.children.forEach((c) => visit(c, above));
      if (!again)
        above.delete(n.name);
    };
    root.children.forEach((c) => visit(c, new Set()));
    const key = byTotal ? 'total' : 'self';
    return [...sums.values()].filter((f) => f[key] !== 0).sort(
      (a, b) => Math.abs(b[key]) - Math.abs(a[key])).slice(0, FUNCTIONS_SHOWN);
  }

  // The names of a stack, the innermost first.
  function stackOf(n) {
    const names = [];
    for (; n.parent !== null; n = n.parent)
      names.push(n.name);
    const rest = names.length - DEPTH_SHOWN;
    return rest > 1 ? [...names.slice(0, DEPTH_SHOWN),
      `… ${rest} more callers`] : names;
  }

  function drawStacks() {
    const most = nodes.slice(1).map((n) => ({n, self: selfOf(n, metric)}))
      .filter((s) => s.self !== 0)
      .sort((a, b) => Math.abs(b.self) - Math.abs(a.self))
      .slice(0, STACKS_SHOWN);
    stacks.replaceChildren(...most.map((s) => node('tr', {},
      node('td', {class: 'n'}, amount(s.self)),
      node('td', {class: 'n quiet'},
        isDiff ? '' : percentText(s.self, root.total[metric])),
      node('td', {class: 'name'}, ...stackOf(s.n).map(
        (name) => node('div', {}, name))))));
  }

  function drawTable() {
    const head = (label, total) => node('th', {class: 'n', colspan: 2},
      node('button', {type: 'button', 'aria-pressed': byTotal === total,
        onclick: () => { byTotal = total; drawTable(); }}, label));
    const cells = (value) => [
      node('td', {class: 'n'}, amount(value)),
      node('td', {class: 'n quiet'},
        isDiff ? '' : percentText(value, root.total[metric]))];
    table.replaceChildren(
      node('tr', {}, head('by itself', false), head('with callees', true),
        node('th', {}, 'function')),
      ...functions().map((f) => node('tr', {class: 'row', onclick: () => {
        search.value = f.name;
        find(f.name);
        graph.scrollIntoView({block: 'nearest'});
      }}, ...cells(f.self), ...cells(f.total),
      node('td', {class: 'name'}, f.name))));
  }

  const view = node('div', {class: 'profile'},
    node('div', {class: 'bar'},
      choice(metrics.map((m) => m.label), metric, (i) => {
        metric = i;
        countMatches();
        draw();
        drawTable();
        drawStacks();
      }), search, matches, reset),
    about, graph,
    node('div', {class: 'tables'},
      node('div', {}, node('h2', {}, isDiff ? 'Functions that changed most'
        : 'Top functions'), table),
      node('div', {}, node('h2', {}, isDiff ? 'Stacks that changed most'
        : 'Top stacks'), stacks)));
  addEventListener('resize', () => view.isConnected && draw());
  addEventListener('keydown', (e) => {
    if (!view.isConnected)
      return;
    if (e.key === 'Escape') {
      search.value = '';
      wanted = '';
      matches.textContent = '';
      zoom(root);
    } else if (e.key === '/' && document.activeElement !== search) {
      e.preventDefault();
      search.focus();
    }
  });
  drawTable();
  drawStacks();
  return {view, draw};
}
