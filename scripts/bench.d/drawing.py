"""SVG by hand: shapes with classes, so that one style sheet gives them their colours in light and in dark."""

import html
import math

# Class: colour in light, in dark.
FILLS = {"paper": ("#ffffff", "#0d1117"), "panel": ("#f6f8fa", "#161b22"), "ink": ("#1f2328", "#e6edf3"), "faint": ("#59636e", "#9198a1"),
         "native": ("#8c959f", "#7d8590"), "green": ("#1a7f37", "#3fb950"), "epoll": ("#0969da", "#58a6ff"), "uring": ("#bc4c00", "#f0883e"),
         "gevent": ("#8250df", "#bc8cff"), "other": ("#bf3989", "#f778ba"), "kernel": ("#c8ced5", "#3d444d"), "kernel-green": ("#a3d9b1", "#1c6b2f")}
LINES = {"grid": ("#d8dee4", "#2d333b"), "axis": ("#8c959f", "#7d8590"), "border": ("#d1d9e0", "#30363d"), "whisker": ("#1f2328", "#e6edf3")}
FONT = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, 'DejaVu Sans', sans-serif"


def style():
    def rules(which):
        lines = [f".{name}{{fill:{colours[which]}}}.{name}-line{{stroke:{colours[which]};fill:none}}" for name, colours in FILLS.items()]
        return "".join(lines + [f".{name}{{stroke:{colours[which]};fill:none}}" for name, colours in LINES.items()])
    return (f"<style>text{{font-family:{FONT};font-size:12px}}{rules(0)}"
            f"@media (prefers-color-scheme:dark){{{rules(1)}}}</style>")


class Drawing:
    def __init__(self, width, title):
        self.width, self.title = width, title
        self.parts = []

    def text(self, x, y, text, style="ink", size=12, anchor="start", bold=False):
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}" style="font-size:{size}px"{weight}>'
                          f"{html.escape(str(text))}</text>")

    def rect(self, x, y, width, height, style, radius=0):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0, width):.1f}" height="{max(0, height):.1f}" rx="{radius}" class="{style}"/>')

    def line(self, x1, y1, x2, y2, style="grid", width=1, dashed=False):
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}" stroke-width="{width}"{dash}/>')

    def path(self, points, style, width=2.5):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{points}" class="{style}-line" stroke-width="{width}" stroke-linejoin="round"/>')

    def dot(self, x, y, style, radius=4):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{style}"/>')

    def finish(self, height):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height:.0f}" viewBox="0 0 {self.width} {height:.0f}" '
                f'role="img" aria-label="{html.escape(self.title)}"><title>{html.escape(self.title)}</title>{style()}'
                f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{height - 1:.0f}" rx="10" class="paper"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


class Scale:
    """From values to places, linear or logarithmic."""

    def __init__(self, low, high, start, end, log=False):
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value):
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + min(1, max(0, part)) * (self.end - self.start)

    def ticks(self, most=6):
        if self.log:
            marks = [m * 10 ** e for e in range(-3, 8) for m in (1, 2, 5)]
            marks = [mark for mark in marks if self.low * 0.999 <= mark <= self.high * 1.001]
            return marks if len(marks) <= most + 2 else [mark for mark in marks if str(mark).strip("0.")[:1] == "1"]
        step = next(s for e in range(-3, 9) for s in (10 ** e, 2 * 10 ** e, 5 * 10 ** e) if (self.high - self.low) / s <= most)
        first = math.ceil(self.low / step - 1e-9)
        return [round(i * step, 6) for i in range(first, int(self.high / step + 1e-9) + 1)]


def short(value):
    """A number as it stands at an axis or a bar."""
    if value >= 1000000:
        return f"{value / 1000000:g}M"
    if value >= 10000:
        return f"{value / 1000:g}k"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:g}"
