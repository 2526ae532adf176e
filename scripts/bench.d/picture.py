"""The picture of README.md: ratios to kernel threads, panel by panel. Panels without figures are left out."""

from drawing import Drawing, Scale, short

WIDTH, MARGIN, GAP, INSET = 960, 24, 16, 16
PANEL = (WIDTH - 2 * MARGIN - GAP) / 2
WAYS = {"native": "kernel threads", "green": "greenpatch", "other": "other library", "epoll": "epoll loop in C", "uring": "io_uring loop in C",
        "gevent": "PyMySQL under gevent"}


class Panel:
    """A box with a heading, and inside of it the room for a chart."""

    def __init__(self, drawing, x, y, height, title, subtitle):
        drawing.rect(x, y, PANEL, height, "panel", 8)
        drawing.text(x + INSET, y + 25, title, size=14, bold=True)
        drawing.text(x + INSET, y + 42, subtitle, "faint", 11)
        self.drawing = drawing
        self.left, self.right = x + INSET, x + PANEL - INSET
        self.top, self.bottom = y + 58, y + height - INSET


def whisker(drawing, x, low, high):
    drawing.line(x, low, x, high, "whisker", 1.2)
    for y in low, high:
        drawing.line(x - 3, y, x + 3, y, "whisker", 1.2)


def legend(drawing, x, y, ways):
    for way in ways:
        drawing.rect(x, y - 9, 11, 11, way, 2)
        drawing.text(x + 16, y, WAYS[way], "faint", 12)
        x += 16 + 7.2 * len(WAYS[way]) + 22


# Servers: bars beside each other, one group for each number of connections.

def server_panel(panel, figures):
    draw = panel.drawing
    ways = [way for way in ("green", "other", "epoll", "uring") if any(figure.ratios(way) for figure in figures)]
    # One outlier on a noisy machine must not flatten all bars: its line is cut.
    highest = max(min(figure.spread(way)[1], 1.4 * figure.middle_ratio(way)) for figure in figures for way in ways if figure.ratios(way))
    left, bottom = panel.left + 22, panel.bottom - 24
    scale = Scale(0, max(2, highest * 1.08), bottom, panel.top)
    for tick in scale.ticks():
        draw.line(left, scale(tick), panel.right, scale(tick))
        draw.text(left - 6, scale(tick) + 4, short(tick), "faint", 11, "end")
    group = (panel.right - left) / len(figures)
    bar = min(28, group * 0.74 / len(ways))
    for number, figure in enumerate(figures):
        middle = left + group * (number + 0.5)
        draw.text(middle, panel.bottom - 9, f"{figure.x:,}, spinning" if "SPIN" in figure.name else f"{figure.x:,}", "faint", 11, "middle")
        for place, way in enumerate(ways):
            if not figure.ratios(way):
                continue
            x = middle + (place - len(ways) / 2) * bar
            ratio, (least, most) = figure.middle_ratio(way), figure.spread(way)
            draw.rect(x + 1, scale(ratio), bar - 2, bottom - scale(ratio), way, 2)
            whisker(draw, x + bar / 2, scale(least), scale(most))
            draw.text(x + bar / 2, scale(most) - 5, f"{ratio:.2f}", "ink" if way == "green" else "faint", 10, "middle", way == "green")
    draw.text((left + panel.right) / 2, panel.bottom + 5, "connections", "faint", 11, "middle")
    draw.line(left, scale(1), panel.right, scale(1), "axis", 1.6, True)
    draw.line(left, bottom, panel.right, bottom, "axis")


# Single operations: a bar for each from 1, on a logarithmic scale.

