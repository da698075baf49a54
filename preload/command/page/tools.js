// tools.js: functions shared by the parts of the page. All text of a profile is added to
// the page as text, never as HTML: function names may contain anything.
'use strict';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function bytesText(n) {
  const sign = n < 0 ? '−' : '';
  let size = Math.abs(n), unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return sign + (unit === 0 || size >= 100 ? size.toFixed(0)
    : size.toFixed(1)) + ' ' + units[unit];
}

function countText(n) {
  return Math.round(n).toLocaleString('en-US').replace('-', '−');
}

function percentText(part, whole) {
  return whole === 0 ? '0 %' : (100 * part / whole).toFixed(1)
    .replace('-', '−') + ' %';
}

function secondsText(s) {
  const two = (a, unit, b, small) =>
    a + ' ' + unit + (b > 0 ? ' ' + b + ' ' + small : '');
  if (s < 60)
    return Number(s.toFixed(s < 10 ? 1 : 0)) + ' s';
  const m = Math.floor(s / 60);
  return m < 60 ? two(m, 'min', Math.floor(s % 60), 's')
    : two(Math.floor(m / 60), 'h', m % 60, 'min');
}

// node makes an element with attributes, and children that are elements or text.
function node(name, attributes, ...children) {
  const svg = ['svg', 'path', 'line', 'text', 'g', 'rect'].includes(name);
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {}))
    if (key.startsWith('on'))
      e.addEventListener(key.slice(2), value);
    else
      e.setAttribute(key, value);
  e.append(...children);
  return e;
}

// choice makes a row of buttons; one of them is pressed.
function choice(labels, first, chosen) {
  const buttons = labels.map((label, i) => node('button', {
    type: 'button', 'aria-pressed': i === first,
    onclick: () => {
      buttons.forEach((b, k) => b.setAttribute('aria-pressed', k === i));
      chosen(i);
    }}, label));
  return node('span', {class: 'choice', role: 'group'}, ...buttons);
}

// The box beside the pointer with details.
const tip = node('div', {class: 'tip', hidden: ''});

function showTip(event, ...children) {
  tip.replaceChildren(...children);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14,
    innerWidth - box.width - 8)) + 'px';
  tip.style.top = (event.clientY + 18 + box.height < innerHeight
    ? event.clientY + 18 : Math.max(4, event.clientY - box.height - 10)) + 'px';
}

function hideTip() {
  tip.hidden = true;
}
