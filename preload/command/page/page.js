// page.js: builds the whole page from the list of objects in it, which
// preload/profiles.md describes.
'use strict';

function headView(head) {
  document.title = head.title || 'mound';
  return [node('h1', {}, head.title || 'mound'),
    ...(head.facts || []).map((f) => node('p', {class: 'facts quiet'}, f))];
}

function build() {
  const all = JSON.parse(document.getElementById('data').textContent);
  const of = (kind) => all.filter((o) => o.mound === kind);
  const profiles = of('profile').filter((p) => p.parent.length > 1);
  const samples = of('sample'), classes = of('classes'), page = [];
  of('head').slice(-1).forEach((head) => page.push(...headView(head)));
  of('end').forEach((e) => page.push(
    node('p', {class: 'facts'}, e.text)));
  if (samples.length > 0)
    page.push(node('h2', {}, 'Resident memory over time'),
      seriesView(samples, of('profile').filter((p) => 'seconds' in p)));
  const views = profiles.map(flameView), holder = node('div');
  const show = (i) => {
    holder.replaceChildren(views[i].view);
    views[i].draw();
  };
  if (samples.length > 0)
    page.push(node('h2', {}, 'Who allocated it'));
  if (profiles.length > 1)
    page.push(node('div', {class: 'bar'},
      choice(profiles.map((p) => p.name), 0, show)));
  page.push(holder);
  if (profiles.length === 0)
    holder.append(node('p', {class: 'quiet'}, 'No stack was sampled.'));
  classes.slice(-1).forEach((c) => page.push(
    node('h2', {}, 'Size classes, most waste first'), classesView(c.rows)));
  document.body.replaceChildren(...page, tip);
  if (profiles.length > 0)
    show(0);
}

try {
  build();
} catch (error) {
  document.body.append('This page cannot be shown: ' + error.message);
}