def operation_panel(panel, rows):
    """Rows of a name and a figure."""
    draw = panel.drawing
    left, bottom = panel.left + 158, panel.bottom - 18
    high = max(figure.spread("green")[1] for _, figure in rows)
    low = min(1, min(figure.spread("green")[0] for _, figure in rows))
    scale = Scale(low / 1.1, high * 1.25, left, panel.right - 44, log=True)
    for tick in scale.ticks():
        draw.line(scale(tick), panel.top, scale(tick), bottom)
        draw.text(scale(tick), panel.bottom - 2, short(tick), "faint", 11, "middle")
    step = (bottom - panel.top) / len(rows)
    for number, (name, figure) in enumerate(rows):
        y = panel.top + step * (number + 0.5)
        ratio, (least, most) = figure.middle_ratio("green"), figure.spread("green")
        draw.text(left - 10, y + 4, name, size=12, anchor="end")
        start, end = sorted((scale(1), scale(ratio)))
        draw.rect(start, y - step * 0.3, end - start, step * 0.6, "green", 2)
        draw.line(scale(least), y, scale(most), y, "whisker", 1.2)
        for value in least, most:
            draw.line(scale(value), y - 3, scale(value), y + 3, "whisker", 1.2)
        draw.text(max(scale(most), end) + 8, y + 4, f"{ratio:.1f} ×" if ratio < 10 else f"{ratio:.0f} ×", size=11, bold=True)
    draw.line(scale(1), panel.top, scale(1), bottom, "axis", 1.6, True)


def cost_panel(panel, rows):
    """What a call costs, as times the plain one: a dot with its spread, near 1. Rows of a name and figures by state."""
    draw = panel.drawing
    left, bottom = panel.left + 128, panel.bottom - 18
    costs = [1 / value for _, states in rows for figure in states for value in figure.ratios("green")]
    scale = Scale(min(0.8, *costs) - 0.02, max(1.3, *costs) + 0.04, left, panel.right - 6)
    for tick in scale.ticks(8):
        draw.line(scale(tick), panel.top, scale(tick), bottom)
        draw.text(scale(tick), panel.bottom - 2, short(tick), "faint", 11, "middle")
    lines = sum(len(states) for _, states in rows) + len(rows) - 1
    step, y = (bottom - panel.top) / lines, panel.top
    for name, states in rows:
        middle = y + step * len(states) / 2
        draw.text(left - 10, middle + 4, name, size=12, anchor="end")
        for state, figure in enumerate(states):
            y += step
            at = y - step / 2
            least, most = (1 / value for value in reversed(figure.spread("green")))
            draw.line(scale(least), at, scale(most), at, "green-line", 2)
            if len(states) == 1 or state == 2:
                draw.dot(scale(1 / figure.middle_ratio("green")), at, "green", 4.5)
            else:
                draw.dot(scale(1 / figure.middle_ratio("green")), at, "green", 4.5)
                draw.dot(scale(1 / figure.middle_ratio("green")), at, "panel", 3 if state == 0 else 1.6)
        y += step
    draw.line(scale(1), panel.top, scale(1), bottom, "axis", 1.6, True)


# Curves: cost against a number, where 1 is kernel threads at the smallest number.

def curve_panel(panel, figures, what):
    draw = panel.drawing
    unit = figures[0].middle("native")
    ways = [way for way in WAYS if any(way in figure.samples for figure in figures)]
    left, bottom, right = panel.left + 26, panel.bottom - 30, panel.right - 20
    # An outlier's line is cut.
    values = [figure.middle(way) / unit * part for figure in figures for way in ways if way in figure.samples for part in (0.8, 1.2)]
    xs = sorted({figure.x for figure in figures})
    if xs[0] == 0:
        places = {x: left + (right - left) * i / max(1, len(xs) - 1) for i, x in enumerate(xs)}
        across = places.get
    else:
        across = Scale(xs[0], xs[-1], left, right, log=True)
    log = max(values) / min(values) > 6
    up = Scale(min(values) / 1.3, max(values) * 1.3, bottom, panel.top, log=True) if log else Scale(0, max(values) * 1.15, bottom, panel.top)
    for tick in up.ticks():
        draw.line(left, up(tick), panel.right, up(tick))
        draw.text(left - 6, up(tick) + 4, short(tick), "faint", 11, "end")
    for x in xs:
        draw.text(across(x), bottom + 15, short(x), "faint", 11, "middle")
    draw.text((left + right) / 2, panel.bottom + 2, what, "faint", 11, "middle")
    draw.line(left, bottom, panel.right, bottom, "axis")
    for way in ways:
        curve = [(across(figure.x), up(figure.middle(way) / unit), figure) for figure in figures if way in figure.samples]
        draw.path([(x, y) for x, y, _ in curve], way)
        for x, y, figure in curve:
            samples = [value / unit for value in figure.samples[way]]
            draw.line(x, up(min(samples)), x, up(max(samples)), f"{way}-line", 1.5)
            draw.dot(x, y, way, 3.5)


