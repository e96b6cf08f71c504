"""Plots as SVG: lines and bars, on a light or a dark background as the reader
has it. No library."""
from html import escape
from math import ceil, floor, log10

FONT = 13
# Told apart also without colour: by place, and by the name at the line.
COLOURS = [("#0969da", "#58a6ff"), ("#bc4c00", "#f0883e"), ("#1a7f37", "#3fb950"), ("#8250df", "#bc8cff"),
           ("#bf3989", "#f778ba"), ("#6e7781", "#8b949e"), ("#9a6700", "#d29922"), ("#0a7ea4", "#39c5cf")]


def style():
    light = ".back{fill:#fff}.ink{fill:#1f2328}.soft{fill:#59636e}.grid{stroke:#d1d9e0}.axis{stroke:#59636e}"
    dark = ".back{fill:#0d1117}.ink{fill:#e6edf3}.soft{fill:#9198a1}.grid{stroke:#2b3139}.axis{stroke:#9198a1}"
    for i, (a, b) in enumerate(COLOURS):
        light += f".f{i}{{fill:{a}}}.s{i}{{stroke:{a};fill:none}}"
        dark += f".f{i}{{fill:{b}}}.s{i}{{stroke:{b};fill:none}}"
    return (f"<style>text{{font-family:system-ui,sans-serif;font-size:{FONT}px}}.title{{font-weight:600;font-size:15px}}"
            f"{light}@media(prefers-color-scheme:dark){{{dark}}}</style>")


def number(x):
    if x >= 1e6:
        return f"{x / 1e6:g} M"
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.0f}" if x >= 100 or x == int(x) else f"{x:.1f}" if x >= 1 else f"{x:.2g}"


class Canvas:
    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                      f'height="{height}" role="img"><title>{escape(title)}</title>{style()}',
                      f'<rect class="back" width="{width}" height="{height}" rx="6"/>']

    def text(self, x, y, text, kind="ink", anchor="start", more=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{more}>{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def add(self, part):
        self.parts.append(part)

    def done(self):
        return "\n".join([*self.parts, "</svg>"]) + "\n"


def decades(low, high):
    """Ticks of a logarithmic axis that holds both."""
    return [10.0 ** e for e in range(floor(log10(low)), ceil(log10(high)) + 1)]


def log_place(value, ticks, start, length):
    a, b = log10(ticks[0]), log10(ticks[-1])
    return start + (log10(value) - a) / ((b - a) or 1) * length


def steps(high):
    """Ticks of a linear axis from nothing to @high."""
    size = 10.0 ** floor(log10(high / 4))
    size *= next(m for m in (1, 2, 5, 10) if high / (size * m) <= 6)
    return [size * i for i in range(int(ceil(high / size - 1e-9)) + 1)]


def spread_labels(wanted, gap):
    """Move labels apart, keeping their order: {name: y}"""
    placed, last = {}, None
    for name, y in sorted(wanted.items(), key=lambda item: item[1]):
        y = y if last is None else max(y, last + gap)
        placed[name] = last = y
    return placed


def lines(title, x_label, y_label, series, log_y=True):
    """@series {name: {x: y}}; x is logarithmic. The names stand at the ends."""
    width, height, left, right, top, bottom = 760, 420, 96, 124, 56, 58
    inner_w, inner_h = width - left - right, height - top - bottom
    xs = sorted({x for line in series.values() for x in line})
    ys = [y for line in series.values() for y in line.values()]
    canvas = Canvas(width, height, title)
    canvas.text(left, 28, title, "ink title")
    y_ticks = decades(min(ys), max(ys)) if log_y else steps(max(ys))

    def px(x):
        return log_place(x, [xs[0], xs[-1]], left, inner_w)

    def py(y):
        if log_y:
            return top + inner_h - log_place(y, y_ticks, 0, inner_h)
        return top + inner_h - y / y_ticks[-1] * inner_h

    for y in y_ticks:
        canvas.line(left, py(y), left + inner_w, py(y), "grid")
        canvas.text(left - 8, py(y) + 4, number(y), "soft", "end")
    for x in xs:
        canvas.line(px(x), top + inner_h, px(x), top + inner_h + 5, "axis")
        canvas.text(px(x), top + inner_h + 20, number(x), "soft", "middle")
    canvas.line(left, top + inner_h, left + inner_w, top + inner_h, "axis")
    canvas.text(left + inner_w / 2, height - 12, x_label, "soft", "middle")
    middle = top + inner_h / 2
    canvas.text(20, middle, y_label, "soft", "middle", f' transform="rotate(-90 20 {middle:.1f})"')
    labels = spread_labels({name: py(line[max(line)]) + 4 for name, line in series.items()}, FONT + 2)
    for i, (name, line) in enumerate(series.items()):
        points = [(px(x), py(y)) for x, y in sorted(line.items())]
        canvas.add(f'<polyline class="s{i % len(COLOURS)}" stroke-width="2" stroke-linejoin="round" points="'
                   + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
        for x, y in points:
            canvas.add(f'<circle class="f{i % len(COLOURS)}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        canvas.text(left + inner_w + 10, labels[name], name, f"f{i % len(COLOURS)}")
    return canvas.done()


def bars(title, panels):
    """@panels [(heading with its unit, {name: value}, {name: colour number})]:
    lying bars on a logarithmic scale, one panel below the other."""
    width, left, right, row, head, axis = 760, 190, 96, 24, 38, 30
    inner_w = width - left - right
    height = 44 + sum(head + axis + row * len(values) for _, values, _ in panels)
    canvas = Canvas(width, height, title)
    canvas.text(20, 28, title, "ink title")
    y = 44
    for heading, values, colours in panels:
        ticks = decades(min(values.values()) / 1.5, max(values.values()))
        bottom = y + head + row * len(values)
        canvas.text(20, y + 22, heading, "soft")
        for tick in ticks:
            x = log_place(tick, ticks, left, inner_w)
            canvas.line(x, y + head - 4, x, bottom, "grid")
            canvas.text(x, bottom + 16, number(tick), "soft", "middle")
        for i, (name, value) in enumerate(values.items()):
            at = y + head + row * i
            x = log_place(value, ticks, left, inner_w)
            canvas.text(left - 8, at + 15, name, "ink", "end")
            canvas.add(f'<rect class="f{colours.get(name, 5)}" x="{left}" y="{at + 3}" width="{max(1, x - left):.1f}" '
                       f'height="{row - 8}" rx="2"/>')
            canvas.text(x + 6, at + 15, number(value), "ink")
        y = bottom + axis
    return canvas.done()
