# picture.py: the ratios of scripts/bench malloc as a picture: a line for each
# workload, a dot for each peer, processor time on the left, memory on the right.

import math
from xml.sax.saxutils import escape

LEFT, PANEL, GAP, ROW, TOP, BOTTOM = 130, 370, 30, 17, 84, 34
WIDTH = LEFT + 2 * PANEL + GAP + 20
COLOURS = ['#d62728', '#1f77b4', '#ff9900', '#2ca02c', '#9467bd', '#8c564b',
           '#17becf', '#e377c2']
BOUND, INK, FAINT, PAPER = '#555555', '#222222', '#dddddd', '#ffffff'
RADIUS = 4.5
LIMITS = (0.25, 8.0)  # what is beyond is drawn at the edge, as a triangle
TICKS = [0.25, 0.5, 1, 2, 4, 8]


class Canvas:
    def __init__(self):
        self.parts = []

    def text(self, x, y, text, anchor='start', size=12, colour=INK, weight=''):
        bold = f' font-weight="{weight}"' if weight else ''
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
                          f'text-anchor="{anchor}" fill="{colour}"{bold}>'
                          f'{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour=FAINT, width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                          f'y2="{y2:.1f}" stroke="{colour}" '
                          f'stroke-width="{width}"/>')

    def dot(self, x, y, colour, full, title):
        fill = colour if full else PAPER
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" '
                          f'fill="{fill}" stroke="{colour}" stroke-width="1.5">'
                          f'<title>{escape(title)}</title></circle>')

    def arrow(self, x, y, colour, right, title):
        d = RADIUS if right else -RADIUS
        self.parts.append(
            f'<path d="M{x - d:.1f} {y - RADIUS:.1f} L{x + d:.1f} {y:.1f} '
            f'L{x - d:.1f} {y + RADIUS:.1f} Z" fill="{colour}">'
            f'<title>{escape(title)}</title></path>')


def place(ratio):
    """The position from 0 (left) to 1 on a logarithmic scale."""
    low, high = (math.log2(limit) for limit in LIMITS)
    return (min(max(math.log2(ratio), low), high) - low) / (high - low)


def draw_mark(canvas, x0, y, ratio, colour, full, title):
    x = x0 + PANEL * place(ratio)
    if LIMITS[0] <= ratio <= LIMITS[1]:
        canvas.dot(x, y, colour, full, title)
    else:
        canvas.arrow(x, y, colour, ratio > LIMITS[1], title)


def draw_panel(canvas, x0, height, title, report, rows, lines):
    canvas.text(x0 + PANEL / 2, TOP - 26, title, 'middle', 13, weight='bold')
    for tick in TICKS:
        x = x0 + PANEL * place(tick)
        canvas.line(x, TOP - 6, x, height - BOTTOM,
                    INK if tick == 1 else FAINT)
        canvas.text(x, TOP - 10, f'{tick:g}', 'middle', 11)
        canvas.text(x, height - BOTTOM + 14, f'{tick:g}', 'middle', 11)
    means, mean_bound = report.means(rows)
    for i, name in enumerate(lines):
        y = TOP + ROW * (i + 0.5)
        canvas.line(x0, y, x0 + PANEL, y)
        if name is None:
            ratios, bound, full, label = means, mean_bound, True, 'all rows'
        elif name in rows:
            row = rows[name]
            ratios = {n: row.ratio(n) for n in report.names}
            bound, full, label = row.bound_ratio, row.concludes, name
        else:
            continue
        if bound:
            x = x0 + PANEL * place(bound)
            canvas.line(x, y - 6, x, y + 6, BOUND, 3)
        # mound is drawn last, over the others
        order = sorted(report.names, key=lambda n: n in report.mound)
        for peer in order:
            if ratios.get(peer):
                draw_mark(canvas, x0, y, ratios[peer], colour_of(report, peer),
                          full, f'{label}, {peer}: {ratios[peer]:.2f}')


def colour_of(report, peer):
    return COLOURS[report.names.index(peer) % len(COLOURS)]


def draw(report, path):
    lines = [None, *report.workloads]
    height = TOP + ROW * len(lines) + BOTTOM
    canvas = Canvas()
    x = LEFT
    for peer in report.names:
        canvas.dot(x + 5, 16, colour_of(report, peer), True, peer)
        canvas.text(x + 15, 20, peer[:24])
        x += 35 + 7.5 * len(peer[:24])
    canvas.line(x + 5, 10, x + 5, 22, BOUND, 3)
    canvas.text(x + 12, 20, 'bound')
    canvas.dot(x + 75, 16, BOUND, False, 'no conclusion')
    canvas.text(x + 85, 20, 'spread too wide')
    canvas.text(LEFT, 38, 'ratio to the best peer of the row, further left is '
                f'better; medians of {report.content["rounds"]} rounds, '
                + ('littered heaps, ' if report.content['littered'] else '')
                + report.content['machine']['cpu'], size=11)
    for i, name in enumerate(lines):
        canvas.text(LEFT - 12, TOP + ROW * (i + 0.5) + 4,
                    name or 'geometric mean', 'end', 12,
                    weight='' if name else 'bold')
    draw_panel(canvas, LEFT, height, 'processor time, bound: lifo', report,
               report.cpu, lines)
    draw_panel(canvas, LEFT + PANEL + GAP, height,
               'peak memory, bound: live bytes', report, report.rss, lines)
    with open(path, 'w') as f:
        f.write('<?xml version="1.0" encoding="UTF-8"?>\n'
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                f'height="{height}" viewBox="0 0 {WIDTH} {height}" '
                'font-family="sans-serif">\n<title>scripts/bench malloc'
                '</title>\n'
                f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>\n'
                + '\n'.join(canvas.parts) + '\n</svg>\n')