# Memory, and the database driver: horizontal bars.

def memory_panel(panel, rows):
    """Rows of: name, style, resident, kernel's part."""
    draw = panel.drawing
    left, bottom = panel.left + 158, panel.bottom - 18
    scale = Scale(0, max(resident + kernel for _, _, resident, kernel in rows) * 1.12, left, panel.right - 44)
    for tick in scale.ticks():
        draw.line(scale(tick), panel.top, scale(tick), bottom)
        draw.text(scale(tick), panel.bottom - 2, f"{tick:g}", "faint", 11, "middle")
    step = (bottom - panel.top) / len(rows)
    for number, (name, style, resident, kernel) in enumerate(rows):
        y = panel.top + step * (number + 0.5)
        draw.text(left - 10, y + 4, name, size=12, anchor="end")
        draw.rect(left, y - step * 0.28, scale(resident) - left, step * 0.56, style, 2)
        draw.rect(scale(resident) + 1, y - step * 0.28, scale(resident + kernel) - scale(resident), step * 0.56,
                  "kernel-green" if style == "green" else "kernel", 2)
        draw.text(scale(resident + kernel) + 8, y + 4, f"{resident:.1f} + {max(0, kernel):.1f}", size=11, bold=True)


def value_panel(panel, rows):
    """Rows of: name, style, ratio, least, most; from 0, with a line at 1."""
    draw = panel.drawing
    left, bottom = panel.left + 158, panel.bottom - 18
    scale = Scale(0, max(1.3, max(min(row[4], 1.4 * row[2]) for row in rows) * 1.1), left, panel.right - 44)
    for tick in scale.ticks():
        draw.line(scale(tick), panel.top, scale(tick), bottom)
        draw.text(scale(tick), panel.bottom - 2, short(tick), "faint", 11, "middle")
    step = (bottom - panel.top) / len(rows)
    for number, (name, style, ratio, least, most) in enumerate(rows):
        y = panel.top + step * (number + 0.5)
        draw.text(left - 10, y + 4, name, size=12, anchor="end")
        draw.rect(left, y - step * 0.28, scale(ratio) - left, step * 0.56, style, 2)
        draw.line(scale(least), y, scale(most), y, "whisker", 1.2)
        for value in least, most:
            draw.line(scale(value), y - 3, scale(value), y + 3, "whisker", 1.2)
        draw.text(scale(most) + 8, y + 4, f"{ratio:.2f}", size=11, bold=True)
    draw.line(scale(1), panel.top, scale(1), bottom, "axis", 1.6, True)


OPERATIONS = {"semaphore round trip": "semaphore", "condition variable round trip": "condition variable", "mutex hand-off, round trip": "mutex hand-off",
              "pipe round trip": "pipe", "socketpair round trip": "socketpair", "sched_yield to another thread": "sched_yield",
              "create + join": "create + join", "create + join, 100 alive at once": "create + join, 100"}


def panels(figures):
    """Pairs of title and subtitle, and a function that fills the panel, of what has been measured."""
    def of(part, text=""):
        return [figure for figure in figures if figure.part == part and text in figure.name and "native" in figure.samples and "green" in figure.samples]

    found = []
    for part, title in ("echo", "Echo server"), ("http", "HTTP/1.1 server, keep-alive"):
        rates = of(part, "requests per second")
        if rates:
            found.append((title, "requests per second, kernel threads = 1", lambda panel, rates=rates: server_panel(panel, rates)))
    rows = [(OPERATIONS[figure.name], figure) for figure in of("handover") + of("threads") if figure.name in OPERATIONS]
    if rows:
        found.append(("Hand-overs between threads, and threads", "how many times faster than kernel threads",
                      lambda panel: operation_panel(panel, rows)))
    calls = of("calls")
    if calls:
        states = [(name, [figure for figure in calls if figure.name.startswith(start)]) for name, start in
                  (("socket write + read", "write + read, socketpair"), ("pipe write + read", "write + read, pipe"), ("getppid", "getppid"), ("lock + unlock", "lock"))]
        states = [(name, rows) for name, rows in states if rows]
        found.append(("Calls that do not block", "cost as times the plain call:  ○ not armed  ◎ no other thread  ● with others",
                      lambda panel: cost_panel(panel, states)))
    parked = [figure for figure in figures if figure.part == "parked"]
    if parked and "native" in parked[0].samples and "green" in parked[0].samples:
        found.append(("A switch among parked threads", "cost, kernel threads with 10 parked = 1", lambda panel: curve_panel(panel, parked, "threads parked on a condition variable")))
    idle = of("idle")
    if idle:
        found.append(("A busy connection among idle ones", "server CPU per request, kernel threads without idle ones = 1",
                      lambda panel: curve_panel(panel, idle, "idle connections, beside 1,000 busy ones")))
    memory = []
    for figure in figures:
        if figure.part == "memory" and figure.name.endswith("kernel's part"):
            resident = next(f for f in figures if f.name == figure.name.replace("resident and the kernel's part", "resident"))
            for way in "native", "green":
                if way in figure.samples:
                    memory.append((f"{WAYS[way]}, {short(figure.x)}", way, resident.middle(way), max(0, figure.middle(way) - resident.middle(way))))
    if memory:
        found.append(("Memory per parked thread", "KiB with default attributes: resident + the kernel's part",
                      lambda panel: memory_panel(panel, memory)))
    queries = of("mysql")
    if queries:
        rows_of_queries = []
        for figure, name in zip(queries, ("queries per second", "queries per CPU second")):
            for way in "green", "gevent":
                if figure.ratios(way):
                    rows_of_queries.append((name, way, figure.middle_ratio(way), *figure.spread(way)))
        found.append(("MySQLdb in 50 Python threads", "MySQLdb with kernel threads = 1", lambda panel: value_panel(panel, rows_of_queries)))
    return found


def draw(about, figures):
    drawing = Drawing(WIDTH, "Speed of greenpatch, compared with kernel threads")
    drawing.text(MARGIN, 42, "greenpatch: all threads of a program on one kernel thread", size=22, bold=True)
    drawing.text(MARGIN, 64, "The same unmodified, blocking programs with kernel threads and under greenpatch, on one core. More is better; cost, less.",
                 "faint", 13)
    used = [way for way in WAYS if any(way in figure.samples for figure in figures)]
    legend(drawing, MARGIN, 90, used)
    y, height = 106, 250
    for number, (title, subtitle, fill) in enumerate(panels(figures)):
        x = MARGIN + (PANEL + GAP) * (number % 2)
        fill(Panel(drawing, x, y, height, title, subtitle))
        if number % 2:
            y += height + GAP
    if len(panels(figures)) % 2:
        y += height + GAP
    lines = [f"{about['processor']}, {about['cores']} cores; the server on one, the load on another. "
             f"Linux {about['kernel']}, {about['system']}, glibc {about['glibc']}.",
             f"gcc {about['gcc']}, rustc {about['rustc']}, greenpatch {about['greenpatch']}, {about['date']}. Middle of the rounds, "
             "thin lines from the least to the most; the ways are measured in turn."
             + (" SCHED_RR." if "scheduling" in about else "")]
    for line in lines:
        y += 16
        drawing.text(MARGIN, y, line, "faint", 11)
    return drawing.finish(y + 20)
